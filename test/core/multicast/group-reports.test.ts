import fc from 'fast-check';
import { buildReceived } from '../../../lib/codec/build-received';
import {
  formatAddress,
  parsePrefix,
  readAddress,
  writeAddress,
  type Prefix,
} from '../../../lib/core/ip/address';
import { codeValue } from '../../../lib/core/multicast/group-reports';
import { IcmpWord, Option, Word } from '../../../lib/core/segment/layout';
import type { Settings } from '../../../lib/core/tcp/settings';
import { DatagramHost, ip } from '../../support/datagrams';

const SECOND = 1_000_000;
const GROUP4 = '239.1.2.3';
const GROUP6 = 'ff15::123';
type Family = 4 | 6;

const MODES: Record<number, string> = { 2: 'IS_EX', 3: 'TO_IN', 4: 'TO_EX' };
const OLD4: Record<number, string> = { 0x12: 'v1 report', 0x16: 'v2 report', 0x17: 'leave' };
const OLD6: Record<number, string> = { 131: 'v2 report', 132: 'leave' };

function sum(bytes: Buffer): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += bytes.readUInt16BE(i);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

/** A host in the groups of one family, what it says, and a querier beside it. */
class Lab {
  readonly host: DatagramHost;
  private readonly start: number;

  constructor(
    readonly family: Family,
    settings: Partial<Settings> = {},
    addresses = ['10.0.0.2/24', 'fe80::2/64', 'fd00::2/64'],
  ) {
    this.host = new DatagramHost({ addresses, settings });
    this.start = this.host.now;
  }

  get group(): string {
    return this.family === 4 ? GROUP4 : GROUP6;
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (this.host.now - this.start) / SECOND;
  }

  join(...groups: string[]): void {
    for (const group of groups) this.host.core.ip.groups.join(ip(group));
  }

  leave(...groups: string[]): void {
    for (const group of groups) this.host.core.ip.groups.leave(ip(group));
  }

  /** Lets time pass; what was said, with the seconds at which it was. */
  pass(seconds: number): [number, string][] {
    const { host } = this;
    const end = host.now + seconds * SECOND;
    const said = this.said().map((line): [number, string] => [this.seconds, line]);
    for (;;) {
      const next = host.core.nextDeadline();
      if (next > end) break;
      host.now = Math.max(host.now, next);
      host.core.onTimer(host.now);
      for (const line of this.said()) said.push([this.seconds, line]);
    }
    host.now = end;
    host.core.advance(end);
    return said;
  }

  /** Lets time pass, whatever is said. */
  quietly(seconds: number): void {
    const { host } = this;
    host.now += seconds * SECOND;
    host.core.onTimer(host.now);
    host.flush();
  }

  /** The same without times. */
  lines(seconds: number): string[] {
    return this.pass(seconds).map(([, line]) => line);
  }

  private said(): string[] {
    return this.host.flush().map(({ words, payload }) => {
      expect(words[Word.HopLimit]).toBe(1);
      expect(words[Word.Options] & Option.RouterAlert).not.toBe(0);
      const to = formatAddress(readAddress(words, Word.Destination));
      const from = formatAddress(readAddress(words, Word.Source));
      if (this.family === 4) {
        expect([from, words[Word.TrafficClass], sum(payload)]).toEqual(['10.0.0.2', 0xc0, 0xffff]);
        return `${to}: ${read4(payload)}`;
      }
      expect(from).toBe('fe80::2');
      return `${to}: ${read6(words[IcmpWord.Kind] >> 8, words[IcmpWord.Rest], payload)}`;
    });
  }

  /** A query of that version. @param seconds longest delay of the answer */
  ask(version: 1 | 2 | 3, seconds: number, group: string | null = null, robustness = 0): void {
    const { family } = this;
    const all = family === 4 ? '224.0.0.1' : 'ff02::1';
    const payload = family === 4 ? query4(version, seconds, group) : query6(version, group);
    if (version === 3) payload[payload.length - 4] = robustness;
    if (family === 4) payload.writeUInt16BE(~sum(payload) & 0xffff, 2);
    const kind = family === 4 ? 0 : 130 << 8;
    this.host.receive(message(family, group ?? all, payload, kind, (seconds * 1000) << 16));
  }

