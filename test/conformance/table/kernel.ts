import { buildIcmp } from '../../../lib/codec/build-icmp';
import { parseAddress, writeAddress } from '../../../lib/core/ip/address';
import { IcmpWord, IpProtocol, Word } from '../../../lib/core/segment/layout';
import type { Backend, Emitted, Kernel, Message } from '../support/backend';
import { linuxNamespace, Reference } from '../support/reference';
import { readPacket } from '../support/wire';
import { CELL_PORTS } from './cell';
import type { Table } from './table';

const ICMP = 1;
const ECHO_REPLY = 0;
const ECHO_REQUEST = 8;
const NO_DATA = new Uint8Array(0);

/** One conversation after another with the kernel, beside those of other lanes. */
class Lane implements Backend {
  readonly name = 'kernel';
  packets: Emitted[] = [];
  port = 0;
  private pings = 0;
  private waiting: (() => void) | null = null;

  constructor(
    private readonly kernel: Kernel,
    private readonly id: number,
  ) {}

  now(): number {
    return this.kernel.now();
  }

  request(op: string, members: Message): Promise<Message> {
    return this.kernel.request(op, members);
  }

  pass(us: number): Promise<void> {
    return this.kernel.pass(us);
  }

  /** The answer to a ping comes behind all that the kernel has sent until then. */
  async settle(): Promise<void> {
    const answer = new Promise<void>((resolve) => (this.waiting = resolve));
    const data = Buffer.from(echoRequest(this.id, ++this.pings & 0xffff)).toString('base64');
    await this.kernel.request('pkt', { data });
    await answer;
  }

  /** Takes a packet that is this lane's. */
  hear(packet: Emitted): boolean {
    const { bytes } = packet;
    if (bytes[9] === ICMP) {
      const at = (bytes[0] & 15) * 4;
      const mine = bytes[at] === ECHO_REPLY && bytes.readUInt16BE(at + 4) === this.id;
      if (mine && bytes.readUInt16BE(at + 6) === (this.pings & 0xffff)) this.waiting?.();
      return mine;
    }
    const to = readPacket(bytes)?.destinationPort ?? 0;
    if (to < this.port || to >= this.port + CELL_PORTS) return false;
    this.packets.push(packet);
    return true;
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}

function echoRequest(id: number, sequence: number): Uint8Array {
  const from = parseAddress('192.0.2.1');
  const to = parseAddress('192.168.0.1');
  if (from === null || to === null) throw new Error('no address');
  const words = new Int32Array(Word.Stride);
  words[Word.Family] = 4;
  words[Word.Protocol] = IpProtocol.Icmp;
  words[Word.HopLimit] = 64;
  writeAddress(from, words, Word.Source);
  writeAddress(to, words, Word.Destination);
  words[IcmpWord.Kind] = ECHO_REQUEST << 8;
  words[IcmpWord.Rest] = (id << 16) | sequence;
  return buildIcmp(words, NO_DATA);
}

/** The kernel in a namespace of its own, which has several conversations at once. */
export class KernelLanes {
  readonly lanes: Lane[] = [];

  private constructor(private readonly reference: Reference) {}

  static async start(count: number): Promise<KernelLanes> {
    const reference = await Reference.start(4);
    const all = new KernelLanes(reference);
    let kernel: Kernel | null = null;
    kernel = await reference.connect((bytes) => {
      const packet = { us: kernel?.now() ?? 0, bytes };
      all.lanes.some((lane) => lane.hear(packet));
      return false;
    });
    for (let id = 1; id <= count; id++) all.lanes.push(new Lane(kernel, id));
    return all;
  }

  /** Has `run` for each of the keys, a lane for each; its results by key. */
  async forEach<T>(
    keys: readonly number[],
    run: (lane: Backend, port: number, key: number) => Promise<T>,
  ): Promise<Map<number, T>> {
    const results = new Map<number, T>();
    const queue = [...keys];
    await Promise.all(
      this.lanes.map(async (lane) => {
        for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
          lane.packets = [];
          lane.port = nextPort();
          results.set(key, await run(lane, lane.port, key));
        }
      }),
    );
    return results;
  }

  close(): Promise<void> {
    return this.reference.close();
  }
}

const FIRST_PORT = 10_000;
const LAST_PORT = 30_000;
let lastPort = FIRST_PORT;

/** No two conversations have the same ports for a long time. */
function nextPort(): number {
  lastPort = lastPort >= LAST_PORT ? FIRST_PORT : lastPort + CELL_PORTS;
  return lastPort;
}

const NAMESPACES = 3;
const LANES = 3;
/** How often a cell is asked for before it is given up that two answers are the same. */
const TRIES = 6;

/** What the kernel answers in the cells of a table that `keys` are the places of. */
export async function askKernel(
  table: Table,
  keys: readonly number[],
): Promise<Map<number, string>> {
  if (table.ask !== undefined) {
    const namespace = await linuxNamespace();
    const cells = keys.map((key) => table.cells[key]);
    const answers = table.ask(cells, namespace);
    await namespace.close();
    return new Map(keys.map((key, at) => [key, answers[at]]));
  }
  const all = new Map<number, string>();
  const share = async (n: number): Promise<void> => {
    const kernel = await KernelLanes.start(LANES);
    const mine = keys.filter((_, at) => at % NAMESPACES === n);
    const found = await kernel.forEach(mine, (lane, port, key) =>
      table.answer(lane, port, table.cells[key]),
    );
    for (const [key, text] of found) all.set(key, text);
    await kernel.close();
  };
  await Promise.all(Array.from({ length: NAMESPACES }, (_, n) => share(n)));
  return all;
}

/** What the kernel answers twice, in each cell. */
export async function kernelAnswers(table: Table): Promise<string[]> {
  const said = table.cells.map(() => new Set<string>());
  const sure = new Map<number, string>();
  for (let tried = 0; sure.size < table.cells.length; tried++) {
    const open = table.cells.map((_, at) => at).filter((at) => !sure.has(at));
    if (tried === TRIES) throw new Error(`never the same: ${String(table.cells[open[0]])}`);
    for (const [at, text] of await askKernel(table, open)) {
      if (said[at].has(text)) sure.set(at, text);
      said[at].add(text);
    }
  }
  return table.cells.map((_, at) => sure.get(at) ?? '');
}
