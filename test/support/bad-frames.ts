import { icmpError } from '../../lib/codec/build-icmp';
import { buildReceived } from '../../lib/codec/build-received';
import { fold, sumBytes } from '../../lib/codec/checksum';
import { ETHERNET_HEADER } from '../../lib/codec/frame';
import { parseAddress, writeAddress, type IpAddress } from '../../lib/core/ip/address';
import {
  Flag,
  IcmpWord,
  IpProtocol,
  MAY_FRAGMENT,
  MORE_FRAGMENTS,
  Word,
} from '../../lib/core/segment/layout';
import { arpFrame, bytesOf } from './ethernet';
import { QuickRandom, repairIpv4 } from './packets';

const ip = (text: string): IpAddress => parseAddress(text) as IpAddress;
const MAC = [2, 0, 0, 0, 0, 1];

/** Whom the frames are for, and what it has open. */
export interface Aim {
  readonly own4: string;
  readonly own6: string;
  readonly linkLocal: string;
  /** Last byte of its hardware address. */
  readonly id: number;
  /** Of TCP and UDP sockets. */
  readonly port: number;
  readonly group4: string;
  readonly group6: string;
}

type Change = (words: Int32Array) => void;

const NO_PAYLOAD = new Uint8Array(0);

/** A packet with right checksums. */
function packet(
  [source, destination]: readonly [string, string],
  protocol: number,
  payload: Uint8Array,
  change: Change = () => undefined,
): Uint8Array {
  const words = new Int32Array(Word.Stride);
  const is4 = !source.includes(':');
  words[Word.Family] = is4 ? 4 : 6;
  words[Word.Protocol] = protocol;
  words[Word.HopLimit] = 255;
  if (is4) words[Word.Identification] = MAY_FRAGMENT;
  writeAddress(ip(source), words, Word.Source);
  writeAddress(ip(destination), words, Word.Destination);
  words[Word.PayloadLength] = payload.length;
  change(words);
  return buildReceived(words, payload);
}

/** Sets words by their numbers. */
function set(...pairs: readonly (readonly [number, number])[]): Change {
  return (words) => {
    for (const [word, value] of pairs) words[word] = value;
  };
}

const icmp = (type: number, rest = 0): Change =>
  set([IcmpWord.Kind, type << 8], [IcmpWord.Rest, rest]);

