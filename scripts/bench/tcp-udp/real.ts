import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DatagramSocket, Socket } from '../../../lib';
import { Stack } from '../../../lib';

/** What a message costs in a real stack, both its ends in one process. */
export interface Cost {
  /** Bytes of a message. */
  readonly size: number;
  /** Messages per second. */
  readonly rate: number;
  /** Processor time of a message, µs. */
  readonly cpu: number;
}

/** Bytes of an idle socket, with all that there is above and below the API. */
export interface Weight {
  readonly tcp: number;
  readonly udp: number;
}

export interface Real {
  readonly tcp: readonly Cost[];
  readonly udp: readonly Cost[];
  readonly weight: Weight;
}

const SIZES = [200, 1400, 8000];
/** Datagrams on their way at once: less than the buffers have room for. */
const windowOf = (size: number): number => (size > 2000 ? 8 : 64);

async function timed(size: number, count: number, run: () => Promise<void>): Promise<Cost> {
  const start = process.hrtime.bigint();
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  return { size, rate: count / seconds, cpu: (user + system) / count };
}

async function bindTo(socket: DatagramSocket, port = 0): Promise<number> {
  await new Promise<void>((done) => socket.bind(port, '127.0.0.1', done));
  return socket.address().port;
}

async function datagrams(stack: Stack, size: number, count: number): Promise<Cost> {
  const [sender, receiver] = [stack.dgram.createSocket('udp4'), stack.dgram.createSocket('udp4')];
  const port = await bindTo(receiver);
  await new Promise<void>((done) => sender.connect(port, '127.0.0.1', () => done()));
  const bytes = Buffer.alloc(size);
  const window = windowOf(size);
  const cost = await timed(size, count, () => {
    let [sent, arrived] = [0, 0];
    const more = () => {
      while (sent < count && sent - arrived < window) {
        sender.send(bytes);
        sent++;
      }
    };
    return new Promise<void>((done) => {
      receiver.on('message', () => {
        if (++arrived === count) done();
        else if (sent - arrived <= window / 2) more();
      });
      more();
    });
  });
  sender.close();
  receiver.close();
  return cost;
}

async function connection(stack: Stack): Promise<{ near: Socket; far: Socket; end(): void }> {
  const listener = stack.net.createServer();
  const accepted = new Promise<Socket>((done) => listener.once('connection', done));
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', () => done()));
  const near = stack.net.connect(listener.address()?.port ?? 0, '127.0.0.1');
  const far = await accepted;
  return { near, far, end: () => listener.close() };
}

async function stream(stack: Stack, size: number, count: number): Promise<Cost> {
  const { near, far, end } = await connection(stack);
  near.setNoDelay(true);
  const bytes = Buffer.alloc(size);
  const cost = await timed(size, count, () => {
    let [sent, arrived] = [0, 0];
    const more = () => {
      while (sent < count) {
        sent++;
        if (!near.write(bytes)) {
          near.once('drain', more);
          return;
        }
      }
    };
    return new Promise<void>((done) => {
      far.on('data', (data: Buffer) => {
        arrived += data.length;
        if (arrived === count * size) done();
      });
      more();
    });
  });
  near.destroy();
  far.destroy();
  end();
  return cost;
}

/** Bytes that are in use when garbage collections find nothing more. */
function used(): number {
  // Else each of them throws away code that hasn't run lately, more than what is weighed.
  setFlagsFromString('--no-flush-bytecode');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let least = Infinity;
  for (let vain = 0; vain < 2;) {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    const bytes = heapUsed + external;
    vain = bytes < least ? 0 : vain + 1;
    least = Math.min(least, bytes);
  }
  return least;
}

async function weigh(count: number): Promise<Weight> {
  const stack = await Stack.open();
  const listener = stack.net.createServer();
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', () => done()));
  const port = listener.address()?.port ?? 0;
  const kept: unknown[] = [];
  listener.on('connection', (socket) => kept.push(socket));
  const connect = () =>
    new Promise<void>((done) => kept.push(stack.net.connect(port, '127.0.0.1', () => done())));
  await connect();
  const before = used();
  for (let i = 0; i < count / 2; i++) await connect();
  await new Promise((done) => setImmediate(done));
  const tcp = (used() - before) / count;
  const first = stack.dgram.createSocket('udp4');
  await bindTo(first);
  const between = used();
  for (let i = 0; i < count; i++) {
    const socket = stack.dgram.createSocket('udp4');
    await bindTo(socket);
    kept.push(socket);
  }
  const udp = (used() - between) / count;
  stack.destroy();
  return { tcp, udp };
}

/**
 * Measures on a stack's own loopback.
 * @param messages of each size
 * @param sockets that are weighed
 */
export async function measure(messages: number, sockets: number): Promise<Real> {
  const stack = await Stack.open();
  const [tcp, udp]: [Cost[], Cost[]] = [[], []];
  for (const size of SIZES) {
    // The first run warms up.
    await stream(stack, size, messages / 10);
    tcp.push(await stream(stack, size, messages));
    await datagrams(stack, size, messages / 10);
    udp.push(await datagrams(stack, size, messages));
  }
  stack.destroy();
  return { tcp, udp, weight: await weigh(sockets) };
}
