import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { icmpError } from '../../lib/codec/build-icmp';
import { parseAddress } from '../../lib/core/ip/address';
import { Flag, Word } from '../../lib/core/segment/layout';
import {
  type LinkFilter,
  type LiveSegment,
  type SegmentFields,
  filter,
} from '../../lib/link/filter';
import { memoryLink } from '../../lib/link/memory';
import { streamLink } from '../../lib/link/stream';
import { Stack } from '../../lib/stack';
import { segmentFields } from '../support/arbitraries';
import { RecordingHost, settle } from '../support/recording-host';
import { type Fields, pattern } from '../support/segments';
import { A, B, ManualClock, TO_A, TO_B, numbered, range } from './impair/support';
import { packet } from './stream/support';

/** Two hosts on a wire; the port of the first is filtered. */
async function filtered(decide: LinkFilter, mtu = 65_536) {
  const clock = new ManualClock();
  const wire = memoryLink({ mtu });
  const a = await RecordingHost.open(filter(wire, decide, clock), A, 'fd00::1');
  const b = await RecordingHost.open(wire, B, 'fd00::2');
  return { a, b, clock };
}

describe('a filter', () => {
  test('sees the segments of both directions by the names of the simulator', async () => {
    const seen: [LiveSegment, string, Buffer][] = [];
    const { a, b } = await filtered((segment, direction) => {
      seen.push([segment, direction, segment.payload]);
    });
    a.send({ ...TO_B, sequence: 100, flags: Flag.SYN, mss: 1400, windowScale: 3 });
    b.send({
      ...TO_A,
      sourcePort: 50000,
      destinationPort: 40000,
      sequence: -9,
      acknowledgment: 101,
    });
    await settle(a, b);
    a.send({ ...TO_B, sequence: 101, payload: [pattern(5), pattern(8)], trafficClass: 2 });
    await settle(a, b);
    expect(b.arrivals).toHaveLength(2);
    expect(a.arrivals).toHaveLength(1);
    expect(seen.map(([, direction]) => direction)).toEqual(['out', 'in', 'out']);
    expect(seen[0][0]).toMatchObject({
      ...{ source: A, destination: B, sourcePort: 40000, destinationPort: 50000, family: 4 },
      ...{ isSyn: true, flags: 'S', seq: 100, relativeSeq: 0, mss: 1400, windowScale: 3, ttl: 64 },
      ...{ length: 0, packetLength: 48 },
    });
    expect(seen[1][0]).toMatchObject({ ack: 101, relativeAck: 1, packetLength: 40, length: 0 });
    expect(seen[2][0]).toMatchObject({ relativeSeq: 1, ecn: 'ect(0)', length: 13 });
    expect(seen[2][2]).toEqual(Buffer.concat([pattern(5), pattern(8)]));
    expect(String(seen[2][0])).toBe(b.arrivals[1].line);
  });

  test('that only looks changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(segmentFields, { maxLength: 80 }), async (fields) => {
        const plain = memoryLink();
        const both: Buffer[][] = [];
        for (const link of [plain, filter(memoryLink(), (segment) => void segment.payload)]) {
          const addresses = fields.map(({ from = A }) => from);
          const host = await RecordingHost.open(link, ...addresses);
          host.send(...fields.map(({ from = A, ...rest }) => ({ ...rest, from, to: from })));
          await settle(host);
          both.push(host.arrivals.map(({ packet }) => Buffer.from(packet)));
        }
        expect(both[1]).toEqual(both[0]);
      }),
      { numRuns: 30 },
    );
  });

  test('drops', async () => {
    const { a, b } = await filtered(({ seq }, direction) => (direction === 'in') === seq % 2 > 0);
    a.send(...numbered(TO_B, 6));
    b.send(...numbered(TO_A, 6));
    await settle(a, b);
    expect(b.sequences).toEqual([0, 2, 4]);
    expect(a.sequences).toEqual([1, 3, 5]);
    expect(a.port.counters).toMatchObject({ outFiltered: 3, inFiltered: 3, sent: 3 });
  });

  test.each([
    ['out', TO_B],
    ['in', TO_A],
  ] as const)('delays what goes %s, while others pass', async (name, fields) => {
    const { a, b, clock } = await filtered(({ seq }) => [0, 20, 10.5, true, undefined][seq]);
    const [from, to] = name === 'out' ? [a, b] : [b, a];
    from.send(...numbered({ ...fields, payload: [pattern(100)] }, 5));
    await settle(a, b);
    expect(to.sequences).toEqual([0, 3, 4]);
    clock.advance(10.5);
    await settle(a, b);
    expect(to.sequences).toEqual([0, 3, 4, 2]);
    clock.advance(10);
    await settle(a, b);
    expect(to.sequences).toEqual([0, 3, 4, 2, 1]);
    expect(to.arrivals.map(({ payload }) => payload)).toEqual(range(5).map(() => pattern(100)));
    expect(a.port.counters).toMatchObject({ [`${name}Delayed`]: 2 });
  });

  const CHANGES: [string, SegmentFields, object][] = [
    ['numbers', { seq: 0xffffffff, ack: 7, window: 0, urgent: 9, ttl: 1 }, {}],
    ['ports', { sourcePort: 1, destinationPort: 65_535 }, {}],
    ['flags', { flags: 'R.', ecn: 'ce' }, { isRst: true, isAck: true }],
    ['options', { mss: 536, windowScale: 14, timestamps: { value: 1, echo: 0xffffffff } }, {}],
    ['no options', { timestamps: null, mss: null, sackPermitted: false }, {}],
    ['the payload', { payload: pattern(3000, 5) }, { length: 3000 }],
    ['no payload', { payload: new Uint8Array(0) }, { length: 0 }],
  ];

  test.each(CHANGES)('changes %s, both ways', async (_, fields, more) => {
    const seen: object[] = [];
    const { a, b } = await filtered((segment) => {
      segment.change(fields);
      const { payload, ...rest } = fields;
      expect(segment).toMatchObject(
        Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, value ?? undefined])),
      );
      expect(segment).toMatchObject(more);
      if (payload !== undefined) expect(Uint8Array.from(segment.payload)).toEqual(payload);
      seen.push(segment);
    });
    const timestamps = [3, 4] as const;
    const sent: Fields = {
      timestamps,
      sackPermitted: true,
      payload: [pattern(20)],
      trafficClass: 1,
    };
    a.send({ ...TO_B, ...sent }, { ...sent, from: 'fd00::1', to: 'fd00::2' });
    b.send({ ...TO_A, ...sent }, { ...sent, from: 'fd00::2', to: 'fd00::1' });
    await settle(a, b);
    // As they look behind the filter: in words and in bytes.
    const arrived = [...b.arrivals, ...a.arrivals];
    expect(arrived.map(({ line }) => line)).toEqual(seen.map(String));
    for (const { payload, words, packet } of arrived) {
      expect(payload).toEqual(fields.payload ?? pattern(20));
      expect(packet.length).toBe(words[Word.PacketLength]);
    }
    expect(a.port.counters).toMatchObject({ outChanged: 2, inChanged: 2, invalid: 0 });
  });

  test('changes addresses: a segment that is received gets another hash', async () => {
    const { a, b } = await filtered((segment, direction) => {
      if (direction === 'in' && segment.seq === 1) segment.change({ source: '10.9.9.9' });
      if (direction === 'out') segment.change({ destination: B });
    });
    b.send(TO_A, { ...TO_A, sequence: 1 });
    a.send({ from: A, to: '10.77.77.77' });
    await settle(a, b);
    const [first, second] = a.arrivals;
    expect(second.line).toMatch(/^IP 10\.9\.9\.9\.40000 > 10\.0\.0\.1\.50000/);
    expect(second.words[Word.Hash]).not.toBe(first.words[Word.Hash]);
    expect(b.arrivals).toHaveLength(1);
  });

  test('changes and delays, and the payload may change meanwhile', async () => {
    const { a, b, clock } = await filtered((segment) => {
      segment.change({ seq: 5 });
      return 10;
    });
    const payload = pattern(50);
    a.send({ ...TO_B, payload: [payload] });
    b.send({ ...TO_A, payload: [pattern(60)] });
    payload.fill(0);
    await settle(a, b);
    clock.advance(10);
    await settle(a, b);
    expect(b.arrivals).toMatchObject([{ sequence: 5, payload: pattern(50) }]);
    expect(a.arrivals).toMatchObject([{ sequence: 5, payload: pattern(60) }]);
  });

  test('a change that fits into no packet is dropped and counted', async () => {
    const { a, b } = await filtered((segment) => {
      segment.change({ payload: new Uint8Array(65_535) });
    });
    a.send(TO_B);
    b.send(TO_A);
    await settle(a, b);
    expect([a.arrivals, b.arrivals]).toEqual([[], []]);
    expect(a.port.counters).toMatchObject({ invalid: 1, inOverflow: 1 });
  });

  test('answers to either side, unseen by itself', async () => {
    let calls = 0;
    const { a, b, clock } = await filtered((segment) => {
      calls++;
      segment.answer({ flags: 'P.', window: 77, payload: pattern(4) });
      return false;
    });
    a.send({ ...TO_B, sequence: 10, acknowledgment: 20, payload: [pattern(6)] });
    b.send({ ...TO_A, sequence: 30, acknowledgment: 40, flags: Flag.FIN | Flag.ACK });
    expect(a.arrivals).toEqual([]);
    await settle(a, b);
    clock.advance(0);
    await settle(a, b);
    expect(a.arrivals.map(({ line }) => line)).toEqual([
      `IP ${B}.50000 > ${A}.40000: Flags [P.], seq 20:24, ack 16, win 77, length 4`,
    ]);
    expect(b.arrivals.map(({ line }) => line)).toEqual([
      `IP ${A}.50000 > ${B}.40000: Flags [P.], seq 40:44, ack 31, win 77, length 4`,
    ]);
    expect(calls).toBe(2);
    expect(a.port.counters).toMatchObject({ outAnswers: 1, inAnswers: 1, outFiltered: 1 });
  });

  test('resets as RFC 9293 has it', async () => {
    const { a, b, clock } = await filtered((segment, direction) => {
      if (direction === 'out') segment.reset();
    });
    a.send(
      { ...TO_B, flags: Flag.SYN, sequence: 100 },
      { ...TO_B, flags: Flag.ACK, acknowledgment: 55 },
      { ...TO_B, flags: Flag.RST },
    );
    await settle(a, b);
    clock.advance(0);
    await settle(a, b);
    expect(b.arrivals).toHaveLength(3);
    expect(a.arrivals.map(({ line }) => line.split(': ')[1])).toEqual([
      'Flags [R.], seq 0, ack 101, win 0, length 0',
      'Flags [R], seq 55, win 0, length 0',
    ]);
  });

  test('sees super-segments as the segments that they are', async () => {
    const lengths: number[] = [];
    const { a, b } = await filtered(({ length }) => void lengths.push(length), 1500);
    a.send({ ...TO_B, gsoSize: 1000, payload: [pattern(2500)] });
    await settle(a, b);
    expect(lengths).toEqual([1000, 1000, 500]);
    expect(a.port.counters.outSplit).toBe(1);
  });

  test('sees ICMP errors, which have no answers', async () => {
    const stream = new Duplex({ read: () => undefined, objectMode: true, write: () => undefined });
    const kinds: unknown[] = [];
    const decide: LinkFilter = (segment) => {
      kinds.push(segment.icmp);
      for (const act of ['reject', 'answer', 'reset'] as const) {
        expect(() => segment[act]()).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_STATE' }),
        );
      }
      segment.change({ ttl: 3 });
    };
    const host = await RecordingHost.open(filter(streamLink(stream), decide), A);
    stream.push(unreachable());
    await settle(host);
    expect(kinds).toEqual([{ type: 3, code: 1 }]);
    expect(host.arrivals).toMatchObject([{ line: expect.stringContaining('unreachable') }]);
    expect(host.arrivals[0].words[Word.HopLimit]).toBe(3);
  });

  test('a view that is kept is what it was, but for its payload', async () => {
    let kept!: LiveSegment;
    const { a, b } = await filtered((segment) => {
      kept = segment;
    });
    a.send({ ...TO_B, sequence: 9, payload: [pattern(3)] });
    await settle(a, b);
    expect(kept).toMatchObject({ seq: 9, length: 3 });
    for (const use of [() => kept.payload, () => kept.change({}), () => kept.reset()]) {
      expect(use).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
    }
  });

  test.each<[string, unknown, string]>([
    ['a negative number', { seq: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a window of 65536', { window: 65_536 }, 'ERR_OUT_OF_RANGE'],
    ['a TTL of 1.5', { ttl: 1.5 }, 'ERR_OUT_OF_RANGE'],
    ['a port that is a text', { sourcePort: '80' }, 'ERR_INVALID_ARG_TYPE'],
    ['an address of the other family', { source: 'fd00::1' }, 'ERR_INVALID_ARG_VALUE'],
    ['an address that is a number', { source: 7 }, 'ERR_INVALID_ARG_VALUE'],
    ['flags that are none', { flags: 'SX' }, 'ERR_INVALID_ARG_VALUE'],
    ['a codepoint that is none', { ecn: 'ect' }, 'ERR_INVALID_ARG_VALUE'],
    ['a text for a payload', { payload: 'text' }, 'ERR_INVALID_ARG_TYPE'],
    ['a payload of 64 KiB', { payload: new Uint8Array(65_536) }, 'ERR_OUT_OF_RANGE'],
    ['a negative option', { mss: -1 }, 'ERR_OUT_OF_RANGE'],
    ['half an option', { timestamps: { value: 1 } }, 'ERR_INVALID_ARG_TYPE'],
    ['a field that is none', { checksum: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['nothing', null, 'ERR_INVALID_ARG_TYPE'],
  ])('a change to %s is refused, and nothing is changed', async (_, fields, code) => {
    const given = fields === null ? null : { ack: 99, ...(fields as SegmentFields) };
    const { a, b } = await filtered((segment) => {
      for (const act of ['change', 'answer'] as const) {
        expect(() => segment[act](given as SegmentFields)).toThrow(
          expect.objectContaining({ code }),
        );
      }
    });
    a.send(TO_B);
    await settle(a, b);
    expect(b.arrivals).toMatchObject([{ sequence: 0 }]);
    expect(b.arrivals[0].words[Word.Acknowledgment]).toBe(0);
    expect(a.port.counters).toMatchObject({ outChanged: 0, inAnswers: 0 });
  });

  test('what it throws, and a wrong delay, is an uncaught exception; the segment is lost', () => {
    const register = join(__dirname, '../support/register.js');
    const source = `
      const { filter } = require('./lib/link/filter.ts');
      const { memoryLink } = require('./lib/link/memory.ts');
      const { RecordingHost, settle } = require('./test/support/recording-host.ts');
      process.on('uncaughtException', (error) => console.log(error.code ?? error.message));
      (async () => {
        const delays = [NaN, -1, 3600001, Infinity];
        const link = filter(memoryLink(), ({ seq }) => {
          if (seq < delays.length) return delays[seq];
          throw new Error('thrown');
        });
        const host = await RecordingHost.open(link, '${A}');
        for (let i = 0; i < 5; i++) host.send({ from: '${A}', to: '${A}', sequence: i });
        await settle(host);
        console.log(host.arrivals.length, host.port.counters.outFiltered);
      })();`;
    const printed = execFileSync(process.execPath, ['-r', register, '-e', source], {
      cwd: join(__dirname, '../..'),
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(printed).toBe(`${'ERR_OUT_OF_RANGE\n'.repeat(4)}thrown\n0 5\n`);
  });

  test('needs a function', () => {
    expect(() => filter(memoryLink(), true as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

/** Host unreachable, about a segment from A to B. */
function unreachable(): Uint8Array {
  const from = parseAddress('10.0.0.99');
  if (from === null) throw new Error('no address');
  return icmpError(from, packet(TO_B), { type: 3, code: 1 });
}

describe('a stack behind a filter', () => {
  async function stacks(decide: LinkFilter) {
    const wire = memoryLink();
    const client = await Stack.open({ link: filter(wire, decide), addresses: ['10.0.0.1/24'] });
    const server = await Stack.open({ link: wire, addresses: ['10.0.0.2/24'] });
    const listener = server.net.createServer((socket) => socket.end('the truth')).listen(80, B);
    await once(listener, 'listening');
    return { client, server, listener };
  }

  test('is refused where the filter answers with RST', async () => {
    const { client, server } = await stacks((segment) => {
      segment.reset();
      return false;
    });
    const socket = client.net.connect(80, B);
    expect(await once(socket, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);
    client.destroy();
    server.destroy();
  });

  test('reads what the filter has made of it', async () => {
    const { client, server } = await stacks((segment, direction) => {
      const text = String(segment.payload).replace('truth', 'jokes');
      if (direction === 'in' && segment.length > 0) segment.change({ payload: Buffer.from(text) });
    });
    const socket = client.net.connect(80, B);
    expect(String(Buffer.concat(await socket.toArray()))).toBe('the jokes');
    client.destroy();
    server.destroy();
  });

  test.each(['in', 'out'])('may be destroyed by its filter, %s', async (when) => {
    let client: Stack | null = null;
    const made = await stacks((_, direction) => {
      if (direction === when) client?.destroy();
    });
    ({ client } = made);
    const socket = client.net.connect(80, B);
    await once(socket, 'close');
    await client.closed;
    made.server.destroy();
  });
});