/** An option of neighbour discovery: type, and the words behind it. */
function option(type: number, length: number, ...words: number[]): Uint8Array {
  const bytes = bytesOf((type << 24) | (length << 16), ...words);
  const padded = new Uint8Array(8 * length);
  padded.set(bytes.subarray(0, padded.length));
  return padded;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function addressBytes(text: string): Uint8Array {
  const { w0, w1, w2, w3 } = ip(text);
  return text.includes(':') ? bytesOf(w0, w1, w2, w3) : bytesOf(w3);
}

/** Neighbour discovery and MLD. */
function linkMessages({ own6, linkLocal, group6 }: Aim): Uint8Array[] {
  const near = 'fe80::77';
  const [hardware, target] = [option(1, 1, 0x77), option(2, 1, 0x77)];
  const prefix = option(3, 4, 3600, 1800, 0, 0xfd000001 | 0, 0, 0, 0);
  prefix.set([64, 0xc0], 2);
  const announced = join(bytesOf(30_000, 1000), hardware, option(5, 1, 1400), prefix);
  const of = (to: string, type: number, rest: number, payload: Uint8Array, from = near) =>
    packet([from, to], IpProtocol.Icmp6, payload, icmp(type, rest));
  const own = addressBytes(own6);
  return [
    of(own6, 135, 0, join(own, hardware), 'fd00::77'),
    of('ff02::1:ff00:2', 135, 0, own, '::'),
    of(linkLocal, 136, 0x60000000, join(addressBytes('fd00::77'), target)),
    of('ff02::1', 136, 0x20000000, join(own, target)),
    of('ff02::1', 134, 0x40000000 | 1800, announced),
    of(linkLocal, 134, 0x40080000 | 9, join(announced, option(24, 2, 9, 0xfd000002 | 0))),
    of('ff02::2', 133, 0, hardware),
    of(own6, 137, 0, join(addressBytes(near), addressBytes('2001:db8::1'), target)),
    of('ff02::1', 130, 1000 << 16, new Uint8Array(16)),
    of('ff02::1', 130, 1000 << 16, join(new Uint8Array(16), bytesOf(0x027d0000))),
    of(group6, 130, 100 << 16, join(addressBytes(group6), bytesOf(0x02010001), own)),
    of(group6, 131, 0, addressBytes(group6)),
    of('ff02::16', 143, 1, join(bytesOf(0x04000000), addressBytes(group6))),
  ];
}

/** IGMP: the whole message is payload, and its checksum made right afterwards. */
function groupMessages({ own4, group4 }: Aim): Uint8Array[] {
  const group = addressBytes(group4);
  const of = (to: string, ...parts: Uint8Array[]) =>
    packet(['10.0.0.77', to], IpProtocol.Igmp, join(...parts), set([Word.HopLimit, 1]));
  return [
    of('224.0.0.1', bytesOf(0x11640000, 0)),
    of('224.0.0.1', bytesOf(0x11640000, 0, 0x027d0000)),
    of(group4, bytesOf(0x110a0000), group, bytesOf(0x027d0001, 0x0a000009)),
    of(group4, bytesOf(0x16000000), group),
    of(own4, bytesOf(0x12000000), group),
  ];
}

/** Requests and errors, of which some quote what the stack may have sent. */
function icmpMessages({ own4, own6, port }: Aim): Uint8Array[] {
  const echo = new Uint8Array(56);
  const [of4, of6] = [['10.0.0.77', own4] as const, ['fd00::77', own6] as const];
  const ports = set([Word.SourcePort, port], [Word.DestinationPort, 9]);
  const quoted = [own4, own6].flatMap((own, i) => {
    const ends = [own, i === 0 ? '10.0.0.1' : 'fd00::1'] as const;
    const udp = packet(ends, IpProtocol.Udp, echo, ports);
    return [udp, packet(ends, IpProtocol.Tcp, NO_PAYLOAD, ports)];
  });
  const errors = quoted.flatMap((each) => {
    const is4 = each[0] >>> 4 === 4;
    const from = ip(is4 ? '10.0.0.1' : 'fd00::1');
    const kinds = is4
      ? [
          [3, 3],
          [3, 4],
          [11, 1],
          [12, 0],
          [5, 1],
        ]
      : [
          [1, 4],
          [2, 0],
          [3, 1],
          [4, 1],
        ];
    return kinds.map(([type, code]) => icmpError(from, each, { type, code, mtu: 1280 }));
  });
  return [
    ...errors,
    packet(of4, IpProtocol.Icmp, echo, icmp(8, 77)),
    packet(['10.0.0.77', '10.0.0.255'], IpProtocol.Icmp, echo, icmp(8)),
    packet(of4, IpProtocol.Icmp, new Uint8Array(12), icmp(13)),
    packet(of6, IpProtocol.Icmp6, echo, icmp(128, 77)),
    packet(['fd00::77', 'ff02::1'], IpProtocol.Icmp6, echo, icmp(128)),
    packet(of4, 99, echo),
    packet(of6, 99, echo),
  ];
}

/** TCP, UDP, and fragments of it, to an open port or a closed one. */
function transport({ own4, own6, port, group4, group6 }: Aim): Uint8Array[] {
  const text = new Uint8Array(200);
  const to = (destinationPort: number): Change =>
    set([Word.SourcePort, 7777], [Word.DestinationPort, destinationPort]);
  const flags =
    (value: Flag): Change =>
    (words) => {
      to(port)(words);
      words[Word.Flags] = value;
    };
  const part = (place: number): Change => set([Word.Fragment, place], [Word.Identification, 5]);
  return [own4, own6].flatMap((own, i) => {
    const ends = [i === 0 ? '10.0.0.77' : 'fd00::77', own] as const;
    const group = [ends[0], i === 0 ? group4 : group6] as const;
    const whole = packet(ends, IpProtocol.Udp, text, to(port)).subarray(i === 0 ? 20 : 40);
    return [
      packet(ends, IpProtocol.Tcp, NO_PAYLOAD, flags(Flag.SYN)),
      packet(ends, IpProtocol.Tcp, text, flags(Flag.ACK)),
      packet(ends, IpProtocol.Tcp, text, flags(Flag.SYN | Flag.FIN)),
      packet(ends, IpProtocol.Udp, text, to(port)),
      packet(ends, IpProtocol.Udp, text, to(port + 1)),
      packet(group, IpProtocol.Udp, text, to(port)),
      packet(group, IpProtocol.Udp, text, to(port + 1)),
      packet(ends, IpProtocol.Udp, whole.subarray(0, 104), part(MORE_FRAGMENTS)),
      packet(ends, IpProtocol.Udp, whole.subarray(104), part(104)),
    ];
  });
}

/** Where the next bytes belong of a frame of each family. */
const ADDRESSES = { 4: 26, 6: 22 } as const;

/** Makes frames of every kind for one host, sound and mutated, their checksums mostly right. */
export class BadFrames {
  private readonly templates: readonly Uint8Array[];
  private readonly bytes = new Uint8Array(2048);

  constructor(
    private readonly random: QuickRandom,
    private readonly aim: Aim,
  ) {
    const packets = [
      ...linkMessages(aim),
      ...groupMessages(aim),
      ...icmpMessages(aim),
      ...transport(aim),
    ];
    this.templates = [
      ...packets.map((each) => this.frame(each)),
      ...[1, 2].map((operation) => arpFrame(1, operation, '10.0.0.77', aim.own4)),
    ];
  }

  private below(n: number): number {
    return (this.random.next() >>> 0) % n;
  }

  private frame(of: Uint8Array): Uint8Array {
    const frame = new Uint8Array(ETHERNET_HEADER + of.length);
    frame.set([2, 0, 0, 0, 0, this.aim.id, ...MAC, ...(of[0] >>> 4 === 4 ? [8, 0] : [0x86, 0xdd])]);
    frame.set(of, ETHERNET_HEADER);
    return frame;
  }

  /** The next frame; its memory is used again. */
  next(): Uint8Array {
    const template = this.templates[this.below(this.templates.length)];
    const { bytes } = this;
    bytes.set(template);
    let { length } = template;
    const isIp = bytes[12] !== 8 || bytes[13] === 0;
    const isIp4 = isIp && bytes[12] === 8;
    if (this.below(8) === 0) bytes.fill(0xff, 0, 6);
    if (isIp && this.below(4) > 0) this.change(isIp4, length);
    if (!isIp) bytes[14 + this.below(28)] = this.value();
    if (isIp4 && this.below(8) === 0) length = this.addOptions(length);
    else if (this.below(16) === 0) length = this.cut(length, isIp, isIp4);
    if (isIp && this.below(16) > 0) repair(bytes.subarray(0, length));
    return bytes.subarray(0, length);
  }

  private value(): number {
    const values = [0, 1, 0xff, 0x80, 8];
    const at = this.below(2 * values.length);
    return at < values.length ? values[at] : this.below(256);
  }

  /** Other bytes behind the IP header, another sender, another fragment. */
  private change(is4: boolean, length: number): void {
    const { bytes } = this;
    const start = ETHERNET_HEADER + (is4 ? 20 : 40);
    for (let n = this.below(4); n > 0; n--) {
      bytes[start + this.below(Math.min(72, length - start))] = this.value();
    }
    const source = ADDRESSES[is4 ? 4 : 6];
    if (this.below(3) === 0) {
      for (let at = source + (is4 ? 2 : 12); at < source + (is4 ? 4 : 16); at++) {
        bytes[at] = this.below(256);
      }
    } else if (this.below(20) === 0) {
      bytes[source + this.below(is4 ? 4 : 16)] = this.value();
    }
    if (this.below(20) === 0)
      bytes[source + (is4 ? 4 : 16) + this.below(is4 ? 4 : 16)] = this.value();
    if (this.below(10) === 0) bytes[ETHERNET_HEADER + this.below(is4 ? 10 : 8)] = this.value();
  }

  private addOptions(length: number): number {
    const { bytes } = this;
    const added = 4 * (1 + this.below(10));
    const at = ETHERNET_HEADER + 20;
    bytes.copyWithin(at + added, at, length);
    const kinds = [0, 1, 1, 7, 68, 131, 137, 148, 3, 4, 8, this.below(256)];
    for (let i = at; i < at + added; i++) bytes[i] = kinds[this.below(kinds.length)];
    bytes[ETHERNET_HEADER] = 0x45 + added / 4;
    setLength(bytes, 2, length + added - ETHERNET_HEADER);
    return length + added;
  }

  private cut(length: number, isIp: boolean, is4: boolean): number {
    const header = ETHERNET_HEADER + (is4 ? 20 : 40);
    if (!isIp) return this.below(length);
    const left = header + this.below(length - header + 1);
    if (is4) setLength(this.bytes, 2, left - ETHERNET_HEADER);
    else setLength(this.bytes, 4, left - header);
    return left;
  }
}

function setLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[ETHERNET_HEADER + at] = length >>> 8;
  bytes[ETHERNET_HEADER + at + 1] = length;
}

