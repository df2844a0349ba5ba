import type { Paths } from '../environment';
import { countIcmpOut } from '../icmp/icmp-counters';
import { Icmp6 } from '../icmp/icmp-error';
import { ANY6, ipv6, writeAddress, type IpAddress } from '../ip/address';
import type { OwnPackets } from '../ip/own-packets';
import { IcmpWord, IpProtocol, Option, Word } from '../segment/layout';
import type { Counters } from '../stack/counters';
import { codeValue, type GroupRecord, type Query, type ReportSender } from './group-reports';

const ALL_ROUTERS = ipv6(0xff020000, 0, 0, 2);
const ALL_MLD2_ROUTERS = ipv6(0xff020000, 0, 0, 0x16);
/** IP's header with the router alert, and ICMP's; a record without sources: bytes. */
const HEADERS = 40 + 8 + 8;
const RECORD = 20;
const ADDRESS = 16;
const MIN_MTU = 1280;
/** A query behind ICMP's header: of MLDv1, and of MLDv2 without sources. */
const QUERY1 = 16;
const QUERY2 = 20;
/** The scopes that are of no router's business: interface-local (and 0). */
const LEAST_SCOPE = 2;

/** Whether MLD tells of the group: neither of all nodes nor of what stays inside (RFC 3810 §6). */
export function isReported6({ w0, w1, w2, w3 }: IpAddress): boolean {
  if (((w0 >>> 16) & 15) < LEAST_SCOPE) return false;
  return !(w0 === (0xff020000 | 0) && w1 === 0 && w2 === 0 && w3 === 1);
}

/** Messages of MLD that a stack sends, from its link-local address or, without one, from ::. */
export class MldSender implements ReportSender {
  private isNameless = false;

  constructor(
    private readonly own: OwnPackets,
    private readonly paths: Paths,
    private readonly counters: Counters,
  ) {}

  report(records: readonly GroupRecord[]): void {
    const path = this.paths.routeToMany?.(ALL_MLD2_ROUTERS, null) ?? 0;
    const mtu = typeof path === 'number' ? MIN_MTU : path.mtu;
    const most = Math.max(1, Math.floor((mtu - HEADERS) / RECORD));
    for (let done = 0; done < records.length; done += most) {
      const part = records.slice(done, done + most);
      const bytes = new Uint8Array(RECORD * part.length);
      part.forEach(({ mode, group }, i) => {
        bytes[i * RECORD] = mode;
        store(bytes, i * RECORD + 4, group);
      });
      this.send(ALL_MLD2_ROUTERS, Icmp6.MulticastReport2, part.length, bytes);
    }
  }

  oldReport(group: IpAddress): void {
    this.sendOld(Icmp6.MulticastReport1, group, group);
  }

  leave(group: IpAddress): void {
    this.sendOld(Icmp6.MulticastDone, group, ALL_ROUTERS);
  }

  private sendOld(type: Icmp6, group: IpAddress, destination: IpAddress): void {
    const bytes = new Uint8Array(ADDRESS);
    store(bytes, 0, group);
    this.send(destination, type, 0, bytes);
  }

  private send(destination: IpAddress, type: Icmp6, rest: number, bytes: Uint8Array): void {
    const { own } = this;
    const base = own.push(bytes.length);
    if (base < 0) return;
    const { words } = own;
    words[base + Word.Family] = 6;
    words[base + Word.Protocol] = IpProtocol.Icmp6;
    words[base + Word.HopLimit] = 1;
    words[base + Word.Options] = Option.RouterAlert;
    words[base + IcmpWord.Kind] = type << 8;
    words[base + IcmpWord.Rest] = rest;
    writeAddress(this.source(), words, base + Word.Source);
    writeAddress(destination, words, base + Word.Destination);
    own.append(bytes, 0, bytes.length);
    countIcmpOut(this.counters, 6, type);
  }

  /** RFC 3590 §4. */
  private source(): IpAddress {
    const path = this.paths.routeToMany?.(ALL_ROUTERS, null) ?? 0;
    this.isNameless = typeof path === 'number' || !isLinkLocal(path.source.w0);
    return typeof path === 'number' || this.isNameless ? ANY6 : path.source;
  }

  get hasNewName(): boolean {
    return this.isNameless && this.source() !== ANY6;
  }
}

/** fe80::/10. @param word the first of the address */
function isLinkLocal(word: number): boolean {
  return word >>> 22 === 0x3fa;
}

/**
 * What a message, whose descriptor this is, tells a host: a query, or the group that another host
 * has reported; or nothing. It must come from the link: hop limit 1, a link-local source (RFC 3810
 * §6.2), and a query with a router alert.
 */
export function readMld(
  words: Int32Array,
  base: number,
  bytes: Uint8Array,
): Query | { heard: IpAddress } | null {
  const at = words[base + Word.PayloadOffset];
  const length = words[base + Word.PayloadLength];
  const type = words[base + IcmpWord.Kind] >>> 8;
  if (words[base + Word.HopLimit] !== 1 || length < ADDRESS) return null;
  if (!isLinkLocal(words[base + Word.Source])) return null;
  if (type === Icmp6.MulticastReport1) return { heard: load(bytes, at) };
  const hasAlert = (words[base + Word.Options] & Option.RouterAlert) !== 0;
  if (type !== Icmp6.MulticastQuery || !hasAlert) return null;
  return readQuery(bytes, at, length, words[base + IcmpWord.Rest] >>> 16);
}

/** RFC 3810 §8.1: the length tells the version. */
function readQuery(bytes: Uint8Array, at: number, length: number, code: number): Query | null {
  const address = load(bytes, at);
  const isGeneral = (address.w0 | address.w1 | address.w2 | address.w3) === 0;
  const group = isGeneral ? null : address;
  if (length === QUERY1) return { version: 2, group, maxDelay: code, robustness: 0, interval: 0 };
  if (length < QUERY2) return null;
  const sources = (bytes[at + 18] << 8) | bytes[at + 19];
  if (length < QUERY2 + ADDRESS * sources || (isGeneral && sources > 0)) return null;
  return {
    version: 3,
    group,
    maxDelay: Math.max(1, codeValue(code, 16)),
    robustness: bytes[at + 16] & 7,
    interval: codeValue(bytes[at + 17], 8) * 1000,
  };
}

function load(bytes: Uint8Array, at: number): IpAddress {
  const half = (i: number): number => (bytes[at + i] << 8) | bytes[at + i + 1];
  const word = (i: number): number => (half(i) << 16) | half(i + 2);
  return ipv6(word(0), word(4), word(8), word(12));
}

function store(bytes: Uint8Array, at: number, { w0, w1, w2, w3 }: IpAddress): void {
  const words = [w0, w1, w2, w3];
  for (let i = 0; i < ADDRESS; i++) bytes[at + i] = words[i >> 2] >>> (24 - 8 * (i & 3));
}
