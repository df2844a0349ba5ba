import { buildPacket, packetLength } from '../../lib/codec/build';
import {
  ARP_LENGTH,
  ETHERNET_HEADER,
  parseFrame,
  writeArp,
  writeFrameHeader,
} from '../../lib/codec/frame';
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import {
  formatAddress,
  parseAddress,
  parsePrefix,
  readAddress,
  writeAddress,
  type IpAddress,
  type Prefix,
} from '../../lib/core/ip/address';
import { AddressPaths } from '../../lib/core/ip/paths';
import type { RouteOptions } from '../../lib/core/ip/routes';
import { SlabTable } from '../../lib/core/memory/slabs';
import type { Neighborhood, NeighborhoodOptions } from '../../lib/core/neighbor/neighborhood';
import { Xoshiro } from '../../lib/core/random/xoshiro';
import { SegmentBatch } from '../../lib/core/segment/batch';
import { ArpWord, BuildWord, IcmpWord, IpProtocol, Word } from '../../lib/core/segment/layout';
import { FreePorts } from '../../lib/core/stack/free-ports';
import { StackCore } from '../../lib/core/stack/stack-core';

const KEY = Int32Array.of(7, -9);
/** One way, µs. */
const DELAY = 100;
const MTU = 1500;

export interface EthernetHostOptions extends Partial<NeighborhoodOptions> {
  /** Last byte of its hardware address, 02:00:00:00:00:xx. */
  readonly id: number;
  readonly own?: readonly string[];
  readonly routes?: readonly RouteOptions[];
}

/** A stack on a shared Ethernet. */
export class EthernetHost {
  readonly core: StackCore;
  readonly paths: AddressPaths;
  readonly neighborhood: Neighborhood;
  readonly slabs = new SlabTable();
  /** Its hardware address as the codec has it. */
  readonly hardware: Int32Array;
  isDown = false;
  private readonly incoming = new Uint8Array(70_000);
  private readonly incomingIndex: number;
  private readonly batch = new SegmentBatch(16);
  private readonly arrived = new SegmentBatch(1);

  constructor({ id, own = [], routes = [], ...rest }: EthernetHostOptions) {
    const addresses = own.map((text) => parsePrefix(text) as Prefix);
    this.hardware = Int32Array.of(0x0200, id);
    this.paths = new AddressPaths(addresses, MTU, 65_536, routes);
    this.incomingIndex = this.slabs.add(this.incoming);
    const random = new Xoshiro(id);
    this.core = new StackCore(
      {
        random,
        paths: this.paths,
        ports: new FreePorts(),
        parse: parsePacket,
        allocate: (bytes) => new Uint8Array(bytes),
      },
      this.slabs,
      KEY,
      {
        neighborhood: {
          hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, id),
          paths: this.paths,
          addresses,
          autoconf: false,
          ...rest,
        },
      },
    );
    this.neighborhood = this.core.neighborhood as Neighborhood;
  }

  /** What it sends now, as frames. */
  collect(now: number): Uint8Array[] {
    const { core, batch, slabs } = this;
    const frames: Uint8Array[] = [];
    core.advance(now);
    do {
      batch.count = 0;
      core.transmit(batch, now);
      for (let i = 0; i < batch.count; i++) {
        const base = batch.base(i);
        frames.push(this.build(batch, base, slabs.slabs));
      }
    } while (core.mustTransmit || batch.count > 0);
    return frames;
  }

  private build({ words, slices }: SegmentBatch, base: number, slabs: Uint8Array[]): Uint8Array {
    const isArp = words[base + Word.Protocol] === IpProtocol.Arp;
    const length = isArp ? ARP_LENGTH : packetLength(words, base);
    const frame = new Uint8Array(ETHERNET_HEADER + length);
    writeFrameHeader(words, base, this.hardware, frame, 0);
    if (isArp) {
      writeArp(words, base, this.hardware, frame, ETHERNET_HEADER);
      return frame;
    }
    const at = (base / Word.Stride) * (slices.length / (words.length / Word.Stride));
    if (buildPacket(words, base, slices, at, slabs, frame, ETHERNET_HEADER) === 0) {
      throw new Error('the codec refuses a packet of the core');
    }
    return frame;
  }

  deliver(frame: Uint8Array, now: number): void {
    if (this.isDown) return;
    this.incoming.set(frame);
    const { words } = this.arrived;
    const { incoming, incomingIndex, hardware } = this;
    const result = parseFrame(incoming, incomingIndex, 0, frame.length, words, 0, KEY, hardware);
    if (result !== ParseResult.Ok || words[Word.Family] === 0) return;
    this.core.onPacket(this.arrived, 0, now);
  }
}

/** Hosts on one Ethernet, under virtual time. */
export class EthernetLab {
  now = 0;
  /** Frames as they were sent, by `describe`. */
  readonly log: string[] = [];
  /** False: the frame is lost. */
  filter: ((frame: Uint8Array) => boolean) | null = null;
  private flights: { at: number; from: EthernetHost | null; frame: Uint8Array }[] = [];

  constructor(readonly hosts: EthernetHost[]) {}

  /** A frame of somebody else's. */
  inject(frame: Uint8Array): void {
    this.flights.push({ at: this.now + DELAY, from: null, frame });
  }

  private collect(): void {
    for (const from of this.hosts) {
      for (const frame of from.collect(this.now)) {
        if (from.isDown) continue;
        this.log.push(`${Math.round(this.now / 1000)} ${describe(frame)}`);
        if (this.filter !== null && !this.filter(frame)) continue;
        this.flights.push({ at: this.now + DELAY, from, frame });
      }
    }
  }

