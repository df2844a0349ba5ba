import type { SegmentBatch } from '../../core/segment/batch';
import { Direction } from '../../core/segment/layout';
import { PortDecorator } from '../decorator';
import type { Link, LinkContext, LinkCounters, LinkHost, LinkPort } from '../link';
import type { ImpairmentClock } from './clock';
import { type Course, Lane } from './lane';
import type { PathMtu } from './split';

/**
 * Opens a port of `link` whose segments take a lane in each direction.
 *
 * @param courseOf the stages of a direction, asked for the outbound one first; null: none, its
 *   segments pass as they are
 * @param onLane told of each lane
 */
export async function openLanes(
  link: Link,
  context: LinkContext,
  clock: ImpairmentClock,
  courseOf: (direction: Direction) => Course | null,
  onLane: (direction: Direction, lane: Lane) => void = () => undefined,
): Promise<LinkPort> {
  const host = new LanedHost(context.host);
  const port = await link.open({ ...context, host });
  const { slabs, hashKey } = context;
  const mtu = pathMtu(port);
  return new LanedPort(port, host, (direction, sink) => {
    const course = courseOf(direction);
    if (course === null) return null;
    const lane = new Lane({ direction, slabs, hashKey, mtu, clock, sink }, course);
    onLane(direction, lane);
    return lane;
  });
}

/** A raw link carries 64 KiB and more, whatever the interfaces do; its routes know better. */
function pathMtu({ mtu, paths }: LinkPort): PathMtu {
  if (paths === undefined) return () => mtu;
  return (remote, local) => {
    const path = paths.route(remote, local);
    return typeof path === 'number' ? mtu : Math.min(path.mtu, mtu);
  };
}

/** What the link below sees of the stack. */
class LanedHost implements LinkHost {
  /** Null where what is received passes as it is. */
  lane: Lane | null = null;
  onWritable: () => void = () => undefined;

  constructor(readonly stack: LinkHost) {}

  receive(batch: SegmentBatch): void {
    if (this.lane === null) this.stack.receive(batch);
    else this.lane.take(batch);
  }

  writable(): void {
    this.onWritable();
    this.stack.writable();
  }

  changed(): void {
    this.stack.changed();
  }

  down(error: Error): void {
    this.stack.down(error);
  }
}

class LanedPort extends PortDecorator {
  private readonly outbound: Lane | null;
  private readonly inbound: Lane | null;
  /** The port below has said that it has no room. */
  private blocked = false;
  private closed = false;

  constructor(
    port: LinkPort,
    host: LanedHost,
    lane: (direction: Direction, sink: (batch: SegmentBatch) => void) => Lane | null,
  ) {
    super(port);
    host.onWritable = () => (this.blocked = false);
    this.outbound = lane(Direction.Out, (batch) => this.send(batch));
    this.inbound = lane(Direction.In, (batch) => host.stack.receive(batch));
    host.lane = this.inbound;
  }

  override get counters(): LinkCounters {
    const counters = { ...this.port.counters };
    for (const [prefix, lane] of [
      ['out', this.outbound],
      ['in', this.inbound],
    ] as const) {
      if (lane === null) continue;
      for (const [name, count] of Object.entries(lane.counts)) {
        counters[prefix + name[0].toUpperCase() + name.slice(1)] = count;
      }
    }
    return counters;
  }

  transmit(batch: SegmentBatch): boolean {
    if (this.outbound === null) return this.port.transmit(batch);
    this.outbound.take(batch);
    return !this.blocked;
  }

  override ref(): void {
    super.ref();
    this.outbound?.ref();
    this.inbound?.ref();
  }

  override unref(): void {
    super.unref();
    this.outbound?.unref();
    this.inbound?.unref();
  }

  override close(): void {
    if (this.closed) return;
    this.closed = true;
    this.outbound?.drain();
    this.outbound?.close();
    this.inbound?.close();
    this.port.close();
  }

  private send(batch: SegmentBatch): void {
    if (!this.port.transmit(batch)) this.blocked = true;
  }
}