  /** Another host reports the group, in the second version. */
  hear(group: string): void {
    const payload = this.family === 4 ? query4(2, 0, group) : query6(2, group);
    if (this.family === 4) {
      payload[0] = 0x16;
      payload.writeUInt16BE(~sum(payload) & 0xffff, 2);
    }
    this.host.receive(message(this.family, group, payload, this.family === 4 ? 0 : 131 << 8));
  }
}

/** Of records: 'TO_EX 239.1.2.3'. */
function records(bytes: Buffer, count: number, at: number, size: number): string {
  expect(bytes.length).toBe(at + count * (4 + size));
  return Array.from({ length: count }, (_, i) => {
    const record = bytes.subarray(at + i * (4 + size));
    expect([record[1], record[2], record[3]]).toEqual([0, 0, 0]);
    return `${MODES[record[0]]} ${addressOf(record.subarray(4, 4 + size))}`;
  }).join(', ');
}

function addressOf(bytes: Buffer): string {
  const words = Int32Array.of(0, 0, 0xffff, 0);
  const first = bytes.length === 4 ? 3 : 0;
  for (let i = 0; i < bytes.length / 4; i++) words[first + i] = bytes.readInt32BE(i * 4);
  return formatAddress(readAddress(words, 0));
}

function read4(bytes: Buffer): string {
  if (bytes[0] === 0x22) return records(bytes, bytes.readUInt16BE(6), 8, 4);
  expect(bytes.length).toBe(8);
  return `${OLD4[bytes[0]]} ${addressOf(bytes.subarray(4))}`;
}

function read6(type: number, rest: number, bytes: Buffer): string {
  if (type === 143) return records(bytes, rest, 0, 16);
  expect(bytes.length).toBe(16);
  return `${OLD6[type]} ${addressOf(bytes)}`;
}

function query4(version: 1 | 2 | 3, seconds: number, group: string | null): Buffer {
  const bytes = Buffer.alloc(version === 3 ? 12 : 8);
  bytes.set([0x11, version === 1 ? 0 : seconds * 10]);
  if (group !== null) bytes.writeInt32BE(ip(group).w3, 4);
  return bytes;
}

function query6(version: 1 | 2 | 3, group: string | null): Buffer {
  const bytes = Buffer.alloc(version === 3 ? 20 : 16);
  if (group === null) return bytes;
  const { w0, w1, w2, w3 } = ip(group);
  [w0, w1, w2, w3].forEach((word, i) => bytes.writeInt32BE(word, i * 4));
  return bytes;
}

function message(
  family: Family,
  to: string,
  payload: Uint8Array,
  kind = 0,
  rest = 0,
  change: (words: Int32Array) => void = () => {},
): Uint8Array {
  const words = new Int32Array(Word.Stride);
  words[Word.Family] = family;
  words[Word.Protocol] = family === 4 ? 2 : 58;
  words[Word.HopLimit] = 1;
  words[Word.Options] = Option.RouterAlert;
  writeAddress(ip(family === 4 ? '10.0.0.1' : 'fe80::1'), words, Word.Source);
  writeAddress(ip(to), words, Word.Destination);
  if (family === 6) {
    words[IcmpWord.Kind] = kind;
    words[IcmpWord.Rest] = rest;
  }
  words[Word.PayloadLength] = payload.length;
  change(words);
  return buildReceived(words, payload);
}