  /** @param ms that pass */
  run(ms: number): void {
    const end = this.now + ms * 1000;
    for (;;) {
      this.collect();
      const next = Math.min(
        ...this.hosts.map(({ core }) => core.nextDeadline()),
        ...this.flights.map(({ at }) => at),
      );
      if (next > end) break;
      this.now = Math.max(this.now, next);
      const due = this.flights.filter(({ at }) => at <= this.now);
      this.flights = this.flights.filter(({ at }) => at > this.now);
      for (const { from, frame } of due) {
        for (const host of this.hosts) if (host !== from) host.deliver(frame, this.now);
      }
      for (const { core } of this.hosts) {
        core.advance(this.now);
        if (core.nextDeadline() <= this.now) core.onTimer(this.now);
      }
    }
    this.now = end;
    for (const { core } of this.hosts) core.advance(end);
  }

  /** What was logged since the last time, without times, and without what MLD tells routers. */
  take(): string[] {
    const lines = this.log.splice(0).filter((line) => !line.endsWith('> ff02::16'));
    return lines.map((line) => line.slice(line.indexOf(' ') + 1));
  }
}

const words = new Int32Array(Word.Stride);

/** A frame in short: `to: what`. */
export function describe(frame: Uint8Array): string {
  const to = hex(frame.subarray(0, 6));
  const receiver = Int32Array.of((frame[0] << 8) | frame[1], readInt(frame, 2));
  parseFrame(frame, 0, 0, frame.length, words, 0, KEY, receiver);
  const source = formatAddress(readAddress(words, Word.Source));
  const target = formatAddress(readAddress(words, Word.Destination));
  return `${to}: ${contents(frame, source, target)}`;
}

const NDP = ['rs', 'ra', 'ns', 'na', 'redirect'];

function contents(frame: Uint8Array, source: string, target: string): string {
  const kind = words[IcmpWord.Kind];
  if (words[Word.Protocol] === IpProtocol.Arp) {
    const from = hex(Uint8Array.of(words[ArpWord.SenderLow]));
    return kind === 1 ? `who-has ${target} tell ${source}` : `${source} is-at ${from}`;
  }
  const isIcmp6 = words[Word.Protocol] === IpProtocol.Icmp6;
  if (!isIcmp6 || kind >>> 8 < 133) return `ip ${source} > ${target} ${words[Word.Protocol]}`;
  const at = words[Word.PayloadOffset];
  const about = NDP[(kind >>> 8) - 133];
  if (about !== 'ns' && about !== 'na') return `${about} ${source} > ${target}`;
  const who = Int32Array.of(0, 4, 8, 12).map((i) => readInt(frame, at + i));
  const flags = about === 'na' ? ` ${(words[IcmpWord.Rest] >>> 29).toString(2)}` : '';
  return `${about} ${source} > ${target} ${formatAddress(readAddress(who, 0))}${flags}`;
}

function readInt(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^0200000000/, '');
}

/** A message of ICMPv6 from the host with that last byte of its hardware address to all. */
export function icmp6Frame(
  id: number,
  [source, destination]: readonly [string, string],
  [type, rest]: readonly [number, number],
  payload: Uint8Array,
  hopLimit = 255,
): Uint8Array {
  const descriptor = new Int32Array(Word.Stride);
  descriptor[Word.Family] = 6;
  descriptor[Word.Protocol] = IpProtocol.Icmp6;
  descriptor[Word.HopLimit] = hopLimit;
  descriptor[IcmpWord.Kind] = type << 8;
  descriptor[IcmpWord.Rest] = rest;
  descriptor[Word.PayloadLength] = payload.length;
  descriptor[Word.SliceCount] = 1;
  writeAddress(parseAddress(source) as IpAddress, descriptor, Word.Source);
  writeAddress(parseAddress(destination) as IpAddress, descriptor, Word.Destination);
  descriptor[BuildWord.MacHigh] = 0xffff;
  descriptor[BuildWord.MacLow] = -1;
  const frame = new Uint8Array(ETHERNET_HEADER + 48 + payload.length);
  writeFrameHeader(descriptor, 0, Int32Array.of(0x0200, id), frame, 0);
  const slices = Int32Array.of(0, 0, payload.length);
  buildPacket(descriptor, 0, slices, 0, [payload], frame, ETHERNET_HEADER);
  return frame;
}

/** An ARP packet to all. */
export function arpFrame(id: number, operation: number, source: string, target: string) {
  const descriptor = new Int32Array(Word.Stride);
  descriptor[Word.Family] = 4;
  descriptor[Word.Protocol] = IpProtocol.Arp;
  descriptor[IcmpWord.Kind] = operation;
  writeAddress(parseAddress(source) as IpAddress, descriptor, Word.Source);
  writeAddress(parseAddress(target) as IpAddress, descriptor, Word.Destination);
  descriptor[BuildWord.MacHigh] = 0xffff;
  descriptor[BuildWord.MacLow] = -1;
  const frame = new Uint8Array(ETHERNET_HEADER + ARP_LENGTH);
  writeFrameHeader(descriptor, 0, Int32Array.of(0x0200, id), frame, 0);
  writeArp(descriptor, 0, Int32Array.of(0x0200, id), frame, ETHERNET_HEADER);
  return frame;
}

/** The bytes of 32-bit words. */
export function bytesOf(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((v) => [v >>> 24, v >>> 16, v >>> 8, v]));
}
