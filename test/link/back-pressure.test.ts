/** Links that are slower than the program: what it sends waits in bounded queues, or is dropped. */
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { Socket as DatagramSocket } from '../../lib/dgram/socket';
import { impair } from '../../lib/link/impair';
import type { Link } from '../../lib/link/link';
import { memoryLink } from '../../lib/link/memory';
import { streamLink } from '../../lib/link/stream';
import type { Socket } from '../../lib/net/socket';
import { Stack } from '../../lib/stack';
import { nextTurn } from '../support/recording-host';

const MIB = 1024 * 1024;
/** What the program wants to send. */
const OFFERED = 96 * MIB;
/** What may be kept of it at any time, all queues together. */
const KEPT = 32 * MIB;

/** One end of a pair of streams that can be held up. */
class Gate extends Duplex {
  other: Gate | null = null;
  isStuck = false;
  private waiting: (() => void)[] = [];

  static pair(): [Gate, Gate] {
    const [a, b] = [new Gate(), new Gate()];
    [a.other, b.other] = [b, a];
    return [a, b];
  }

  override _read(): void {
    // What is written is pushed.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const pass = (): void => {
      this.other?.push(chunk);
      done();
    };
    if (this.isStuck) this.waiting.push(pass);
    else setImmediate(pass);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.waiting = [];
    done(error);
  }
}

interface Slow {
  near: Link;
  far: Link;
  /** From now on nothing, or not much, passes. */
  slowDown(): void;
}

const SLOW: [string, () => Slow][] = [
  [
    'a stream that is stuck',
    () => {
      const [near, far] = Gate.pair();
      const slowDown = () => void (near.isStuck = true);
      return { near: streamLink(near), far: streamLink(far), slowDown };
    },
  ],
  [
    'a memory link of 1 Mbit/s',
    () => {
      const wire = memoryLink();
      const near = impair(wire, { seed: 1, rate: 1e6, direction: 'out' });
      return { near, far: wire, slowDown: () => undefined };
    },
  ],
  [
    'a stream of 1 Mbit/s',
    () => {
      const [near, far] = Gate.pair();
      const impaired = impair(streamLink(near), { seed: 1, rate: 1e6, direction: 'out' });
      return { near: impaired, far: streamLink(far), slowDown: () => undefined };
    },
  ],
];

let opened: Stack[] = [];
afterEach(() => {
  for (const stack of opened) stack.destroy();
  opened = [];
});

async function stacks({ near, far }: Slow) {
  const a = await Stack.open({ link: near, addresses: ['10.0.0.1/24'] });
  const b = await Stack.open({ link: far, addresses: ['10.0.0.2/24'] });
  opened = [a, b];
  return { a, b };
}

const memory = () => process.memoryUsage().arrayBuffers;

/** Sends without waiting for anything, and counts by what became of it. */
async function flood(socket: DatagramSocket, bytes: Uint8Array, times: number) {
  const results = new Map<string, number>();
  const callback = (error: Error | null) => {
    const name = (error as NodeJS.ErrnoException | null)?.code ?? 'taken';
    results.set(name, (results.get(name) ?? 0) + 1);
  };
  for (let i = 0; i < times; i++) {
    socket.send(bytes, 9, '10.0.0.2', callback);
    if (i % 64 === 0) await nextTurn();
  }
  await nextTurn();
  return results;
}

describe.each(SLOW)('%s', (_, open) => {
  test('makes who writes to a connection wait', async () => {
    const slow = open();
    const { a, b } = await stacks(slow);
    const listener = (socket: Socket) => void socket.on('error', () => undefined).resume();
    const server = b.net.createServer(listener).listen(80, '10.0.0.2');
    await once(server, 'listening');
    const socket = a.net.connect(80, '10.0.0.2');
    await once(socket, 'connect');
    slow.slowDown();
    const before = memory();
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    while (socket.write(chunk) && written < OFFERED) {
      written += chunk.length;
      await nextTurn();
    }
    expect(socket.writableNeedDrain).toBe(true);
    expect(written).toBeLessThan(KEPT / 2);
    expect(memory() - before).toBeLessThan(KEPT);
  });

  test('drops datagrams, and counts each', async () => {
    const slow = open();
    const { a, b } = await stacks(slow);
    const receiver = b.dgram.createSocket('udp4').bind(9, '10.0.0.2');
    await once(receiver, 'listening');
    let received = 0;
    receiver.on('message', () => received++);
    const socket = a.dgram.createSocket('udp4').bind(0, '10.0.0.1');
    await once(socket, 'listening');
    slow.slowDown();
    const before = memory();
    const bytes = Buffer.alloc(32_000);
    const times = Math.ceil(OFFERED / bytes.length);
    const results = await flood(socket as unknown as DatagramSocket, bytes, times);
    expect(memory() - before).toBeLessThan(KEPT);
    const { UdpSndbufErrors, UdpOutDatagrams, link } = a.counters;
    const { outQueueFull = 0, dropped = 0 } = link;
    // What was not taken by the socket, and what the link has dropped of the rest.
    const refused = results.get('ENOBUFS') ?? 0;
    expect(UdpSndbufErrors - refused).toBeGreaterThanOrEqual(0);
    // The first that finds the send buffer full is counted, and kept all the same.
    expect(UdpSndbufErrors - refused).toBeLessThanOrEqual(1);
    expect(UdpSndbufErrors + outQueueFull + dropped).toBeGreaterThan(times / 2);
    const kept = times - UdpSndbufErrors - UdpOutDatagrams;
    expect(kept * bytes.length).toBeLessThan(MIB);
    expect(received).toBeLessThan(times / 10);
  });
});