describe.each<[Family, string, string, string]>([
  [4, GROUP4, '224.0.0.22', '224.0.0.2'],
  [6, GROUP6, 'ff02::16', 'ff02::2'],
])('IPv%i', (family, group, routers3, routers2) => {
  const other = family === 4 ? '239.9.9.9' : 'ff18::9';

  test('a change is told at once, and once more within a second', () => {
    const lab = new Lab(family);
    lab.join(group);
    const joined = lab.pass(10);
    expect(joined.map(([, line]) => line)).toEqual(Array(2).fill(`${routers3}: TO_EX ${group}`));
    expect(joined[0][0]).toBe(0);
    expect(joined[1][0]).toBeLessThan(1);
    lab.leave(group);
    expect(lab.lines(10)).toEqual(Array(2).fill(`${routers3}: TO_IN ${group}`));
    expect(lab.host.core.nextDeadline()).toBe(Infinity);
  });

  test('changes meanwhile go with it; who comes back is told as that', () => {
    const lab = new Lab(family);
    lab.join(group, other);
    lab.leave(group);
    const both = `${routers3}: TO_IN ${group}, TO_EX ${other}`;
    expect(lab.lines(10)).toEqual([both, both]);
    lab.leave(other);
    lab.join(other);
    expect(lab.lines(10)).toEqual(Array(2).fill(`${routers3}: TO_EX ${other}`));
    // One more member is no change.
    lab.join(other);
    lab.leave(other);
    expect(lab.lines(10)).toEqual([]);
  });

  test('queries are answered after a delay by chance', () => {
    const lab = new Lab(family);
    lab.join(group, other);
    lab.pass(10);
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const asked = lab.seconds;
      lab.ask(3, 5);
      const said = lab.pass(10);
      expect(said.map(([, line]) => line)).toEqual([`${routers3}: IS_EX ${group}, IS_EX ${other}`]);
      times.push(said[0][0] - asked);
    }
    expect(Math.max(...times)).toBeLessThan(5);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(2);
    // Of one group: of it alone, and once though it is asked for twice.
    lab.ask(3, 5, group);
    lab.ask(3, 5, group);
    expect(lab.lines(10)).toEqual([`${routers3}: IS_EX ${group}`]);
    lab.ask(3, 5, family === 4 ? '239.0.0.77' : 'ff15::77');
    expect(lab.lines(10)).toEqual([]);
  });

  test('the querier says how often changes are told', () => {
    const lab = new Lab(family);
    lab.ask(3, 1, null, 4);
    lab.pass(2);
    lab.join(group);
    expect(lab.lines(20)).toHaveLength(4);
    const set = family === 4 ? { igmpQrv: 1 } : { mldQrv: 1 };
    const once = new Lab(family, set);
    once.join(group);
    expect(once.lines(20)).toHaveLength(1);
  });

  test('a querier of the second version: reports to the group, leaves to the routers', () => {
    const lab = new Lab(family);
    lab.ask(2, 1);
    lab.join(group);
    const report = `${group}: v2 report ${group}`;
    const joined = lab.pass(30);
    expect(joined.map(([, line]) => line)).toEqual([report, report]);
    expect(joined[0][0]).toBe(0);
    lab.ask(2, 1, group);
    expect(lab.lines(2)).toEqual([report]);
    lab.leave(group);
    expect(lab.lines(30)).toEqual([`${routers2}: leave ${group}`]);
  });

  test('… where another host has said it, we needn’t, nor have we to say that we leave', () => {
    const lab = new Lab(family);
    lab.ask(2, 1);
    lab.join(group);
    lab.pass(30);
    lab.ask(2, 10);
    lab.hear(group);
    expect(lab.lines(30)).toEqual([]);
    lab.leave(group);
    expect(lab.lines(30)).toEqual([]);
  });

  test('… it is forgotten after robustness times interval, and the delay', () => {
    const lab = new Lab(family);
    lab.ask(2, 10);
    lab.pass(259);
    lab.join(group);
    expect(lab.lines(0.5)).toEqual([`${group}: v2 report ${group}`]);
    lab.pass(0.5);
    lab.join(other);
    expect(lab.lines(1)).toContain(`${routers3}: TO_EX ${other}`);
  });

  test('one version alone, if that is asked for', () => {
    const forced = new Lab(family, family === 4 ? { forceIgmpVersion: 2 } : { forceMldVersion: 1 });
    forced.join(group);
    expect(forced.lines(0)).toEqual([`${group}: v2 report ${group}`]);
    const newest = new Lab(family, family === 4 ? { forceIgmpVersion: 3 } : { forceMldVersion: 2 });
    newest.ask(2, 1);
    newest.join(group);
    expect(newest.lines(0)).toEqual([`${routers3}: TO_EX ${group}`]);
  });

  test('more groups than a packet has room for: several reports', () => {
    const lab = new Lab(family);
    const name = (i: number) => (family === 4 ? `239.0.${i >> 8}.${i & 255}` : `ff15::${i + 1}`);
    const groups = Array.from({ length: 400 }, (_, i) => name(i));
    lab.join(...groups);
    const lines = lab.lines(0);
    expect(lines.length).toBe(family === 4 ? 3 : 6);
    expect(lines.join(', ').match(/TO_EX/g)).toHaveLength(400);
  });

  test('whoever joins and leaves all the time: bounded', () => {
    const lab = new Lab(family);
    for (let i = 0; i < 3000; i++) {
      const name = family === 4 ? `239.1.${i >> 8}.${i & 255}` : `ff15::1:${i.toString(16)}`;
      lab.join(name);
      lab.leave(name);
    }
    expect(lab.lines(0).join().match(/TO_IN/g)?.length).toBe(1024);
  });

  test('what was said without an address is said again when there is one', () => {
    const lab = new Lab(family, {}, []);
    const { host } = lab;
    lab.join(group);
    host.core.onTimer(host.now);
    host.flush();
    lab.quietly(10);
    host.paths.addAddress(parsePrefix(family === 4 ? '10.0.0.2/24' : 'fe80::2/64') as Prefix);
    for (const times of [2, 0]) {
      host.core.onControl({ kind: 'paths' }, host.now);
      expect(lab.lines(10)).toEqual(Array(times).fill(`${routers3}: TO_EX ${group}`));
    }
  });
});

