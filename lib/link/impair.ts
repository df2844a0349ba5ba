import { Xoshiro } from '../core/random/xoshiro';
import type { SegmentBatch } from '../core/segment/batch';
import { Direction } from '../core/segment/layout';
import { PortDecorator } from './decorator';
import { type ImpairmentClock, systemClock } from './impair/clock';
import { Lane } from './impair/lane';
import { type ImpairOptions, checkOptions } from './impair/options';
import type { PathMtu } from './impair/split';
import type { Link, LinkContext, LinkCounters, LinkHost, LinkPort } from './link';

export type { ImpairOptions } from './impair/options';

/**
 * A link that slows down, loses, duplicates, delays and reorders what passes `link`, by a seed.
 * Super-segments are cut to segments of at most one MSS first, so each of these things happens to
 * one segment.
 *
 * The same seed and the same segments give the same result; with several stacks on it, if they open
 * it in the same order. Segments that are kept when the port closes leave at once.
 *
 * Counters: `outLost`, `inLost`, and the same with `Split`, `QueueFull`, `Duplicated`, `Delayed`,
 * `Reordered`, `Overflow` (dropped because more than 64 MiB were kept).
 *
 * @param clock where delays take the time from
 * @throws TypeError ERR_INVALID_ARG_TYPE or ERR_INVALID_ARG_VALUE, RangeError ERR_OUT_OF_RANGE
 */
export function impair(
  link: Link,
  options: ImpairOptions,
  clock: ImpairmentClock = systemClock,
): Link {
  checkOptions(options);
  const random = new Xoshiro(options.seed);
  return {
    kind: link.kind,
    async open(context: LinkContext): Promise<LinkPort> {
      const host = new ImpairedHost(context.host);
      const port = await link.open({ ...context, host });
      const lane = (direction: Direction, sink: (batch: SegmentBatch) => void) => {
        const { slabs, hashKey } = context;
        const generator = (seed: number) => new Xoshiro(seed);
        const mtu = pathMtu(port);
        const parts = { direction, slabs, hashKey, mtu, clock, random, generator, sink };
        return new Lane(parts, options);
      };
      return new ImpairedPort(port, host, options, lane);
    },
  };
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
class ImpairedHost implements LinkHost {
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

class ImpairedPort extends PortDecorator {
  private readonly outbound: Lane | null = null;
  private readonly inbound: Lane | null = null;
  /** The port below has said that it has no room. */
  private blocked = false;
  private closed = false;

  constructor(
    port: LinkPort,
    host: ImpairedHost,
    { direction = 'both' }: ImpairOptions,
    lane: (direction: Direction, sink: (batch: SegmentBatch) => void) => Lane,
  ) {
    super(port);
    host.onWritable = () => (this.blocked = false);
    if (direction !== 'in') this.outbound = lane(Direction.Out, (batch) => this.send(batch));
    if (direction !== 'out') {
      this.inbound = lane(Direction.In, (batch) => host.stack.receive(batch));
      host.lane = this.inbound;
    }
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
