import type { SegmentBatch } from '../../../lib/core/segment/batch';
import { Direction } from '../../../lib/core/segment/layout';
import { PortDecorator } from '../../../lib/link/decorator';
import type { Link, LinkPort } from '../../../lib/link/link';
import { Tcpdump } from '../../../lib/observe/tcpdump';

/** A link that prints what passes as `tcpdump -n -S -X` does, a segment at a time. */
export function watch(link: Link, print: (segment: string) => void): Link {
  return {
    kind: link.kind,
    async open(context) {
      const tcpdump = new Tcpdump(context.slabs.slabs, { absolute: true, hex: true });
      const each = (batch: SegmentBatch, direction: Direction) => {
        for (let i = 0; i < batch.count; i++) print(tcpdump.format(batch, i, direction));
      };
      const { host } = context;
      const port = await link.open({
        ...context,
        host: {
          receive: (batch) => {
            each(batch, Direction.In);
            host.receive(batch);
          },
          writable: () => host.writable(),
          changed: () => host.changed(),
          down: (error) => host.down(error),
        },
      });
      return new Watched(port, (batch) => each(batch, Direction.Out));
    },
  };
}

class Watched extends PortDecorator {
  constructor(
    port: LinkPort,
    private readonly look: (batch: SegmentBatch) => void,
  ) {
    super(port);
  }

  transmit(batch: SegmentBatch): boolean {
    this.look(batch);
    return this.port.transmit(batch);
  }
}
