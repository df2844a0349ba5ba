import type { Host, LinkOptions, Network } from '../../../lib/testing';
import { Network as SimulatedNetwork } from '../../../lib/testing';

/** A path, and what is sent over it: messages of one size, one every so often. */
export interface Case {
  readonly name: string;
  readonly link: LinkOptions;
  /** Bytes. */
  readonly size: number;
  /** ms from one message to the next. */
  readonly every: number;
  readonly messages: number;
}

/** 10 Mbit/s and 20 ms in each direction. */
const PATH = { rate: 10e6, delay: 20 };
const SMALL = { size: 200, every: 5, messages: 400 };
const LARGE = { size: 4000, every: 20, messages: 200 };

export const CASES: readonly Case[] = [
  { name: 'nothing lost', link: PATH, ...SMALL },
  { name: '1 % lost', link: { ...PATH, loss: 0.01 }, ...SMALL },
  { name: '5 % lost', link: { ...PATH, loss: 0.05 }, ...SMALL },
  { name: '10 to 30 ms, anew for each', link: { ...PATH, jitter: 10, overtake: true }, ...SMALL },
  { name: '4000 bytes, 1 % lost', link: { ...PATH, loss: 0.01 }, ...LARGE },
];

/** What has become of the messages. Times are ms. */
export interface Outcome {
  /** From the first call until the first message had arrived. */
  readonly first: number;
  /** … until the last of those that arrive had arrived. */
  readonly last: number;
  readonly arrived: number;
  /** Arrived after one that was sent later. */
  readonly late: number;
  /** From the call that sends a message until it has arrived; percentiles, and the longest. */
  readonly delay: { readonly p50: number; readonly p90: number; readonly p99: number; max: number };
  /** On the wire, both ways, for each message that was sent; opening and closing included. */
  readonly packets: number;
  readonly bytes: number;
}

/** Notes when messages arrive. Each begins with its number. */
class Book {
  readonly #delays: number[] = [];
  #last = 0;
  #first = Infinity;
  #newest = -1;
  #late = 0;

  constructor(
    private readonly network: Network,
    private readonly start: number,
    private readonly every: number,
  ) {}

  arrived(number: number): void {
    const now = this.network.now - this.start;
    this.#first = Math.min(this.#first, now);
    this.#last = now;
    this.#delays.push(now - number * this.every);
    if (number < this.#newest) this.#late++;
    this.#newest = Math.max(this.#newest, number);
  }

  get count(): number {
    return this.#delays.length;
  }

  outcome(packets: number, bytes: number): Outcome {
    const sorted = [...this.#delays].sort((a, b) => a - b);
    const at = (part: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
    return {
      first: this.#first,
      last: this.#last,
      arrived: sorted.length,
      late: this.#late,
      delay: { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted[sorted.length - 1] },
      packets,
      bytes,
    };
  }
}

const PORT = 7;

function message(size: number, number: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32BE(number);
  return bytes;
}

/** Calls `send` for each message in its time. */
async function sendAll({ messages, every }: Case, send: (number: number) => void): Promise<void> {
  for (let number = 0; number < messages; number++) {
    send(number);
    await new Promise((done) => setTimeout(done, every));
  }
}

type Program = (client: Host, server: Host, task: Case, book: Book) => Promise<void>;

const overTcp: Program = async (client, server, task, book) => {
  const all = new Promise<void>((done) => {
    const listener = server.net.createServer((socket) => {
      let rest = Buffer.alloc(0);
      socket.on('data', (data: Buffer) => {
        rest = Buffer.concat([rest, data]);
        for (; rest.length >= task.size; rest = rest.subarray(task.size)) {
          book.arrived(rest.readUInt32BE());
        }
      });
      socket.on('end', () => {
        listener.close();
        done();
      });
    });
    listener.listen(PORT);
  });
  const socket = client.net.connect({ host: server.address, port: PORT, noDelay: true });
  await sendAll(task, (number) => socket.write(message(task.size, number)));
  socket.end();
  await all;
};

/** How long nobody waits for what may be lost, ms. */
const PATIENCE = 1000;

const overUdp: Program = async (client, server, task, book) => {
  const receiver = server.dgram.createSocket('udp4', (bytes) => book.arrived(bytes.readUInt32BE()));
  receiver.bind(PORT);
  const sender = client.dgram.createSocket('udp4');
  await sendAll(task, (number) => sender.send(message(task.size, number), PORT, server.address));
  await new Promise((done) => setTimeout(done, PATIENCE));
  sender.close();
  receiver.close();
};

async function measureOne(task: Case, program: Program, seed: number): Promise<Outcome> {
  await using network = new SimulatedNetwork({ seed });
  const [client, server] = [network.host('client'), network.host('server')];
  const cable = network.link(client, server, task.link);
  const book = new Book(network, network.now, task.every);
  await network.run(() => program(client, server, task, book));
  let [packets, bytes] = [0, 0];
  for (const { sent, sentBytes } of Object.values(cable.counters)) {
    packets += sent;
    bytes += sentBytes;
  }
  return book.outcome(packets / task.messages, bytes / task.messages);
}

export interface Comparison {
  readonly task: Case;
  readonly tcp: Outcome;
  readonly udp: Outcome;
}

/** The same messages over TCP and over UDP. The same seed gives the same figures. */
export async function simulate(cases: readonly Case[] = CASES, seed = 1): Promise<Comparison[]> {
  const all: Comparison[] = [];
  for (const task of cases) {
    const tcp = await measureOne(task, overTcp, seed);
    all.push({ task, tcp, udp: await measureOne(task, overUdp, seed) });
  }
  return all;
}