test('IGMPv1: no leaves, answers within ten seconds', () => {
  const lab = new Lab(4);
  lab.ask(1, 0);
  lab.join(GROUP4);
  expect(lab.lines(0)).toEqual([`${GROUP4}: v1 report ${GROUP4}`]);
  lab.pass(30);
  lab.ask(1, 0);
  expect(lab.lines(10)).toEqual([`${GROUP4}: v1 report ${GROUP4}`]);
  // A later querier of a newer version doesn't change that while the old one is taken to be there.
  lab.ask(3, 1);
  expect(lab.lines(10)).toEqual([`${GROUP4}: v1 report ${GROUP4}`]);
  lab.leave(GROUP4);
  expect(lab.lines(10)).toEqual([]);
});

test('groups that are nobody’s business', () => {
  const lab = new Lab(4);
  lab.join('224.0.0.1', '224.0.0.251');
  expect(lab.lines(0)).toEqual(['224.0.0.22: TO_EX 224.0.0.251']);
  const quiet = new Lab(4, { igmpLinkLocalMcastReports: 0 });
  quiet.join('224.0.0.251', '224.0.1.1');
  expect(quiet.lines(0)).toEqual(['224.0.0.22: TO_EX 224.0.1.1']);
  const six = new Lab(6);
  six.join('ff02::1', 'ff01::5', 'ff02::fb', 'ff02::1:ff00:2');
  expect(six.lines(0)).toEqual(['ff02::16: TO_EX ff02::fb, TO_EX ff02::1:ff00:2']);
});

test('who is in a group on the loopback alone has no reports', () => {
  const lab = new Lab(4);
  const { groups } = lab.host.core.ip;
  groups.join(ip(GROUP4), ip('127.0.0.1'));
  expect(lab.lines(10)).toEqual([]);
  groups.join(ip(GROUP4), ip('10.0.0.2'));
  expect(lab.lines(0)).toEqual([`224.0.0.22: TO_EX ${GROUP4}`]);
  lab.pass(10);
  groups.leave(ip(GROUP4), ip('10.0.0.2'));
  expect(lab.lines(0)).toEqual([`224.0.0.22: TO_IN ${GROUP4}`]);
  expect(groups.all).toHaveLength(1);
  groups.leave(ip(GROUP4), ip('127.0.0.1'));
  expect(groups.all).toHaveLength(0);
});

