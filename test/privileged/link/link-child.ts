// A link with a host that only watches, for tests: it keeps what comes, sends what it is told, and
// can act as a TCP sink that acknowledges everything.

import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { createServer, connect, type Server, type Socket } from 'node:net';
import {
  formatAddress,
  type IpAddress,
  parseAddress,
  readAddress,
  writeAddress,
} from '../../../lib/core/ip/address';
import { SlabTable } from '../../../lib/core/memory/slabs';
import { SegmentBatch } from '../../../lib/core/segment/batch';
import { isTcp, quotesTcp } from '../../../lib/core/segment/kind';
import { Flag, Option, Word } from '../../../lib/core/segment/layout';
import type { LinkPort } from '../../../lib/link/link';
import { rawLink, type RawLinkOptions } from '../../../lib/link/raw';
import { tunLink, type TunLinkOptions } from '../../../lib/link/tun';
import { serve } from '../../support/rpc';
import { Sink } from './sink';

/** A received segment, as far as the tests look. */
export interface Seen {
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  flags: number;
  length: number;
  checksum: number;
  interface: number;
  hopLimit: number;
  trafficClass: number;
  /** The bytes from PacketOffset on, up to the payload, as hex. */
  header: string;
}

/** What is to be sent; `count` times over (default 1), the sequence number counting up. */
export interface ToSend {
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  flags: number;
  sequence?: number;
  acknowledgment?: number;
  hopLimit?: number;
  trafficClass?: number;
  /** Payload bytes. */
  length?: number;
  count?: number;
}

const SEEN_LIMIT = 10_000;
const PAYLOAD = 65_536;

const slabs = new SlabTable();
const payload = new Uint8Array(PAYLOAD).map((_, index) => (index * 7) & 0xff);
const payloadSlab = slabs.add(payload);
const outgoing = new SegmentBatch(64);
const reply = new SegmentBatch(64);

let port: LinkPort;
let seen: Seen[] = [];
let total = 0;
/** Packets that neither are TCP nor quote it. */
let others = 0;
let batches = 0;
let longest = 0;
let writable = 0;
let changes = 0;
let down: NodeJS.ErrnoException | null = null;
let throwing = 0;
let closing = false;
/** Calls of `receive`. */
let calls = 0;
let sink: Sink | null = null;

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === null) throw new Error(`${text} is no address`);
  return parsed;
}

function receive(batch: SegmentBatch): void {
  calls++;
  batches++;
  reply.count = 0;
  for (let i = 0; i < batch.count; i++) {
    const base = batch.base(i);
    total++;
    longest = Math.max(longest, batch.words[base + Word.PacketLength]);
    if (!isTcp(batch.words, base) && !quotesTcp(batch.words, base)) others++;
    else if (sink !== null) absorb(sink, batch.words, base);
    else if (seen.length < SEEN_LIMIT) seen.push(describe(batch.words, base));
  }
  if (reply.count > 0) port.transmit(reply);
  if (closing) port.close();
  if (throwing > 0) {
    throwing--;
    throw new Error('thrown by the host');
  }
}

function describe(words: Int32Array, base: number): Seen {
  const slab = slabs.slabs[words[base + Word.Slab]];
  const from = words[base + Word.PacketOffset];
  return {
    source: formatAddress(readAddress(words, base + Word.Source)),
    sourcePort: words[base + Word.SourcePort],
    destination: formatAddress(readAddress(words, base + Word.Destination)),
    destinationPort: words[base + Word.DestinationPort],
    flags: words[base + Word.Flags],
    length: words[base + Word.PayloadLength],
    checksum: words[base + Word.Checksum],
    interface: words[base + Word.Interface],
    hopLimit: words[base + Word.HopLimit],
    trafficClass: words[base + Word.TrafficClass],
    header: Buffer.from(slab.subarray(from, words[base + Word.PayloadOffset])).toString('hex'),
  };
}

/** Acknowledges what a kernel's connection sends, and ends after it. */
function absorb(into: Sink, words: Int32Array, base: number): void {
  const flags = words[base + Word.Flags];
  const length = words[base + Word.PayloadLength];
  if ((flags & Flag.RST) !== 0) return;
  const sequence = words[base + Word.Sequence];
  const syn = (flags & Flag.SYN) !== 0;
  const fin = (flags & Flag.FIN) !== 0;
  if (syn) {
    into.open(sequence);
  } else {
    const offset = words[base + Word.PayloadOffset];
    const slab = slabs.slabs[words[base + Word.Slab]];
    into.take(sequence, slab.subarray(offset, offset + length), fin);
  }
  if (syn || fin || length > 0) answer(into, words, base, syn);
}

function answer(from: Sink, words: Int32Array, base: number, syn: boolean): void {
  const at = reply.push();
  if (at < 0) return;
  const out = reply.words;
  out[at + Word.Family] = words[base + Word.Family];
  out[at + Word.Protocol] = 6;
  out[at + Word.HopLimit] = 64;
  writeAddress(readAddress(words, base + Word.Destination), out, at + Word.Source);
  writeAddress(readAddress(words, base + Word.Source), out, at + Word.Destination);
  out[at + Word.SourcePort] = words[base + Word.DestinationPort];
  out[at + Word.DestinationPort] = words[base + Word.SourcePort];
  out[at + Word.Acknowledgment] = from.next;
  out[at + Word.Window] = 0xffff;
  out[at + Word.Sequence] = syn ? 1000 : 1001;
  // What follows its FIN repeats it: the sequence number stays right without keeping count.
  out[at + Word.Flags] = Flag.ACK | (syn ? Flag.SYN : 0) | (from.ended ? Flag.FIN : 0);
  if (!syn) return;
  out[at + Word.Options] = Option.Mss | Option.WindowScale;
  out[at + Word.Mss] = words[base + Word.Mss];
  out[at + Word.WindowScale] = 10;
}

