import { buildReceived } from '../../../lib/codec/build-received';
import {
  IcmpWord,
  IpProtocol,
  MAY_FRAGMENT,
  MORE_FRAGMENTS,
  Word,
} from '../../../lib/core/segment/layout';
import { DatagramHost } from '../../support/datagrams';
import { Lab } from '../../support/lab';
import { hex } from '../../support/segments';

const ADDRESSES = ['10.0.0.2/24', 'fd00::a00:2/64'];
const [SOURCE6, DESTINATION6] = ['01', '02'].map((end) => `fd${'0a0000'.padStart(28, '0')}${end}`);

/** A packet of the family to one of `ADDRESSES`. */
function packet(family: 4 | 6, protocol: number, change: (words: Int32Array) => void = () => {}) {
  const words = new Int32Array(Word.Stride);
  words[Word.Family] = family;
  words[Word.Protocol] = protocol;
  words[Word.HopLimit] = 64;
  words[Word.Identification] = family === 4 ? MAY_FRAGMENT : 0;
  const [a, b] = family === 4 ? [0, 0xffff] : [0xfd000000 | 0, 0];
  words.set([a, 0, b, 0x0a000001, a, 0, b, 0x0a000002], Word.Source);
  words[Word.PayloadLength] = 16;
  change(words);
  return buildReceived(words, new Uint8Array(16));
}

/** What the stack has counted, but for what was 0. */
function counted(host: DatagramHost): Record<string, number> {
  const { counters } = host.core;
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count !== 0));
}

const kind =
  (type: number, rest = 0) =>
  (words: Int32Array): void => {
    words[IcmpWord.Kind] = type << 8;
    words[IcmpWord.Rest] = rest;
  };
const fragment =
  (field: number) =>
  (words: Int32Array): void => {
    words[Word.Fragment] = field;
  };

const foreign = (words: Int32Array): void => {
  words[Word.Destination + 3] ^= 1;
};
const FOREIGN6 = { Ip6InAddrErrors: 1 };

/** With type and code of the answer; '': there is none. */
test.each<[string, Uint8Array, Record<string, number>, string]>([
  [
    'UDP to a closed port',
    packet(4, IpProtocol.Udp),
    { IpInDelivers: 1, UdpNoPorts: 1, IcmpOutMsgs: 1, IcmpOutDestUnreachs: 1 },
    '3.3',
  ],
  ['UDP to an address of another host', packet(6, IpProtocol.Udp, foreign), FOREIGN6, ''],
  ['echo to an address of another host', packet(6, 58, foreign), FOREIGN6, ''],
  [
    'an unknown protocol',
    packet(4, 99),
    { IpInUnknownProtos: 1, IcmpOutMsgs: 1, IcmpOutDestUnreachs: 1 },
    '3.2',
  ],
  ['a fragment', packet(4, 6, fragment(MORE_FRAGMENTS)), { IpReasmReqds: 1 }, ''],
  ['one over IPv6', packet(6, 17, fragment(8)), { Ip6ReasmReqds: 1 }, ''],
  [
    'echo',
    packet(4, 1, kind(8)),
    { IpInDelivers: 1, IcmpInMsgs: 1, IcmpInEchos: 1, IcmpOutMsgs: 1, IcmpOutEchoReps: 1 },
    '0.0',
  ],
  [
    'an error that quotes nothing of ours',
    packet(4, 1, kind(3)),
    { IpInDelivers: 1, IcmpInMsgs: 1, IcmpInDestUnreachs: 1 },
    '',
  ],
  [
    'ICMPv4 over IPv6',
    packet(6, 1),
    { Ip6InUnknownProtos: 1, Icmp6OutMsgs: 1, Icmp6OutParmProblems: 1 },
    '4.1',
  ],
  ['no next header', packet(6, IpProtocol.None), { Ip6InDelivers: 1 }, ''],
  [
    'a header with a problem',
    hex(`60000000 0008 3c 40 ${SOURCE6} ${DESTINATION6} 3b00c20400000000`),
    { Ip6InHdrErrors: 1, Icmp6OutMsgs: 1, Icmp6OutParmProblems: 1 },
    '4.2',
  ],
])('%s', (_, bytes, expected, answer) => {
  const host = new DatagramHost({ addresses: ADDRESSES });
  host.receive(bytes);
  const receives = bytes[0] >> 4 === 4 ? 'IpInReceives' : 'Ip6InReceives';
  expect(counted(host)).toEqual({ [receives]: 1, ...expected });
  const kinds = host.flush().map(({ words }) => words[IcmpWord.Kind]);
  expect(kinds.map((sent) => `${sent >> 8}.${sent & 255}`).join()).toBe(answer);
});

test('a message that was damaged on its way', () => {
  const host = new DatagramHost({ addresses: ADDRESSES });
  const bytes = packet(4, 1, kind(8));
  bytes[bytes.length - 1] ^= 1;
  host.receive(bytes);
  expect(host.core.hasOutput).toBe(false);
  const damaged = { IcmpInMsgs: 1, IcmpInCsumErrors: 1, IcmpInErrors: 1 };
  expect(counted(host)).toEqual({ IpInReceives: 1, IpInDelivers: 1, ...damaged });
});

test('TCP is delivered, and counted as a packet', () => {
  const lab = new Lab();
  const { client } = lab.pair();
  expect(client).not.toBeNull();
  const { IpInReceives, IpInDelivers, TcpInSegs } = lab.b.core.counters;
  expect(TcpInSegs).toBeGreaterThan(0);
  expect([IpInReceives, IpInDelivers]).toEqual([TcpInSegs, TcpInSegs]);
});
