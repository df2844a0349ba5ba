import { parsePacket } from '../../lib/codec/parse';
import { ParseResult } from '../../lib/codec/result';
import { Checksum, Flag, Option, Word } from '../../lib/core/segment/layout';
import { formatFlags, formatSegment } from '../../lib/observe/tcpdump';
import { plainSum } from '../support/packets';
import { hex } from '../support/segments';
import { capturedPackets } from '../support/redis-capture';

const KEY = Int32Array.of(3, 4);
const CLIENT = '10.249.172.42.32896';
const SERVER = '10.249.172.203.6378';

function decode(number: number, change: (bytes: Uint8Array) => void = () => undefined) {
  const bytes = hex(capturedPackets[number - 1].hex);
  change(bytes);
  const words = new Int32Array(Word.Stride);
  expect(parsePacket(bytes, 0, 0, bytes.length, words, 0, KEY)).toBe(ParseResult.Ok);
  return { bytes, words, line: formatSegment(words, 0, { slabs: [bytes] }) };
}

describe('the capture of a Redis connection', () => {
  test.each([
    [
      1,
      Checksum.Partial,
      `IP ${CLIENT} > ${SERVER}: Flags [S], seq 1368668675, win 29200, ` +
        'options [mss 1460,sackOK,TS val 3038320571 ecr 0,nop,wscale 7], length 0',
    ],
    [
      2,
      Checksum.Verified,
      `IP ${SERVER} > ${CLIENT}: Flags [S.], seq 2882988348, ack 1368668676, win 28960, ` +
        'options [mss 1460,sackOK,TS val 2269017029 ecr 3038320571,nop,wscale 7], length 0',
    ],
    [
      3,
      Checksum.Partial,
      `IP ${CLIENT} > ${SERVER}: Flags [.], ack 2882988349, win 229, ` +
        'options [nop,nop,TS val 3038320571 ecr 2269017029], length 0',
    ],
    [
      4,
      Checksum.Partial,
      'IP 10.249.172.203.6378 > 10.249.172.42.33964: Flags [.], ack 81895238, win 227, ' +
        'options [nop,nop,TS val 2281089934 ecr 3050393501], length 0',
    ],
    [
      5,
      Checksum.Verified,
      'IP 10.249.172.42.33964 > 10.249.172.203.6378: Flags [.], ack 2221282036, win 229, ' +
        'options [nop,nop,TS val 3050393501 ecr 2281089934], length 0',
    ],
    [
      6,
      Checksum.Bad,
      'IP 10.249.172.42.33964 > 10.249.172.203.6378: Flags [.], ack 2221282037, win 229, ' +
        'options [nop,nop,TS val 3050393502 ecr 2281089934], length 0',
    ],
    [
      7,
      Checksum.Partial,
      'IP 10.249.172.203.6378 > 10.249.172.42.33964: Flags [.], ack 81895239, win 227, ' +
        'options [nop,nop,TS val 2281089935 ecr 3050393502], length 0',
    ],
  ])('packet %i: its checksum and its line', (number, checksum, expected) => {
    const { bytes, words, line } = decode(number);
    expect(plainSum(bytes, 0, 20)).toBe(0xffff);
    expect(words[Word.Checksum]).toBe(checksum);
    expect(line).toBe(expected);
  });

  test('the SYN carries what a SYN of Linux carries', () => {
    const { words } = decode(1);
    expect(words[Word.Options]).toBe(
      Option.Mss | Option.SackPermitted | Option.Timestamps | Option.WindowScale,
    );
    expect([words[Word.Mss], words[Word.WindowScale]]).toEqual([1460, 7]);
    expect(words[Word.Sequence]).toBe(1368668675);
  });

  test('the SYN+ACK acknowledges the SYN, the third segment the SYN+ACK', () => {
    const [syn, synAck, ack] = [1, 2, 3].map((number) => decode(number).words);
    expect(synAck[Word.Acknowledgment]).toBe(syn[Word.Sequence] + 1);
    expect(ack[Word.Acknowledgment]).toBe((synAck[Word.Sequence] + 1) | 0);
    expect(ack[Word.Sequence]).toBe(synAck[Word.Acknowledgment]);
  });

  test('packet 6 verifies with the FIN bit that was edited out, and with no other flags', () => {
    const verifying: string[] = [];
    for (let flags = 0; flags < 0x200; flags++) {
      const { words } = decode(6, (bytes) => bytes.set([0x80 | (flags >> 8), flags & 0xff], 32));
      if (words[Word.Checksum] === Checksum.Verified) verifying.push(formatFlags(flags));
    }
    expect(verifying).toEqual(['F.']);
  });

  test('packet 4 was a FIN: packet 6 acknowledges one more than it, and it has no data', () => {
    const [fourth, fifth, sixth] = [4, 5, 6].map((number) => decode(number).words);
    expect(fourth[Word.Flags]).toBe(Flag.ACK);
    expect(fourth[Word.PayloadLength]).toBe(0);
    expect(fifth[Word.Acknowledgment]).toBe(fourth[Word.Sequence]);
    expect(sixth[Word.Acknowledgment]).toBe((fourth[Word.Sequence] + 1) | 0);
  });

  test('packet 7 acknowledges the FIN of packet 6', () => {
    const [sixth, seventh] = [6, 7].map((number) => decode(number).words);
    expect(seventh[Word.Acknowledgment]).toBe(sixth[Word.Sequence] + 1);
  });
});
