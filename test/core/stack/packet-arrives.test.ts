import { buildReceived } from '../../../lib/codec/build-received';
import {
  Checksum,
  IcmpWord,
  IpProtocol,
  MAY_FRAGMENT,
  MORE_FRAGMENTS,
  Word,
} from '../../../lib/core/segment/layout';
import { Lab, type LabHost } from '../../support/lab';
import { hex } from '../../support/segments';

/** A packet of the family to the second host of a lab. */
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
function counted(host: LabHost): Record<string, number> {
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

test.each<[string, Uint8Array, Record<string, number>]>([
  ['UDP', packet(4, IpProtocol.Udp), { IpInDelivers: 1, UdpNoPorts: 1 }],
  ['UDP to an address of another host', packet(6, IpProtocol.Udp), { Ip6InAddrErrors: 1 }],
  ['IGMP', packet(4, IpProtocol.Igmp), { IpInUnknownProtos: 1 }],
  [
    'a fragment of TCP',
    packet(4, 6, fragment(MORE_FRAGMENTS)),
    { IpReasmReqds: 1, IpReasmFails: 1 },
  ],
  ['one over IPv6', packet(6, 6, fragment(8)), { Ip6ReasmReqds: 1, Ip6ReasmFails: 1 }],
  ['echo', packet(4, 1, kind(8)), { IpInDelivers: 1, IcmpInMsgs: 1, IcmpInEchos: 1 }],
  [
    'neighbour solicitation',
    packet(6, 58, kind(135)),
    { Ip6InDelivers: 1, Icmp6InMsgs: 1, Icmp6InNeighborSolicits: 1 },
  ],
  [
    'an error that quotes nothing of ours',
    packet(4, 1, kind(3)),
    { IpInDelivers: 1, IcmpInMsgs: 1, IcmpInDestUnreachs: 1 },
  ],
  ['ICMPv4 over IPv6', packet(6, 1), { Ip6InUnknownProtos: 1 }],
  ['no next header', packet(6, IpProtocol.None), { Ip6InDelivers: 1 }],
  [
    'a header with a problem',
    hex(`60000000 0008 3c 40 ${'fd'.padEnd(30, '0')}01 ${'fd'.padEnd(30, '0')}02 3b00c20400000000`),
    { Ip6InHdrErrors: 1 },
  ],
])('%s is counted and dropped', (_, bytes, expected) => {
  const { b } = new Lab();
  expect(b.deliver(bytes, 0)).toBe(0);
  const receives = bytes[0] >> 4 === 4 ? 'IpInReceives' : 'Ip6InReceives';
  expect(counted(b)).toEqual({ [receives]: 1, ...expected });
  expect(b.core.hasOutput).toBe(false);
});

test('a message that was damaged on its way', () => {
  const { b } = new Lab();
  const bytes = packet(4, 1, kind(8));
  bytes[bytes.length - 1] ^= 1;
  b.deliver(bytes, 0);
  expect(b.received.words[Word.Checksum]).toBe(Checksum.Bad);
  const damaged = { IcmpInMsgs: 1, IcmpInCsumErrors: 1, IcmpInErrors: 1 };
  expect(counted(b)).toEqual({ IpInReceives: 1, IpInDelivers: 1, ...damaged });
});

test('TCP is delivered, and counted as a packet', () => {
  const lab = new Lab();
  const { client } = lab.pair();
  expect(client).not.toBeNull();
  const { IpInReceives, IpInDelivers, TcpInSegs } = lab.b.core.counters;
  expect(TcpInSegs).toBeGreaterThan(0);
  expect([IpInReceives, IpInDelivers]).toEqual([TcpInSegs, TcpInSegs]);
});
