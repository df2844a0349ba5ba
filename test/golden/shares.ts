import { Network, type Host } from '../../lib/testing';
import { Flow } from './flow';

const SECOND = 1_000_000;
/** Of the bottleneck: Mbit/s, and bytes; 40 ms of its rate. */
const RATE = 50;
const BOTTLENECK_QUEUE = 167 * 1500;
/** Payload per bit of the link. */
const PAYLOAD = 1448 / 1500;

interface FlowPlan {
  controller: string;
  /** Round trip without queues, ms. */
  rtt: number;
  /** s */
  start: number;
}

/** Flows through one bottleneck, and what is made of their goodputs. */
export interface Share {
  name: string;
  flows(controller: string): FlowPlan[];
  /** s */
  span: readonly [number, number];
  /** What the figure is. */
  kind: 'jain' | 'share' | 'ratio';
  /** What fairness would be. */
  ideal: number;
  /** Why, and why not. */
  about: string;
}

/** A figure of `Share`, to three digits, and the share of the link that is used. */
export interface Shared {
  figure: number;
  used: number;
}

const RTT = 40;

function equal(count: number): Share {
  return {
    name: `${count} flows`,
    flows: (controller) =>
      Array.from({ length: count }, (_, i) => ({
        controller,
        rtt: RTT,
        start: (i * 0.97) / count,
      })),
    span: [10, 30],
    kind: 'jain',
    ideal: 1,
    about: "Jain's index of equal flows",
  };
}

function late(rtt: number): Share {
  return {
    name: `a late comer, ${rtt} ms`,
    flows: (controller) => [0, 10].map((start) => ({ controller, rtt, start })),
    span: [20, 40],
    kind: 'share',
    ideal: 0.5,
    about: 'its share of both, from 10 s after it came',
  };
}

function unequal(far: number): Share {
  return {
    name: `20 ms beside ${far} ms`,
    flows: (controller) => [20, far].map((rtt, i) => ({ controller, rtt, start: i * 0.1 })),
    span: [10, 50],
    kind: 'ratio',
    ideal: far / 20,
    about: 'near by far; with equal windows as the round trips',
  };
}

const BESIDE_RENO: Share = {
  name: '2 flows beside 2 of Reno',
  flows: (controller) =>
    [controller, 'reno', controller, 'reno'].map((name, i) => ({
      controller: name,
      rtt: RTT,
      start: i * 0.1,
    })),
  span: [10, 50],
  kind: 'share',
  ideal: 0.5,
  about: "Reno's share of all",
};

export const SHARES: readonly Share[] = [
  ...[2, 4, 8, 16, 32, 64].map(equal),
  ...[20, 80].map(late),
  ...[40, 160].map(unequal),
  BESIDE_RENO,
];

/** `n` senders and receivers, a router before each group, and the bottleneck between them. */
function dumbbell(network: Network, plans: readonly FlowPlan[]): Flow[] {
  const west = network.router('west');
  const east = network.router('east');
  network.link(west, east, { rate: RATE * 1e6, queue: BOTTLENECK_QUEUE, delay: 1 });
  return plans.map(({ controller, rtt, start }, i) => {
    const attach = (name: string, router: typeof west, jitter: number): Host => {
      const host = network.host(`${name}${i}`);
      // A little jitter, or a full queue would always drop the same flow's packets.
      network.link(host, router, { delay: rtt / 4 - 0.5, jitter, overtake: false });
      return host;
    };
    const [from, to] = [attach('s', west, 0.25), attach('r', east, 0)];
    return new Flow(from, to, controller, start * SECOND);
  });
}

/** Lets flows share the bottleneck. */
export function share(scenario: Share, controller: string): Shared {
  const network = new Network({ seed: 1, checks: false, trace: false });
  const flows = dumbbell(network, scenario.flows(controller));
  const { simulation } = network;
  const [from, to] = scenario.span.map((seconds) => {
    while (simulation.next() <= seconds * SECOND) simulation.step();
    simulation.moveTo(seconds * SECOND);
    return flows.map(({ received }) => received);
  });
  void network.close();
  const goodputs = to.map((bytes, i) => bytes - from[i]);
  const bits = goodputs.reduce((sum, bytes) => sum + bytes, 0) * 8;
  const most = RATE * 1e6 * PAYLOAD * (scenario.span[1] - scenario.span[0]);
  return { figure: digits(figureOf(scenario.kind, goodputs)), used: digits(bits / most) };
}

function figureOf(kind: Share['kind'], goodputs: readonly number[]): number {
  const sum = goodputs.reduce((total, value) => total + value, 0);
  if (kind === 'ratio') return goodputs[0] / goodputs[1];
  if (kind === 'share') return goodputs.reduce((odd, value, i) => odd + (i % 2) * value, 0) / sum;
  const squares = goodputs.reduce((total, value) => total + value * value, 0);
  return sum ** 2 / (goodputs.length * squares);
}

function digits(value: number): number {
  return Math.round(value * 1000) / 1000;
}
