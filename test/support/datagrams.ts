import { buildPacket, packetLength } from '../../lib/codec/build';
import { buildPackets, packetsLength } from '../../lib/codec/fragment';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import type { PortAuthority } from '../../lib/core/environment';
import { parseAddress, parsePrefix, type IpAddress, type Prefix } from '../../lib/core/ip/address';
import { formatAddress, readAddress } from '../../lib/core/ip/address';
import { AddressPaths } from '../../lib/core/ip/paths';
import type { RouteOptions } from '../../lib/core/ip/routes';
import { SlabTable } from '../../lib/core/memory/slabs';
import { Xoshiro } from '../../lib/core/random/xoshiro';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { Word } from '../../lib/core/segment/layout';
import { DatagramOption } from '../../lib/core/socket/datagram-options';
import type { DatagramSocket } from '../../lib/core/socket/datagram-socket';
import { FreePorts } from '../../lib/core/stack/free-ports';
import { StackCore } from '../../lib/core/stack/stack-core';
import type { Settings } from '../../lib/core/tcp/settings';
import { DatagramInfo } from '../../lib/core/udp/datagram-info';

export function ip(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === null) throw new Error(`no address: ${text}`);
  return address;
}

export const ADDRESSES = ['10.0.0.1/24', '10.0.0.2/24', 'fd00::1/64', 'fe80::1/64'];

export interface DatagramHostOptions {
  addresses?: readonly string[];
  mtu?: number;
  routes?: readonly RouteOptions[];
  batch?: number;
  udpPorts?: PortAuthority;
  settings?: Partial<Settings>;
  anyAddress?: boolean;
}

/** What the stack wants to send: its descriptor and, for whom it may concern, its bytes. */
export interface Sent {
  readonly words: Int32Array;
  readonly payload: Buffer;
  readonly packet: Uint8Array;
}

/** A stack with datagram sockets, whose packets pass by hand. */
export class DatagramHost {
  readonly core: StackCore;
  readonly paths: AddressPaths;
  readonly slabs = new SlabTable();
  readonly hashKey = Int32Array.of(0x1234567, 0x89abcd);
  now = 1_000_000;
  private readonly batch: SegmentBatch;
  private readonly incoming = new Uint8Array(65_535 + 40);
  private readonly incomingIndex: number;

  constructor(options: DatagramHostOptions = {}) {
    const { addresses = ADDRESSES, mtu = 1500, routes, batch = 8, udpPorts } = options;
    const { settings: tcp } = options;
    const prefixes = addresses.map(parsePrefix) as Prefix[];
    this.paths = new AddressPaths(prefixes, mtu, 65_536, routes, options.anyAddress);
    this.batch = new SegmentBatch(batch);
    this.incomingIndex = this.slabs.add(this.incoming);
    const environment = {
      random: new Xoshiro(1),
      ports: new FreePorts(),
      udpPorts,
      paths: this.paths,
      parse: parsePacket,
      allocate: (bytes: number) => new Uint8Array(bytes),
    };
    this.core = new StackCore(environment, this.slabs, this.hashKey, { tcp });
    this.core.advance(this.now);
  }

  /** A socket; bound if an end is given. */
  socket(domain: 4 | 6 = 4, address?: string, port = 0): DatagramSocket {
    const socket = this.core.datagramSocket(domain);
    if (address !== undefined) {
      const bound = socket.bind(ip(address), port);
      if (bound !== 0) throw new Error(`bind: ${bound}`);
    }
    return socket;
  }

  /** One batch of what is to be sent. */
  transmit(): Sent[] {
    const { batch, slabs } = this;
    batch.count = 0;
    this.core.transmit(batch, this.now);
    const sent: Sent[] = [];
    for (let i = 0; i < batch.count; i++) {
      const base = batch.base(i);
      const words = batch.words.slice(base, base + Word.Stride);
      const packet = new Uint8Array(packetLength(words, 0));
      const at = batch.sliceBase(base);
      if (buildPacket(words, 0, batch.slices, at, slabs.slabs, packet, 0) === 0) {
        throw new Error('the codec refuses a datagram of the core');
      }
      const payload = Buffer.from(packet.subarray(packet.length - words[Word.PayloadLength]));
      sent.push({ words, payload, packet });
    }
    return sent;
  }

  /** All that is to be sent. */
  flush(): Sent[] {
    const sent: Sent[] = [];
    while (this.core.hasOutput) sent.push(...this.transmit());
    return sent;
  }

  /** All that is to be sent, as it stands on the wire: fragments, where there are any. */
  flushWire(): Uint8Array[] {
    const { batch, slabs } = this;
    const packets: Uint8Array[] = [];
    while (this.core.hasOutput) {
      batch.count = 0;
      this.core.transmit(batch, this.now);
      for (let i = 0; i < batch.count; i++) {
        const base = batch.base(i);
        const bytes = new Uint8Array(packetsLength(batch.words, base));
        const at = batch.sliceBase(base);
        buildPackets(batch.words, base, batch.slices, at, slabs.slabs, bytes, 0);
        for (let start = 0, length; start < bytes.length; start += length) {
          const field = bytes[start] >>> 4 === 4 ? 2 : 4;
          length =
            ((bytes[start + field] << 8) | bytes[start + field + 1]) + (field === 4 ? 40 : 0);
          packets.push(bytes.slice(start, start + length));
        }
      }
    }
    return packets;
  }

  /**
   * A packet arrives.
   * @param gsoSize bytes of each datagram that it stands for
   */
  receive(packet: Uint8Array, gsoSize = 0): void {
    this.incoming.set(packet);
    const batch = new SegmentBatch(1);
    batch.push();
    const { incoming, incomingIndex, hashKey } = this;
    const { length } = packet;
    const result = parsePacket(incoming, incomingIndex, 0, length, batch.words, 0, hashKey);
    if (result !== ParseResult.Ok) throw new Error(`the codec refuses it: ${result}`);
    batch.words[Word.GsoSize] = gsoSize;
    this.core.onPacket(batch, 0, this.now);
  }
}

/** What arrives at the other end of a wire. */
export function pass(from: DatagramHost, to: DatagramHost): number {
  const sent = from.flush();
  for (const { packet } of sent) to.receive(packet);
  return sent.length;
}

/** A datagram as bytes, as a host that isn't under test sends it. */
export function datagram(
  from: string,
  sourcePort: number,
  to: string,
  port: number,
  payload: Uint8Array | string = 'x',
): Uint8Array {
  const host = new DatagramHost({ addresses: [`${from}/${from.includes(':') ? 64 : 24}`] });
  const socket = host.socket(from.includes(':') ? 6 : 4, from, sourcePort);
  const bytes = Buffer.from(payload);
  socket.setOption(DatagramOption.Broadcast, 1);
  const sent = socket.send(bytes, 0, bytes.length, ip(to), port);
  if (sent < 0) throw new Error(`send: ${sent}`);
  return host.flush()[0].packet;
}

/** The oldest datagram: 'text from address:port'; or -errno. */
export function read(socket: DatagramSocket): string | number {
  const info = new DatagramInfo();
  const bytes = socket.take(info);
  if (typeof bytes === 'number') return bytes;
  const from = formatAddress(readAddress(info.source, 0));
  return `${Buffer.from(bytes).toString()} from ${from}:${info.sourcePort}`;
}

/** Sends text; what `send` returns. */
export function say(socket: DatagramSocket, text: string, to?: string, port?: number): number {
  const bytes = Buffer.from(text);
  return socket.send(bytes, 0, bytes.length, to === undefined ? null : ip(to), port);
}
