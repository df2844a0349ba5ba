/** A datagram that is longer than its path, through everything that passes packets on. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { icmpError } from '../../lib/codec/build-icmp';
import { parseAddress, writeAddress } from '../../lib/core/ip/address';
import { SegmentBatch } from '../../lib/core/segment/batch';
import {
  BuildWord,
  Direction,
  IcmpWord,
  IpProtocol,
  MAY_FRAGMENT,
  Word,
} from '../../lib/core/segment/layout';
import { capture } from '../../lib/link/capture';
import { type LinkFilter, filter } from '../../lib/link/filter';
import { impair } from '../../lib/link/impair';
import { memoryLink } from '../../lib/link/memory';
import { streamLink } from '../../lib/link/stream';
import { Tcpdump } from '../../lib/observe/tcpdump';
import { Packet } from '../../lib/testing/engine/packet';
import { RecordingHost, settle } from '../support/recording-host';
import { pattern } from '../support/segments';
import { ManualClock } from './impair/support';

const icmpErrorTo = (packet: Uint8Array, from: string) => {
  const address = parseAddress(from);
  if (address === null) throw new Error('no address');
  return icmpError(address, packet, { type: from.includes(':') ? 1 : 3, code: 1 });
};

/** A batch with a datagram of `length` bytes from the first to the second address. */
function datagram(host: RecordingHost, [from, to]: string[], length: number, limit: number) {
  const batch = new SegmentBatch(1);
  const base = batch.push();
  const { words } = batch;
  words[base + Word.Family] = from.includes(':') ? 6 : 4;
  words[base + Word.Protocol] = IpProtocol.Udp;
  words[base + Word.Direction] = Direction.Out;
  words[base + Word.HopLimit] = 64;
  words[base + Word.Identification] = from.includes(':') ? 0 : 77 | MAY_FRAGMENT;
  words[base + BuildWord.FragmentId] = 99;
  [from, to].forEach((text, i) => {
    const address = parseAddress(text);
    if (address !== null) writeAddress(address, words, base + Word.Source + 4 * i);
  });
  words[base + Word.SourcePort] = 1000;
  words[base + Word.DestinationPort] = 2000;
  words[base + Word.Fragment] = limit;
  words[base + Word.PayloadLength] = length;
  words[base + Word.SliceCount] = 1;
  batch.slices.set([host.slabs.add(pattern(length)), 0, length]);
  return batch;
}

const ENDS4 = ['10.0.0.1', '10.0.0.2'];
const ENDS6 = ['fd00::1', 'fd00::2'];
const LINES4 = [
  'IP 10.0.0.1.1000 > 10.0.0.2.2000: UDP, length 3000',
  'IP 10.0.0.1 > 10.0.0.2: ip-proto-17',
  'IP 10.0.0.1 > 10.0.0.2: ip-proto-17',
];
const LINES6 = [
  'IP6 fd00::1 > fd00::2: frag (0|1448) 1000 > 2000: UDP, length 3000',
  'IP6 fd00::1 > fd00::2: frag (1448|1448)',
  'IP6 fd00::1 > fd00::2: frag (2896|112)',
];
const CASES: [string, string[], string[]][] = [
  ['IPv4', ENDS4, LINES4],
  ['IPv6', ENDS6, LINES6],
];

async function pair(mtu: number) {
  const link = memoryLink({ mtu });
  const a = await RecordingHost.open(link, ENDS4[0], ENDS6[0]);
  const b = await RecordingHost.open(link, ENDS4[1], ENDS6[1]);
  return { link, a, b };
}

