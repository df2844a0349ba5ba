import type { GilbertElliott } from '../../lib/link/impair/burst-loss';

/** A path for one flow, and for how long. */
export interface Cell {
  /** What the cell is about, one of `GROUPS`. */
  group: string;
  name: string;
  /** Of the bottleneck, Mbit/s. */
  rate: number;
  /** Round trip without queues, ms. */
  rtt: number;
  /** Bytes that the bottleneck's queue holds. */
  queue: number;
  /** What the packets with the data suffer; acknowledgments suffer nothing. */
  loss?: number | GilbertElliott;
  reorder?: { probability: number; by?: readonly [number, number] };
  /** More or less than half of `rtt`, ms; packets overtake each other. */
  jitter?: number;
  /** Of both ends, bytes; without it what the stacks choose. */
  buffer?: number;
  /** Goodput counts from the first to the second, s. */
  span: readonly [number, number];
}

const PACKET = 1500;
const KIB = 1024;
const DEEP = 1000 * PACKET;

/** Bytes that fill the path. */
function product(rate: number, rtt: number): number {
  return (rate * 1e6 * rtt) / 8e3;
}

function range<T>(values: readonly T[], make: (value: T) => Cell[]): Cell[] {
  return values.flatMap(make);
}

/** No loss but in the queue of the bottleneck: a fifth of the path's product, and twice that. */
function queues(): Cell[] {
  const one = (rate: number, rtt: number, seconds: number): Cell[] =>
    [0.2, 2].map((part) => {
      const packets = Math.max(20 * part, Math.round((part * product(rate, rtt)) / PACKET));
      return {
        group: 'queue',
        name: `${rate} Mbit/s, ${rtt} ms, queue of ${packets} packets`,
        rate,
        rtt,
        queue: packets * PACKET,
        span: [seconds / 5, seconds],
      };
    });
  return [
    ...range([1, 10, 30, 100, 300], (rtt) => one(10, rtt, rtt < 100 ? 20 : 60)),
    ...range([1, 10, 30, 100, 300], (rtt) => one(100, rtt, rtt < 100 ? 6 : 20)),
  ];
}

/** The window is the limit. */
function buffers(): Cell[] {
  const one = (kib: number, rtt: number): Cell => ({
    group: 'buffer',
    name: `${kib} KiB, ${rtt} ms`,
    rate: 1000,
    rtt,
    queue: 4 * DEEP,
    buffer: kib * KIB,
    // The largest windows take long to grow, and then pass many packets.
    span: kib >= 4096 ? [3, 6] : [4, 10],
  });
  const sizes = [16, 64, 256, 1024, 4096, 16_384];
  return [...sizes.map((kib) => one(kib, 30)), ...sizes.map((kib) => one(kib, 300))];
}

/** So long that losses are many, and not longer. */
function lossSpan(percent: number, rtt: number): Cell['span'] {
  if (rtt < 100) return [2, rtt < 10 ? 5 : 12];
  return percent < 1 ? [5, 45] : [10, 200];
}

/** Each packet is lost with the same probability. */
function losses(): Cell[] {
  const one = (percent: number, rtt: number): Cell => ({
    group: 'loss',
    name: `${percent} % at random, ${rtt} ms`,
    rate: 100,
    rtt,
    queue: DEEP,
    loss: percent / 100,
    span: lossSpan(percent, rtt),
  });
  return [
    ...[10, 100].map((rtt) => one(0.01, rtt)),
    ...range([0.1, 1, 3, 5, 10], (percent) => [1, 10, 100, 300].map((rtt) => one(percent, rtt))),
  ];
}

/** Loss in bursts of four on average. */
function bursts(): Cell[] {
  const r = 0.25;
  const one = (percent: number, rtt: number): Cell => {
    const share = percent / 100;
    return {
      group: 'bursts',
      name: `${percent} % in bursts of 4, ${rtt} ms`,
      rate: 100,
      rtt,
      queue: DEEP,
      loss: { p: (share * r) / (1 - share), r },
      span: lossSpan(percent, rtt),
    };
  };
  return range([0.1, 1, 3, 10], (percent) => [10, 100].map((rtt) => one(percent, rtt)));
}

/** Packets that others overtake. */
function reordering(): Cell[] {
  const one = (name: string, rtt: number, what: Partial<Cell>): Cell => ({
    group: 'reordering',
    name: `${name}, ${rtt} ms`,
    rate: 50,
    rtt,
    queue: Math.round(product(50, rtt) / PACKET + 20) * PACKET,
    span: [5, 20],
    ...what,
  });
  return range([10, 100], (rtt) => [
    one('1 % by 1 to 3', rtt, { reorder: { probability: 0.01 } }),
    one('10 % by 1 to 3', rtt, { reorder: { probability: 0.1 } }),
    one('1 % by 10 to 30', rtt, { reorder: { probability: 0.01, by: [10, 30] } }),
    one(`jitter of ${rtt / 20} ms`, rtt, { jitter: rtt / 20 }),
  ]);
}

/** Loss and a short queue at once. */
function mixed(): Cell[] {
  return [20, 100].map((rtt) => ({
    group: 'mixed',
    name: `0.1 % lost, 1 % overtaken, short queue, ${rtt} ms`,
    rate: 50,
    rtt,
    queue: Math.round((0.2 * product(50, rtt)) / PACKET) * PACKET,
    loss: 0.001,
    reorder: { probability: 0.01 },
    span: [5, 40],
  }));
}

/** What each group shows. */
export const GROUPS: Readonly<Record<string, string>> = {
  queue: 'Nothing is lost but where the queue of the bottleneck is full',
  buffer: 'Buffers of both ends, over 1 Gbit/s: the window is the limit',
  loss: 'Each packet is lost with the same probability, over 100 Mbit/s',
  bursts: 'Loss in bursts (Gilbert-Elliott), over 100 Mbit/s',
  reordering: 'Packets overtake each other, over 50 Mbit/s',
  mixed: 'All at once, over 50 Mbit/s',
};

/** One flow over one path each. */
export const CELLS: readonly Cell[] = [
  ...queues(),
  ...buffers(),
  ...losses(),
  ...bursts(),
  ...reordering(),
  ...mixed(),
];