/** Where the checksum of each protocol is. */
const CHECKSUMS: Readonly<Record<number, number>> = {
  [IpProtocol.Icmp]: 2,
  [IpProtocol.Igmp]: 2,
  [IpProtocol.Tcp]: 16,
  [IpProtocol.Udp]: 6,
  [IpProtocol.Icmp6]: 2,
};

/** Makes the checksums right of what is no fragment. */
function repair(frame: Uint8Array): void {
  const bytes = frame.subarray(ETHERNET_HEADER);
  const is4 = bytes[0] >>> 4 === 4;
  if (is4) repairIpv4(bytes, 0, bytes.length);
  const header = is4 ? 4 * (bytes[0] & 15) : 40;
  const protocol = bytes[is4 ? 9 : 6];
  const at = header + CHECKSUMS[protocol];
  // Of another protocol it is NaN.
  if (!(at + 1 < bytes.length)) return;
  const length = bytes.length - header;
  bytes[at] = bytes[at + 1] = 0;
  let sum = sumBytes(bytes, header, length);
  if (!is4 || protocol === IpProtocol.Tcp || protocol === IpProtocol.Udp) {
    const from = is4 ? 12 : 8;
    sum += sumBytes(bytes, from, is4 ? 8 : 32) + protocol + length;
  }
  const checksum = ~fold(sum) & 0xffff;
  bytes[at] = checksum >>> 8;
  bytes[at + 1] = checksum;
}
