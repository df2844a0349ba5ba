import { captureRing } from '../../lib/link/capture';
import { memoryLink } from '../../lib/link/memory';
import { RecordingHost, settle } from '../support/recording-host';
import { type Fields, pattern } from '../support/segments';
import { numbered, range } from './impair/support';

const A = '10.0.0.1';
const B = '10.0.0.2';
const TO_B: Fields = { from: A, to: B };
const TO_A: Fields = { from: B, to: A };
/** Of an IPv4 packet without options: where the sequence number is. */
const SEQUENCE = 24;
const ENHANCED_PACKET = 6;

async function captured(bytes: number) {
  const wire = memoryLink();
  const link = captureRing(wire, bytes);
  const a = await RecordingHost.open(link, A);
  const b = await RecordingHost.open(wire, B);
  return { link, a, b };
}

/** The packets of a capture, their interfaces and directions; fails where blocks don't fit. */
function packetsOf(file: Buffer): { interfaceNumber: number; out: boolean; bytes: Buffer }[] {
  const packets = [];
  for (let at = 0; at < file.length;) {
    const size = file.readUInt32LE(at + 4);
    expect(file.readUInt32LE(at + size - 4)).toBe(size);
    if (file.readUInt32LE(at) === ENHANCED_PACKET) {
      const length = file.readUInt32LE(at + 20);
      packets.push({
        interfaceNumber: file.readUInt32LE(at + 8),
        out: file.readUInt32LE(at + size - 12) === 2,
        bytes: file.subarray(at + 28, at + 28 + length),
      });
    }
    at += size;
  }
  return packets;
}

const sequences = (file: Buffer) => packetsOf(file).map(({ bytes }) => bytes.readInt32BE(SEQUENCE));

describe('a ring of packets', () => {
  test('has what has passed, both ways, and goes on', async () => {
    const { link, a, b } = await captured(100_000);
    expect(packetsOf(link.toPcapng())).toEqual([]);
    a.send({ ...TO_B, payload: [pattern(100)] });
    await settle(a, b);
    b.send({ ...TO_A, payload: [pattern(7)] });
    await settle(a, b);
    const [sent, received] = [b.arrivals[0].packet, a.arrivals[0].packet].map((p) =>
      Buffer.from(p),
    );
    expect(packetsOf(link.toPcapng())).toEqual([
      { interfaceNumber: 0, out: true, bytes: sent },
      { interfaceNumber: 0, out: false, bytes: received },
    ]);
    a.send(TO_B);
    expect(packetsOf(link.toPcapng())).toHaveLength(3);
    expect(a.port.counters).toMatchObject({ captured: 3, captureDropped: 0, sent: 2 });
  });

  test('keeps the last packets, in so many bytes', async () => {
    const { link, a } = await captured(10_400);
    for (const start of range(30)) {
      a.send(...numbered(TO_B, 40, 40 * start));
      const last = 40 * (start + 1);
      // 40 bytes each, and 64.
      const kept = Math.min(last, 100);
      const file = link.toPcapng();
      expect(sequences(file)).toEqual(range(kept).map((i) => last - kept + i));
      expect(file.length).toBeLessThan(10_400 + 200);
    }
    expect(a.port.counters).toMatchObject({ captured: 1200 });
  });

  test('a packet that is larger than the ring empties it, and it goes on', async () => {
    const { link, a } = await captured(1024);
    a.send(TO_B, { ...TO_B, payload: [pattern(1000)] });
    expect(sequences(link.toPcapng())).toEqual([]);
    a.send(...numbered(TO_B, 3));
    expect(sequences(link.toPcapng())).toEqual([0, 1, 2]);
  });

  test('stays when the ports have closed, and has those that are opened later', async () => {
    const { link, a } = await captured(100_000);
    a.send({ ...TO_B, sequence: 1 });
    a.port.close();
    const again = await RecordingHost.open(link, A);
    again.send({ ...TO_B, sequence: 2 });
    expect(sequences(link.toPcapng())).toEqual([1, 2]);
    expect(packetsOf(link.toPcapng()).map((each) => each.interfaceNumber)).toEqual([0, 1]);
  });

  test.each([
    ['1023', 1023, 'ERR_OUT_OF_RANGE'],
    ['NaN', NaN, 'ERR_OUT_OF_RANGE'],
    ['Infinity', Infinity, 'ERR_OUT_OF_RANGE'],
    ['2000.5', 2000.5, 'ERR_OUT_OF_RANGE'],
    ['a text', '1mb', 'ERR_INVALID_ARG_TYPE'],
  ])('of %s bytes is refused', (_, bytes, code) => {
    expect(() => captureRing(memoryLink(), bytes as number)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
