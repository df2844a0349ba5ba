import { Flag } from '../../../../lib/core/segment/layout';
import { Lab, pattern, transfer } from '../../../support/lab';
import { Peer } from '../../../support/peer';
import { optionsOf, withOptions } from './raw-options';

// RFC 9293 §3.1, §3.2: what a peer may write, and what we do.

const END = 0;
const NOP = 1;
const MSS = 2;

/** A peer that says one data segment with these options: what is heard, what was read. */
function answered(options: readonly number[]): [string[], Uint8Array | number, number] {
  const peer = new Peer();
  const socket = peer.open();
  const before = peer.host.core.tcp.connection(0).sndMss;
  const packet = withOptions(peer.packet('P.', { data: pattern(10), ts: null }), options);
  peer.deliver(packet);
  peer.listen();
  const after = peer.host.core.tcp.connection(0).sndMss;
  return [peer.lines(), socket.take(100), after - before];
}

describe('a segment with data is taken, whatever its options', () => {
  test.each<[string, readonly number[]]>([
    ['an MSS, which counts in a SYN alone (MUST-5)', [MSS, 4, 1, 0]],
    ['SACK-permitted and window scale', [4, 2, 3, 3, 7, NOP, NOP, NOP]],
    ['an unknown one (MUST-6)', [253, 4, 9, 9]],
    ['an unknown one at an odd place (MUST-64)', [NOP, 253, 3, 9]],
    ['one after another without a NOP (MUST-64)', [253, 3, 9, 254, 5, 9, 9, 9]],
    ['40 bytes of an unknown one', [253, 40, ...new Array<number>(38).fill(9)]],
    ['nothing but padding', [NOP, NOP, NOP, NOP]],
    ['the end of the list, then what is none (MUST-4)', [END, MSS, 0, 255]],
    ['length 0 (MUST-7)', [253, 0, 9, 9]],
    ['length 1 (MUST-7)', [MSS, 1, 9, 9]],
    ['a length beyond the header (MUST-7)', [253, 44, 9, 9]],
    ['a kind without a length at the end (MUST-7)', [NOP, NOP, NOP, 253]],
  ])('%s', (_name, options) => {
    expect(answered(options)).toEqual([['. 1 ack 11'], pattern(10), 0]);
  });
});

test('an unknown option of a SYN is ignored, and what stands behind it counts (MUST-6)', () => {
  const peer = new Peer();
  const listener = peer.server();
  const syn = peer.packet('S', { ts: null });
  peer.deliver(withOptions(syn, [253, 3, 9, MSS, 4, 2, 0x58, NOP]));
  peer.listen();
  expect(peer.lines()).toEqual(['S. 0 ack 1']);
  peer.say('.');
  expect(listener.waiting).toBe(1);
  expect(peer.host.core.tcp.connection(0).sndMss).toBe(600);
});

/** Every packet that two stacks send: handshake, data with losses, both closes. */
function life(): Uint8Array[] {
  const packets: Uint8Array[] = [];
  const lab = new Lab();
  lab.filter = (packet, _from, count) => {
    packets.push(packet.slice());
    return count > 10 && count % 17 === 0 ? false : undefined;
  };
  const { client, server } = lab.pair();
  const data = pattern(300_000);
  expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
  client.close();
  server.close();
  lab.run();
  expect(packets.length).toBeGreaterThan(200);
  return packets;
}

test('each option of ours has its length, and padding is zero (MUST-68, MUST-69)', () => {
  let sack = 0;
  for (const packet of life()) {
    const options = optionsOf(packet);
    let at = 0;
    while (at < options.length && options[at] !== END) {
      const kind = options[at];
      if (kind === 5) sack++;
      const length = kind === NOP ? 1 : options[at + 1];
      expect(length).toBeGreaterThan(kind === NOP ? 0 : 1);
      at += length;
    }
    expect(at).toBeLessThanOrEqual(options.length);
    expect(options.slice(at).every((byte) => byte === 0)).toBe(true);
  }
  expect(sack).toBeGreaterThan(0);
});

test('MSS is in every SYN, and nowhere else (SHLD-5, MUST-65)', () => {
  let syns = 0;
  for (const packet of life()) {
    const isSyn = (packet[33] & Flag.SYN) !== 0;
    if (isSyn) syns++;
    const options = optionsOf(packet);
    const kinds: number[] = [];
    for (let at = 0; at < options.length; at += options[at] === NOP ? 1 : options[at + 1]) {
      kinds.push(options[at]);
    }
    expect(kinds.includes(MSS)).toBe(isSyn);
  }
  expect(syns).toBe(2);
});
