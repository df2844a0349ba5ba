import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { Peer, type PeerOptions } from '../../support/peer';

const SYN = { mss: 1460, sackPermitted: true };

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer({ syn: SYN, ...options });
  const socket = peer.answer();
  return [peer, socket];
}

/** A segment of the peer from one number to another: what is acknowledged, and the blocks. */
function acked(peer: Peer, from: number, to: number): [number, ...[number, number][]] {
  peer.say('.', { seq: from, data: to - from });
  const answer = peer.heard().at(-1);
  if (answer === undefined) throw new Error('no acknowledgment');
  return [answer.ack, ...answer.sack];
}

const counters = (peer: Peer) => peer.host.core.counters;

/** The initial number, so that the numbers are those of the RFC's tables. */
const AS_WRITTEN: PeerOptions = { iss: -1, syn: SYN };

/** A stream of which all before `next` has arrived. */
function from(next: number, options: PeerOptions = {}): Peer {
  const [peer] = connected({ ...AS_WRITTEN, ...options });
  for (let at = 1; at < next; at += 500) acked(peer, at, Math.min(at + 500, next));
  return peer;
}

describe('the examples of RFC 2883', () => {
  test('§4.1.1: a duplicate segment; acknowledgments were lost', () => {
    const peer = from(3000);
    expect(acked(peer, 3000, 3500)).toEqual([3500]);
    expect(acked(peer, 3500, 4000)).toEqual([4000]);
    expect(acked(peer, 3000, 3500)).toEqual([4000, [3000, 3500]]);
    expect(counters(peer)).toMatchObject({ TcpExtTCPDSACKOldSent: 1, TcpExtTCPDSACKOfoSent: 0 });
  });

  test('§4.1.2: an out-of-order segment and a duplicate', () => {
    const peer = from(3000);
    expect(acked(peer, 3000, 3500)).toEqual([3500]);
    expect(acked(peer, 3500, 4000)).toEqual([4000]);
    expect(acked(peer, 4500, 5000)).toEqual([4000, [4500, 5000]]);
    expect(acked(peer, 3000, 3500)).toEqual([4000, [3000, 3500], [4500, 5000]]);
  });

  test('§4.1.3: a duplicate of an out-of-order segment', () => {
    const peer = from(4000);
    expect(acked(peer, 4500, 5000)).toEqual([4000, [4500, 5000]]);
    expect(acked(peer, 5000, 5500)).toEqual([4000, [4500, 5500]]);
    expect(acked(peer, 5000, 5500)).toEqual([4000, [5000, 5500], [4500, 5500]]);
    expect(counters(peer)).toMatchObject({ TcpExtTCPDSACKOldSent: 0, TcpExtTCPDSACKOfoSent: 1 });
  });

  test('§4.2.1: a single duplicate subsegment', () => {
    const peer = from(500);
    expect(acked(peer, 500, 1000)).toEqual([1000]);
    expect(acked(peer, 2000, 2500)).toEqual([1000, [2000, 2500]]);
    expect(acked(peer, 1000, 1500)).toEqual([1500, [2000, 2500]]);
    expect(acked(peer, 1000, 2000)).toEqual([2500, [1000, 1500]]);
  });

  test('§4.2.2: two non-contiguous duplicate subsegments covered by the cumulative ACK', () => {
    const peer = from(500);
    expect(acked(peer, 500, 1000)).toEqual([1000]);
    expect(acked(peer, 3000, 3500)).toEqual([1000, [3000, 3500]]);
    expect(acked(peer, 1000, 1500)).toEqual([1500, [3000, 3500]]);
    expect(acked(peer, 2000, 2500)).toEqual([1500, [2000, 2500], [3000, 3500]]);
    expect(acked(peer, 1000, 2500)).toEqual([2500, [1000, 1500], [3000, 3500]]);
  });

  test('§4.2.3: two non-contiguous duplicate subsegments not covered by it', () => {
    const peer = from(500);
    expect(acked(peer, 500, 1000)).toEqual([1000]);
    expect(acked(peer, 3500, 4000)).toEqual([1000, [3500, 4000]]);
    expect(acked(peer, 1500, 2000)).toEqual([1000, [1500, 2000], [3500, 4000]]);
    expect(acked(peer, 2500, 3000)).toEqual([1000, [2500, 3000], [1500, 2000], [3500, 4000]]);
    expect(acked(peer, 1500, 3000)).toEqual([1000, [1500, 2000], [1500, 3000], [3500, 4000]]);
  });
});

