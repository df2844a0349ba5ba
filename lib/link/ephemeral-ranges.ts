import { readFileSync } from 'node:fs';

/** First and last port. */
export type PortRange = readonly [first: number, last: number];

/** What the kernel says of its local ports (ip_local_port_range, ip_local_reserved_ports). */
export interface KernelPorts {
  /** The kernel's own ephemeral ports. */
  range: PortRange;
  /** Ports that an administrator keeps for someone. */
  reserved: readonly PortRange[];
}

const LAST_PORT = 65_535;

/** Below this the registry is dense: a guard there would sit on somebody's service. */
const LOWEST_PORT = 16_384;

const DEFAULT_RANGE: PortRange = [32_768, 60_999];

export function readKernelPorts(): KernelPorts {
  const range = parseRanges(read('ip_local_port_range').replace(/\s+/, '-'));
  return {
    range: range[0] ?? DEFAULT_RANGE,
    reserved: parseRanges(read('ip_local_reserved_ports')),
  };
}

function read(name: string): string {
  try {
    return readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Reads '8080,9000-9010'. */
export function parseRanges(text: string): PortRange[] {
  return text
    .split(',')
    .map((part) => /^(\d+)(?:-(\d+))?$/.exec(part.trim()))
    .filter((match) => match !== null)
    .map((match) => [Number(match[1]), Number(match[2] ?? match[1])]);
}

/**
 * Where a stack that shares the host's addresses takes its ephemeral ports from, in this order:
 * above the kernel's own range, below it, and in it, where the kernel takes whatever is free too.
 * The start is at random within the first part, the rest follows, so that two stacks seldom meet.
 *
 * @param random a number from 0 up to but not including its argument
 */
export function ephemeralRanges(
  kernel: KernelPorts,
  random: (below: number) => number,
): PortRange[] {
  const [first, last] = kernel.range;
  const parts: PortRange[] = [
    [last + 1, LAST_PORT],
    [LOWEST_PORT, first - 1],
    [Math.max(first, LOWEST_PORT), last],
  ];
  return parts
    .flatMap((part) => without(part, kernel.reserved))
    .flatMap((part, index) => (index === 0 ? rotate(part, random) : [part]));
}

/** What is left of a range without others. */
function without(range: PortRange, others: readonly PortRange[]): PortRange[] {
  let left: PortRange[] = range[0] <= range[1] ? [range] : [];
  for (const [from, to] of others) {
    left = left.flatMap(([first, last]): PortRange[] => {
      const pieces: PortRange[] = [
        [first, Math.min(last, from - 1)],
        [Math.max(first, to + 1), last],
      ];
      return pieces.filter(([a, b]) => a <= b);
    });
  }
  return left;
}

/** A range from a port in its midst, then what is before it. */
export function rotate([first, last]: PortRange, random: (below: number) => number): PortRange[] {
  const start = first + random(last - first + 1);
  return start === first
    ? [[first, last]]
    : [
        [start, last],
        [first, start - 1],
      ];
}
