import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { Flag } from '../../../lib/core/segment/layout';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { streamLink } from '../../../lib/link/stream';
import { segmentFields } from '../../support/arbitraries';
import { MAX_MADE_PACKET, PacketMaker } from '../../support/packets';
import { RecordingHost, nextTurn, settle } from '../../support/recording-host';
import { pattern } from '../../support/segments';
import { A, TO_A, opened, packet } from './support';

/** Cuts bytes at these places, given as parts of the whole. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => Math.floor(place * bytes.length)), bytes.length];
  at.sort((x, y) => x - y);
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

describe('a link over a stream of bytes', () => {
  test('finds the packets however the stream is cut', async () => {
    const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(segmentFields, { minLength: 1, maxLength: 8 }),
        places,
        fc.boolean(),
        async (fields, where, together) => {
          const { host, far } = await opened(false);
          const packets = fields.map(packet);
          for (const chunk of cut(Buffer.concat(packets), where)) {
            far.write(chunk);
            if (!together) await nextTurn();
          }
          await settle(host);
          expect(host.arrivals.map((arrival) => Buffer.from(arrival.packet))).toEqual(packets);
          expect(host.port.counters.received).toBe(packets.length);
          expect(host.downs).toEqual([]);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('one byte at a time', async () => {
    const { host, far } = await opened(false);
    const fields = [
      { ...TO_A, payload: [pattern(30)] },
      { from: 'fd00::2', to: 'fd00::1', payload: [pattern(31)], timestamps: [1, 2] as const },
      TO_A,
    ];
    for (const byte of Buffer.concat(fields.map(packet))) {
      far.write(Buffer.of(byte));
      await nextTurn();
    }
    await settle(host);
    expect(host.arrivals.map(({ payload }) => payload.length)).toEqual([30, 31, 0]);
    expect(host.arrivals[1].payload).toEqual(pattern(31));
  });

  test('the longest packets, and more of them than there is memory for', async () => {
    const { host, far } = await opened(false);
    const longest = [
      packet({ ...TO_A, payload: [pattern(65_495)] }),
      packet({ from: 'fd00::2', to: 'fd00::1', payload: [pattern(65_515)] }),
    ];
    far.write(Buffer.concat([...longest, ...longest, ...longest, ...longest]));
    await settle(host);
    expect(host.arrivals).toHaveLength(8);
    host.arrivals.forEach((arrival, i) => {
      expect(Buffer.compare(arrival.packet, longest[i % 2])).toBe(0);
    });
    expect(host.slabs.slabs).toHaveLength(1);
  });

  test('hands over 64 at most, and never from within the stream', async () => {
    const { host, far } = await opened(false);
    far.write(Buffer.concat(Array.from({ length: 150 }, () => packet(TO_A))));
    expect(host.arrivals).toEqual([]);
    await settle(host);
    expect(host.batches).toEqual([64, 64, 22]);
  });

  test('a chunk is its owner’s again when it was read', async () => {
    const stream = new Duplex({ read: () => undefined, write: (_c, _e, done) => done() });
    const host = await RecordingHost.open(streamLink(stream), A);
    const whole = packet({ ...TO_A, payload: [pattern(100)] });
    const chunk = Buffer.from(whole.subarray(0, 60));
    stream.push(chunk);
    await settle(host);
    chunk.fill(0xff);
    stream.push(whole.subarray(60));
    await settle(host);
    expect(host.arrivals.map(({ payload }) => payload)).toEqual([pattern(100)]);
  });

  test('packets that are wrong inside are counted, and the next one is found', async () => {
    const { host, far } = await opened(false);
    const damaged = packet(TO_A);
    damaged[10] ^= 1;
    const udp = packet({ from: 'fd00::2', to: 'fd00::1', payload: [pattern(20)] });
    udp[6] = 17;
    far.write(Buffer.concat([damaged, udp, packet({ ...TO_A, sequence: 5 })]));
    await settle(host);
    expect(host.sequences.at(-1)).toBe(5);
    expect(host.port.counters).toMatchObject({ badIpChecksum: 1 });
    expect(host.downs).toEqual([]);
  });

  test.each([
    ['another version', Buffer.of(0x75, 0, 0, 20), /^read EPROTO.* at byte 40 .*begins with 0x75$/],
    ['no version', Buffer.of(0), /begins with 0x00$/],
    ['a short IPv4 header', Buffer.of(0x44, 0), /begins with 0x44$/],
    ['a length below the header', Buffer.of(0x46, 0, 0, 23), /has a length of 23$/],
  ])('%s ends the link, after what came before', async (_, bytes, message) => {
    const { host, far, near } = await opened(false);
    far.write(Buffer.concat([packet({ ...TO_A, sequence: 7 }), bytes]));
    far.write(packet(TO_A));
    await settle(host);
    expect(host.sequences).toEqual([7]);
    expect(host.downs).toEqual([expect.objectContaining({ code: 'EPROTO', errno: -71 })]);
    expect(host.downs[0].message).toMatch(message);
    expect(near.destroyed).toBe(true);
  });

  test('texts end the link', async () => {
    const { host, near, far } = await opened(false);
    near.setEncoding('latin1');
    far.write(packet(TO_A));
    await settle(host);
    expect(host.downs.map(({ message }) => message)).toEqual([
      expect.stringContaining('the stream gives strings and not bytes'),
    ]);
  });

  test('no bytes do any harm', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 20 }),
        async (chunks) => {
          const { host, far } = await opened(false);
          // As far as the framing goes, and then anything.
          for (const chunk of chunks) {
            if (chunk.length > 40) chunk.set([0x45, 0, 0, chunk.length]);
            far.write(chunk);
          }
          await settle(host);
          expect(host.downs.length).toBeLessThanOrEqual(1);
          expect(host.slabs.slabs).toHaveLength(1);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('a stream that has always more to give leaves the event loop its turns', async () => {
    const many = Buffer.concat(Array.from({ length: 400 }, () => packet(TO_A)));
    const stream = new Duplex({
      read() {
        this.push(many);
      },
      write: (_chunk, _encoding, done) => done(),
    });
    const host = await RecordingHost.open(streamLink(stream), A);
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    const received = host.arrivals.length;
    expect(received).toBeGreaterThan(0);
    host.port.close();
    await nextTurn();
    await nextTurn();
    expect(host.arrivals).toHaveLength(received);
    expect(stream.destroyed).toBe(true);
  });
});

describe('a link over a stream of messages', () => {
  test('takes each message for a packet, whatever kind of bytes it is', async () => {
    const { host, far } = await opened(true);
    const bytes = packet({ ...TO_A, payload: [pattern(9)], flags: Flag.ACK });
    const copy = Uint8Array.from(bytes);
    for (const message of [bytes, copy, copy.buffer, new DataView(copy.buffer)]) {
      far.write(message);
    }
    await settle(host);
    expect(host.arrivals.map((arrival) => Buffer.from(arrival.packet))).toEqual(
      Array.from({ length: 4 }, () => bytes),
    );
  });

  test('counts and drops what is no packet', async () => {
    const { host, far } = await opened(true);
    const good = packet({ ...TO_A, sequence: 1, payload: [pattern(9)] });
    const bad = packet(TO_A);
    bad[0] = 0x95;
    const messages = [
      ...['a text', {}, 7, Buffer.alloc(70_000, good), new ArrayBuffer(0), bad],
      ...[good.subarray(0, good.length - 1), good],
    ];
    for (const message of messages) far.write(message);
    await settle(host);
    expect(host.sequences).toEqual([1]);
    const counted = { badMessage: 4, badVersion: 1, truncated: 2, received: 1 };
    expect(host.port.counters).toMatchObject(counted);
    expect(host.downs).toEqual([]);
  });

  test('more messages in one turn than there is memory for', async () => {
    const { host, far } = await opened(true);
    const payload = [pattern(60_000)];
    for (let i = 0; i < 12; i++) far.write(packet({ ...TO_A, sequence: i, payload }));
    await settle(host);
    expect(host.sequences).toEqual(Array.from({ length: 12 }, (_, i) => i));
    expect(host.arrivals.every((arrival) => arrival.payload.length === 60_000)).toBe(true);
    expect(host.arrivals[11].payload).toEqual(payload[0]);
    expect(host.slabs.slabs).toHaveLength(1);
  });

  test('random and mutated packets do no harm', async () => {
    const { host, far } = await opened(true);
    const maker = new PacketMaker(new Xoshiro(11));
    const out = new Uint8Array(MAX_MADE_PACKET);
    for (let i = 0; i < 500; i++) {
      far.write(out.slice(0, maker.makeDamaged(out, 0)).buffer);
      if (i % 10 === 0) await nextTurn();
    }
    await settle(host);
    const { counters } = host.port;
    const total = Object.values(counters).reduce((sum, count) => sum + count, 0);
    expect(total).toBe(500);
    expect(counters.received).toBe(host.arrivals.length);
    expect(host.downs).toEqual([]);
  });
});
