import type { Path, Paths } from '../environment';
import { ipv4, writeAddress, type IpAddress } from '../ip/address';
import type { OwnPackets } from '../ip/own-packets';
import { IpProtocol, Option, Word } from '../segment/layout';
import { codeValue, type GroupRecord, type Query, type ReportSender } from './group-reports';

/** Messages (RFC 1112, RFC 2236 §2.1, RFC 9776 §4). */
const enum Type {
  Query = 0x11,
  Report1 = 0x12,
  Report2 = 0x16,
  Leave = 0x17,
  Report3 = 0x22,
}

const ALL_ROUTERS = ipv4(0xe0000002);
const ALL_IGMP3_ROUTERS = ipv4(0xe0000016);
/** Internetwork control (RFC 9776 §4). */
const PRECEDENCE = 0xc0;
/** IP's header with the router alert; that of a message; a record without sources: bytes. */
const IP_HEADER = 24;
const HEADER = 8;
const RECORD = 8;
const QUERY3 = 12;

/** Whether IGMP tells of the group: of that of all hosts never (RFC 9776 §6). */
export function isReported4({ w3 }: IpAddress, linkLocal: boolean): boolean {
  if (w3 === (0xe0000001 | 0)) return false;
  return linkLocal || w3 >>> 8 !== 0xe00000;
}

/** Messages of IGMP that a stack sends. Without an address there are none. */
export class IgmpSender implements ReportSender {
  private isNameless = false;

  constructor(
    private readonly own: OwnPackets,
    private readonly paths: Paths,
  ) {}

  get hasNewName(): boolean {
    return this.isNameless && this.pathTo(ALL_ROUTERS) !== null;
  }

  private pathTo(destination: IpAddress): Path | null {
    const path = this.paths.routeToMany?.(destination, null) ?? 0;
    this.isNameless = typeof path === 'number';
    return typeof path === 'number' ? null : path;
  }

  report(records: readonly GroupRecord[]): void {
    const path = this.pathTo(ALL_IGMP3_ROUTERS);
    if (path === null) return;
    const most = Math.max(1, Math.floor((path.mtu - IP_HEADER - HEADER) / RECORD));
    for (let done = 0; done < records.length; done += most) {
      const part = records.slice(done, done + most);
      const bytes = new Uint8Array(HEADER + RECORD * part.length);
      bytes[0] = Type.Report3;
      bytes[6] = part.length >>> 8;
      bytes[7] = part.length;
      part.forEach(({ mode, group }, i) => {
        bytes[HEADER + i * RECORD] = mode;
        store(bytes, HEADER + i * RECORD + 4, group.w3);
      });
      this.send(ALL_IGMP3_ROUTERS, path.source, bytes);
    }
  }

  oldReport(group: IpAddress, version: 1 | 2): void {
    this.sendOld(version === 1 ? Type.Report1 : Type.Report2, group, group);
  }

  leave(group: IpAddress): void {
    this.sendOld(Type.Leave, group, ALL_ROUTERS);
  }

  private sendOld(type: Type, group: IpAddress, destination: IpAddress): void {
    const path = this.pathTo(destination);
    if (path === null) return;
    const bytes = new Uint8Array(HEADER);
    bytes[0] = type;
    store(bytes, 4, group.w3);
    this.send(destination, path.source, bytes);
  }

  private send(destination: IpAddress, source: IpAddress, bytes: Uint8Array): void {
    const { own } = this;
    const sum = ~sumOf(bytes, 0, bytes.length);
    bytes[2] = sum >>> 8;
    bytes[3] = sum;
    const base = own.push(bytes.length);
    if (base < 0) return;
    const { words } = own;
    words[base + Word.Family] = 4;
    words[base + Word.Protocol] = IpProtocol.Igmp;
    words[base + Word.HopLimit] = 1;
    words[base + Word.TrafficClass] = PRECEDENCE;
    words[base + Word.Options] = Option.RouterAlert;
    writeAddress(source, words, base + Word.Source);
    writeAddress(destination, words, base + Word.Destination);
    own.append(bytes, 0, bytes.length);
  }
}

/** What a message tells a host: a query, or which group another host has reported; or nothing. */
export function readIgmp(
  bytes: Uint8Array,
  at: number,
  length: number,
): Query | { heard: IpAddress } | null {
  if (length < HEADER || sumOf(bytes, at, length) !== 0xffff) return null;
  const word = load(bytes, at + 4);
  switch (bytes[at] as Type) {
    case Type.Query:
      return readQuery(bytes, at, length, word);
    case Type.Report1:
    case Type.Report2:
      return { heard: ipv4(word) };
    default:
      return null;
  }
}

/** RFC 9776 §7.1: length and code tell the version. Times are tenths of a second. */
function readQuery(bytes: Uint8Array, at: number, length: number, word: number): Query | null {
  const code = bytes[at + 1];
  const group = word === 0 ? null : ipv4(word);
  const older = { robustness: 0, interval: 0 };
  if (length === HEADER) {
    if (code === 0) return { version: 1, group: null, maxDelay: 0, ...older };
    return { version: 2, group, maxDelay: code * 100, ...older };
  }
  if (length < QUERY3) return null;
  const sources = (bytes[at + 10] << 8) | bytes[at + 11];
  if (length < QUERY3 + 4 * sources || (group === null && sources > 0)) return null;
  return {
    version: 3,
    group,
    maxDelay: Math.max(1, codeValue(code, 8) * 100),
    robustness: bytes[at + 8] & 7,
    interval: codeValue(bytes[at + 9], 8) * 1000,
  };
}

function load(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

function store(bytes: Uint8Array, at: number, word: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = word >>> (24 - 8 * i);
}

/** The Internet checksum's sum (RFC 1071). */
function sumOf(bytes: Uint8Array, at: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (i & 1) === 0 ? bytes[at + i] << 8 : bytes[at + i];
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}