describe('D-SACK', () => {
  test('a duplicate is reported once', () => {
    const peer = from(3001);
    expect(acked(peer, 1, 500)).toEqual([3001, [1, 500]]);
    peer.say('.', { seq: 3001, data: 500 });
    expect(peer.heard().at(-1)).toMatchObject({ ack: 3501, sack: [] });
  });

  test('only what has arrived twice of a segment that is partly new', () => {
    const peer = from(1001);
    expect(acked(peer, 501, 1501)).toEqual([1501, [501, 1001]]);
    expect(acked(peer, 2001, 2501)).toEqual([1501, [2001, 2501]]);
    expect(acked(peer, 2301, 2801)).toEqual([1501, [2301, 2501], [2001, 2801]]);
    expect(acked(peer, 1901, 2101)).toEqual([1501, [2001, 2101], [1901, 2801]]);
    expect(acked(peer, 1501, 2001)).toEqual([2801, [1901, 2001]]);
  });

  test('beside timestamps it leaves room for two blocks', () => {
    const [peer] = connected({ timestamps: true });
    for (const seq of [1, 1001, 2001, 3001, 4001]) acked(peer, seq, seq + 500);
    expect(acked(peer, 1, 501)).toEqual([501, [1, 501], [4001, 4501], [3001, 3501]]);
    expect(acked(peer, 2001, 2501)).toEqual([501, [2001, 2501], [2001, 2501], [4001, 4501]]);
  });

  test('rides on data, if there is any', () => {
    const [peer, socket] = connected();
    acked(peer, 1, 501);
    socket.send(new Uint8Array(100), 0, 100);
    peer.say('.', { seq: 1, data: 500 });
    expect(peer.heard().map(({ length, sack }) => [length, sack])).toEqual([
      [0, [[1, 501]]],
      [100, []],
    ]);
  });

  test('over the wrap of the numbers', () => {
    const [peer] = connected({ iss: 0x7ffffc00 });
    for (let at = 1; at < 3000; at += 500) acked(peer, at, at + 500);
    expect(acked(peer, 501, 1501)).toEqual([3001, [501, 1501]]);
    expect(acked(peer, 3501, 4001)).toEqual([3001, [3501, 4001]]);
    expect(acked(peer, 3401, 3601)).toEqual([3001, [3501, 3601], [3401, 4001]]);
  });

  test.each([
    ['dsack = 0', { tcp: { dsack: 0 } }],
    ['no SACK', { syn: { mss: 1460 } }],
  ])('%s: no report', (_, options) => {
    const [peer] = connected(options);
    acked(peer, 1, 501);
    expect(acked(peer, 1, 501)).toEqual([501]);
    expect(counters(peer).TcpExtTCPDSACKOldSent).toBe(0);
  });

  test('what a forger says twice is reported too, and leaves nothing behind', () => {
    const [peer] = connected();
    acked(peer, 1, 501);
    expect(acked(peer, -1_000_000, -999_000)).toEqual([501, [-1_000_000, -999_000]]);
    expect(peer.host.core.tcp.connection(0).inbound).toBeNull();
  });

  test('a segment that PAWS refuses is a duplicate as well', () => {
    const [peer] = connected({ timestamps: true });
    acked(peer, 1, 501);
    const old = peer.tsVal - 1000;
    peer.say('.', { seq: 1, data: 500, ts: [old, peer.tsEcr] });
    expect(peer.heard().at(-1)?.sack).toEqual([[1, 501]]);
  });
});