describe('the memory link', () => {
  test.each(CASES)('carries the fragments: %s', async (_, ends, lines) => {
    const { a, b } = await pair(1500);
    a.port.transmit(datagram(a, ends, 3000, 1500));
    await settle(a, b);
    expect(b.arrivals.map(({ line }) => line)).toEqual(lines);
    const carried = b.arrivals.flatMap(({ payload }) => [...payload]);
    expect(carried.slice(8)).toEqual([...pattern(3000)]);
    expect(a.port.counters).toMatchObject({ sent: 3, tooBig: 0 });
    expect(b.port.counters).toMatchObject({ received: 3 });
  });

  test('refuses what is longer than it may be, or what must not be split', async () => {
    const { a, b } = await pair(1000);
    a.port.transmit(datagram(a, ENDS4, 3000, 0));
    a.port.transmit(datagram(a, ENDS4, 3000, 1500));
    const whole = datagram(a, ENDS4, 3000, 1000);
    whole.words[Word.Identification] = 77;
    a.port.transmit(whole);
    await settle(a, b);
    expect(b.arrivals).toEqual([]);
    expect(a.port.counters).toMatchObject({ sent: 0, tooBig: 2, invalid: 1 });
  });

  test('drops what there is no room for, and stays bounded', async () => {
    const { a, b } = await pair(1500);
    for (let i = 0; i < 400; i++) a.port.transmit(datagram(a, ENDS4, 60_000, 1500));
    expect(b.port.counters.dropped).toBeGreaterThan(0);
    await settle(a, b);
    expect(b.port.counters.received).toBeGreaterThan(5000);
    expect(b.port.counters.received).toBeLessThan((8 * 1024 * 1024 * 1.1) / 1480);
  });
});

describe('a stream link', () => {
  test.each(CASES)('has one fragment in each message: %s', async (_, ends, lines) => {
    const [near, far] = duplexPair({ objectMode: true });
    const a = await RecordingHost.open(streamLink(near), ends[0]);
    const b = await RecordingHost.open(streamLink(far), ends[1]);
    a.port.transmit(datagram(a, ends, 3000, 1500));
    await settle(a, b);
    expect(b.arrivals.map(({ line }) => line)).toEqual(lines);
    expect(a.port.counters).toMatchObject({ sent: 3, tooBig: 0 });
  });

  test('has them one behind the other in a stream of bytes', async () => {
    const [near, far] = duplexPair();
    const a = await RecordingHost.open(streamLink(near, { mtu: 1400 }), ...ENDS4);
    const b = await RecordingHost.open(streamLink(far), ...ENDS4);
    for (const limit of [1400, 1401]) a.port.transmit(datagram(a, ENDS4, 65_507, limit));
    const whole = datagram(a, ENDS4, 3000, 1000);
    whole.words[Word.Identification] = 77;
    a.port.transmit(whole);
    await settle(a, b);
    const count = Math.ceil(65_515 / 1376);
    expect(a.port.counters).toMatchObject({ sent: count, tooBig: 1, invalid: 1 });
    const carried = b.arrivals.flatMap(({ payload }) => [...payload]);
    expect(carried.slice(8)).toEqual([...pattern(65_507)]);
  });
});

describe('an impaired link', () => {
  test.each(CASES)('is passed by fragments: %s', async (_, ends, lines) => {
    const link = memoryLink({ mtu: 1500 });
    const impaired = impair(link, { seed: 1, delay: 5 }, new ManualClock());
    const plain = await RecordingHost.open(link, '10.0.0.9');
    const a = await RecordingHost.open(impaired, ENDS4[0], ENDS6[0]);
    const b = await RecordingHost.open(link, ENDS4[1], ENDS6[1]);
    plain.port.transmit(datagram(plain, ends, 3000, 1500));
    a.port.transmit(datagram(a, ends, 3000, 1500));
    a.port.close();
    await settle(a, b);
    expect(b.arrivals.map(({ line }) => line)).toEqual([...lines, ...lines]);
    // The same bytes as without it.
    const packets = b.arrivals.map(({ packet }) => Buffer.from(packet));
    expect(packets.slice(3)).toEqual(packets.slice(0, 3));
    expect(a.port.counters).toMatchObject({ outSplit: 1, outDelayed: 3 });
  });

  test('loses a datagram with one of its fragments', async () => {
    const link = memoryLink({ mtu: 1500 });
    const a = await RecordingHost.open(impair(link, { seed: 4, loss: 0.2 }), ENDS4[0]);
    const b = await RecordingHost.open(link, ENDS4[1]);
    for (let i = 0; i < 100; i++) a.port.transmit(datagram(a, ENDS4, 3000, 1500));
    await settle(a, b);
    const { outLost } = a.port.counters;
    expect(outLost).toBeGreaterThan(40);
    expect(b.arrivals).toHaveLength(300 - outLost);
  });

  test('takes what can not be split, or not be built, for the link to refuse', async () => {
    const link = memoryLink({ mtu: 1500 });
    const a = await RecordingHost.open(impair(link, { seed: 1, loss: 0.001 }), ENDS4[0]);
    const whole = datagram(a, ENDS4, 3000, 1000);
    whole.words[Word.Identification] = 77;
    a.port.transmit(whole);
    const wrong = datagram(a, ENDS4, 3000, 1000);
    wrong.slices[0] = 99;
    a.port.transmit(wrong);
    expect(a.port.counters).toMatchObject({ invalid: 1, outOverflow: 1, outSplit: 0 });
  });
});