test('without an address: IGMP waits for one, MLD has ::', () => {
  const host = new DatagramHost({ addresses: [] });
  for (const group of [GROUP4, GROUP6]) host.core.ip.groups.join(ip(group));
  host.core.onTimer(host.now);
  const sent = host.flush();
  expect(sent.map(({ words }) => words[Word.Family])).toEqual([6]);
  expect(formatAddress(readAddress(sent[0].words, Word.Source))).toBe('::');
  const { Icmp6OutMLDv2Reports, Icmp6OutMsgs } = host.core.counters;
  expect([Icmp6OutMLDv2Reports, Icmp6OutMsgs]).toEqual([1, 1]);
});

test('who joins groups in another way has no reports', () => {
  const lab = new Lab(4);
  const changes: string[] = [];
  lab.host.core.ip.groups.onChange = (group, isMember) =>
    changes.push(`${isMember} ${formatAddress(group)}`);
  lab.join(GROUP4);
  lab.ask(3, 1);
  expect(lab.lines(10)).toEqual([]);
  lab.leave(GROUP4);
  expect(changes).toEqual([`true ${GROUP4}`, `false ${GROUP4}`]);
});

test('MLD: a query must come from the link, and have a router alert', () => {
  const wrong: ((words: Int32Array) => void)[] = [
    (words) => (words[Word.HopLimit] = 64),
    (words) => writeAddress(ip('fd00::1'), words, Word.Source),
    (words) => (words[Word.Options] = 0),
    (words) => (words[IcmpWord.Kind] = 143 << 8),
  ];
  for (const change of [...wrong, () => {}]) {
    const lab = new Lab(6);
    lab.join(GROUP6);
    lab.pass(10);
    const bytes = message(6, 'ff02::1', query6(3, null), 130 << 8, 1000 << 16, change);
    lab.host.receive(bytes);
    expect(lab.lines(10)).toHaveLength(wrong.includes(change) ? 0 : 1);
  }
});

test('codes of times and intervals', () => {
  expect([0, 1, 127, 128, 129, 255].map((code) => codeValue(code, 8))).toEqual([
    0, 1, 127, 128, 136, 31_744,
  ]);
  expect([0, 32_767, 32_768, 0xffff].map((code) => codeValue(code, 16))).toEqual([
    0, 32_767, 32_768, 8_387_584,
  ]);
});

test('whatever a message says: no crash, bounded answers', () => {
  const lab4 = new Lab(4);
  const lab6 = new Lab(6);
  lab4.join(GROUP4);
  lab6.join(GROUP6);
  const type4 = fc.constantFrom(0x11, 0x12, 0x16, 0x17, 0x22, 0);
  const type6 = fc.constantFrom(130, 131, 132, 143);
  const bytes = fc.uint8Array({ maxLength: 64 });
  fc.assert(
    fc.property(type4, type6, bytes, fc.boolean(), (kind4, kind6, payload, right) => {
      const message4 = Buffer.from([kind4, ...payload, ...(payload.length % 2 === 0 ? [0] : [])]);
      if (right && message4.length >= 4) {
        message4.writeUInt16BE(0, 2);
        message4.writeUInt16BE(~sum(message4) & 0xffff, 2);
      }
      lab4.host.receive(message(4, '224.0.0.1', message4));
      lab6.host.receive(message(6, 'ff02::1', payload, kind6 << 8, payload.length << 16));
      expect(lab4.pass(1).length).toBeLessThan(5);
      expect(lab6.pass(1).length).toBeLessThan(5);
    }),
    { numRuns: 300 },
  );
});
