/** What tcpdump itself has printed of packets of every kind, and what we print of them. */
import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import { Word } from '../../lib/core/segment/layout';
import { formatSegment } from '../../lib/observe/tcpdump';
import recorded from '../fixtures/tcpdump-packets.json';
import { MAX_MADE_PACKET, PacketMaker, QuickRandom } from '../support/packets';

const KEY = new Int32Array(2);

test.each(recorded.packets)('$line', ({ line, hex }) => {
  const bytes = Buffer.from(hex, 'hex');
  const words = new Int32Array(Word.Stride);
  expect(parsePacket(bytes, 0, 0, bytes.length, words, 0, KEY)).toBe(ParseResult.Ok);
  expect(formatSegment(words, 0, { slabs: [bytes] })).toBe(line);
});

test('any packet that can be read has a line, with its payload known or not', () => {
  const maker = new PacketMaker(new QuickRandom(7));
  const slab = new Uint8Array(MAX_MADE_PACKET);
  const words = new Int32Array(Word.Stride);
  const kinds = new Set<string>();
  for (let i = 0; i < 20_000; i++) {
    const length = maker.makeDamaged(slab, 0);
    if (parsePacket(slab, 0, 0, length, words, 0, KEY) !== ParseResult.Ok) continue;
    const line = formatSegment(words, 0, { slabs: [slab] });
    kinds.add(line.split(': ')[1].trim().split(' ')[0]);
    expect(line).not.toMatch(/undefined|NaN|[%$]/);
    expect(formatSegment(words, 0)).toMatch(/^IP6? \S+ > \S+: /);
  }
  for (const kind of ['Flags', 'ICMP', 'ICMP6,', 'UDP,', 'frag', 'ip-proto-17', '[bad', 'HBH']) {
    expect(kinds).toContain(kind);
  }
});
