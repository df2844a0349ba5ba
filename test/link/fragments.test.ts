/** A datagram that is longer than its path, through everything that passes packets on. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAddress, writeAddress } from '../../lib/core/ip/address';
import { SegmentBatch } from '../../lib/core/segment/batch';
import {
  BuildWord,
  Direction,
  IpProtocol,
  MAY_FRAGMENT,
  Word,
} from '../../lib/core/segment/layout';
import { capture } from '../../lib/link/capture';
import { memoryLink } from '../../lib/link/memory';
import { Tcpdump } from '../../lib/observe/tcpdump';
import { Packet } from '../../lib/testing/engine/packet';
import { RecordingHost, settle } from '../support/recording-host';
import { pattern } from '../support/segments';

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