describe('a filter', () => {
  test.each(CASES)('sees the datagram that is sent: %s', async (_, ends) => {
    const seen: object[] = [];
    const link = memoryLink({ mtu: 1500 });
    const decide: LinkFilter = (packet, direction) => {
      const { protocol, sourcePort, destinationPort, length, payload, fragment } = packet;
      seen.push({ direction, protocol, sourcePort, destinationPort, length, fragment });
      if (direction === 'in') {
        expect(() => packet.change({})).toThrow(/whole packets/);
        return;
      }
      expect(Uint8Array.from(payload)).toEqual(pattern(3000));
      packet.change({ destinationPort: 53, payload: pattern(2000, 1), ttl: 9 });
    };
    const a = await RecordingHost.open(filter(link, decide), ...ends);
    a.port.transmit(datagram(a, ends, 3000, 1500));
    await settle(a);
    expect(seen[0]).toMatchObject({
      ...{ direction: 'out', protocol: 'udp', sourcePort: 1000, destinationPort: 2000 },
      ...{ length: 3000, fragment: undefined },
    });
    const room = ends === ENDS4 ? 1480 : 1448;
    expect(seen.slice(1)).toMatchObject([
      { protocol: 'udp', length: room, fragment: { offset: 0, more: true } },
      { length: 2008 - room, fragment: { offset: room, more: false } },
    ]);
    const carried = Buffer.concat(a.arrivals.map(({ payload }) => payload));
    expect(Uint8Array.from(carried.subarray(8))).toEqual(pattern(2000, 1));
    expect(carried.readUInt16BE(2)).toBe(53);
    expect(a.arrivals[0].words[Word.HopLimit]).toBe(9);
  });

  test.each(CASES)('answers a datagram, and rejects it: %s', async (_, ends) => {
    const link = memoryLink();
    let act: LinkFilter = (packet) => packet.answer({ payload: pattern(5) });
    const decide: LinkFilter = (packet, direction) => {
      act(packet, direction);
      return false;
    };
    const clock = new ManualClock();
    const a = await RecordingHost.open(filter(link, decide, clock), ends[0]);
    const b = await RecordingHost.open(link, ends[1]);
    const send = async () => {
      a.port.transmit(datagram(a, ends, 700, 0));
      b.port.transmit(datagram(b, [ends[1], ends[0]], 700, 0));
      await settle(a, b);
      clock.advance(0);
      await settle(a, b);
    };
    await send();
    act = (packet) => {
      expect(() => packet.reset()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
      packet.reject();
    };
    await send();
    act = (packet) => packet.reject('prohibited');
    await send();
    const [, ip] = ends === ENDS4 ? [ENDS4, 'IP'] : [ENDS6, 'IP6'];
    const lines = (host: RecordingHost) => host.arrivals.map(({ line }) => line);
    expect(lines(a)[0]).toBe(`${ip} ${ends[1]}.2000 > ${ends[0]}.1000: UDP, length 5`);
    expect(lines(b)[0]).toBe(`${ip} ${ends[0]}.2000 > ${ends[1]}.1000: UDP, length 5`);
    expect(lines(a).slice(1).join()).toMatch(/udp port 2000.*(prohibited|admin)/s);
    for (const { words } of a.arrivals.slice(1)) {
      expect(words[Word.Checksum]).toBe(0);
      expect([words[IcmpWord.Quoted], words[Word.DestinationPort]]).toEqual([17, 1000]);
    }
    expect(b.arrivals).toHaveLength(3);
  });

  test('refuses what a packet does not have, and errors about errors and groups', async () => {
    const refused: string[] = [];
    const link = memoryLink();
    const attempt = (act: () => void) => {
      try {
        act();
      } catch (error) {
        refused.push(`${(error as { code?: string }).code}`);
      }
    };
    const decide: LinkFilter = (packet) => {
      if (packet.protocol === 'icmp') attempt(() => packet.change({ sourcePort: 1 }));
      else attempt(() => packet.change({ seq: 1 }));
      if (packet.protocol === 'icmp') attempt(() => packet.answer());
      attempt(() => packet.reject());
      attempt(() => packet.reject('no' as never));
      return false;
    };
    const a = await RecordingHost.open(filter(link, decide), ENDS4[0]);
    a.port.transmit(datagram(a, [ENDS4[0], '224.0.0.5'], 10, 0));
    const stream = duplexPair({ objectMode: true });
    await RecordingHost.open(filter(streamLink(stream[0]), decide), ENDS4[0]);
    const b = await RecordingHost.open(streamLink(stream[1]), ENDS4[1]);
    void b;
    stream[1].write(Buffer.from(icmpErrorTo(new Uint8Array(28).fill(69, 0, 1), ENDS4[1])));
    await settle(a, b);
    const [value, state] = ['ERR_INVALID_ARG_VALUE', 'ERR_INVALID_STATE'];
    expect(refused).toEqual([value, state, value, value, state, state, value]);
  });
});

test.each(CASES)('is printed as what leaves: %s', async (_, ends, lines) => {
  const { a } = await pair(1500);
  const tcpdump = new Tcpdump(a.slabs.slabs);
  const text = tcpdump.format(datagram(a, ends, 3000, 1500), 0, Direction.Out);
  expect(text.split('\n')).toEqual(lines);
  const whole = tcpdump.format(datagram(a, ends, 3000, 0), 0, Direction.Out);
  expect(whole).toMatch(/UDP, length 3000$/);
});

test('is captured as what leaves', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'netland-'));
  try {
    const file = join(folder, 'a.pcapng');
    const link = capture(memoryLink({ mtu: 1500 }), file);
    const a = await RecordingHost.open(link, ENDS4[0]);
    a.port.transmit(datagram(a, ENDS4, 3000, 1500));
    expect(a.port.counters).toMatchObject({ captured: 3, captureDropped: 0 });
    a.port.close();
    expect(readFileSync(file).length).toBeGreaterThan(3000 + 3 * 20);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each(CASES)('is several packets of a simulated network: %s', async (_, ends) => {
  const { a } = await pair(1500);
  const packets = Packet.takeOther(datagram(a, ends, 3000, 1500), 0, a.slabs.slabs);
  expect(packets.map((packet) => packet.length)).toEqual(
    ends === ENDS4 ? [1500, 1500, 68] : [1496, 1496, 160],
  );
  for (const packet of packets) {
    expect(packet.isSegment).toBe(false);
    // The bytes are those that would be on a wire.
    const again = Packet.of(packet.bytes());
    expect(again?.words).toEqual(packet.words);
    expect(again?.payload).toEqual(packet.payload);
  }
  const [whole, ...none] = Packet.takeOther(datagram(a, ends, 3000, 0), 0, a.slabs.slabs);
  expect(none).toEqual([]);
  expect(whole.words[Word.SourcePort]).toBe(1000);
  expect(whole.payload).toEqual(pattern(3000));
});