function send(what: ToSend): boolean {
  let room = true;
  let sequence = what.sequence ?? 1000;
  let left = what.count ?? 1;
  while (left > 0) {
    outgoing.count = 0;
    for (; left > 0 && outgoing.count < outgoing.capacity; left--) push(what, sequence++);
    room = port.transmit(outgoing) && room;
  }
  return room;
}

function push(what: ToSend, sequence: number): void {
  const base = outgoing.push();
  const { words, slices } = outgoing;
  const source = address(what.source);
  words[base + Word.Family] = what.source.includes(':') ? 6 : 4;
  words[base + Word.Protocol] = 6;
  words[base + Word.HopLimit] = what.hopLimit ?? 64;
  words[base + Word.TrafficClass] = what.trafficClass ?? 0;
  writeAddress(source, words, base + Word.Source);
  writeAddress(address(what.destination), words, base + Word.Destination);
  words[base + Word.SourcePort] = what.sourcePort;
  words[base + Word.DestinationPort] = what.destinationPort;
  words[base + Word.Sequence] = sequence;
  words[base + Word.Acknowledgment] = what.acknowledgment ?? 0;
  words[base + Word.Flags] = what.flags;
  words[base + Word.Window] = 1000;
  const length = what.length ?? 0;
  words[base + Word.PayloadLength] = length;
  if (length === 0) return;
  words[base + Word.SliceCount] = 1;
  slices.set([payloadSlab, 0, length], outgoing.sliceBase(base));
}

async function open(link: ReturnType<typeof rawLink>, addresses: string[]): Promise<object> {
  const host = {
    receive,
    writable: () => void writable++,
    changed: () => void changes++,
    down: (error: Error) => void (down = error),
  };
  port = await link.open({ host, slabs, hashKey: Int32Array.of(1, 2), addresses });
  return { name: port.name, mtu: port.mtu };
}

/** Lets the event loop turn until nothing comes any more of what the system has for us. */
async function drain(): Promise<void> {
  for (let before = -1; before !== calls;) {
    before = calls;
    // Between the two lies a poll of everything that is open.
    for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

let kernelServer: Server | null = null;
const kernelSockets: Socket[] = [];

process.on('uncaughtException', (error) => {
  if (error.message !== 'thrown by the host') throw error;
});

process.stdin.on('end', () => process.exit(0));

serve({
  openRaw: (options?: RawLinkOptions) => open(rawLink(options), []),
  openTun: (options: TunLinkOptions, addresses: string[]) => open(tunLink(options), addresses),
  close: () => port.close(),
  /** As a fault elsewhere in the process might. */
  closeDescriptor: (fd: number) => closeSync(fd),
  counters: async () => {
    await drain();
    return port.counters;
  },
  send,
  /** What has come since the last call. */
  take: async () => {
    await drain();
    const result = { seen, total, others, batches, longest, writable, down: down && { ...down } };
    seen = [];
    total = others = batches = longest = 0;
    return result;
  },
  /** How often the link has told of changes, and its MTU. */
  changes: () => [changes, port.mtu],
  closeOnReceive: () => void (closing = true),
  throwOnce: () => void throwing++,
  sink: () => void (sink = new Sink()),
  sunk: () => ({ bytes: sink?.bytes, digest: sink?.digest() }),
  reserve: (at: string, number: number) => port.ports?.reserve(address(at), number),
  release: (at: string, number: number) => port.ports?.release(address(at), number),
  ephemeral: (family: 4 | 6) => {
    const count = port.ports?.ephemeralCount(family) ?? 0;
    return Array.from({ length: count }, (_, index) => port.ports?.ephemeralPort(family, index));
  },
  grow: (family: 4 | 6) => port.ports?.growEphemeral(family),
  isLocal: (at: string) => port.paths?.isLocal(address(at)),
  route: (remote: string, local?: string) => {
    const path = port.paths?.route(address(remote), local ? address(local) : null);
    return typeof path === 'object' ? { ...path, source: formatAddress(path.source) } : path;
  },
  // The kernel's own TCP, in the same namespace.
  kernelListen: (at: string, number: number) =>
    new Promise((resolve, reject) => {
      kernelServer = createServer((socket) => kernelSockets.push(socket.on('error', () => {})));
      kernelServer.once('error', reject).listen(number, at, () => resolve(null));
    }),
  kernelClose: () => {
    kernelServer?.close();
    for (const socket of kernelSockets.splice(0)) socket.destroy();
  },
  /** Closes the server's only socket first, so that the TIME-WAIT is here. */
  kernelEnd: async () => {
    while (kernelSockets.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    kernelServer?.close();
    // Called back when its FIN is on its way.
    const ended = (socket: Socket) => new Promise<void>((resolve) => socket.end(resolve));
    await Promise.all(kernelSockets.splice(0).map(ended));
  },
  kernelConnect: (to: string, number: number, localPort?: number) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: to, port: number, localPort });
      kernelSockets.push(socket);
      socket.once('error', reject).once('connect', () => resolve(socket.localPort));
    }),
  /** Sends so many bytes on the kernel's connection and closes it: their digest. */
  kernelSend: (bytes: number) =>
    new Promise((resolve) => {
      const data = Buffer.alloc(bytes, 'netland');
      kernelSockets[0].end(data, () => resolve(createHash('sha256').update(data).digest('hex')));
    }),
});
