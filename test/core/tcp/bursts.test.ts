import { pattern } from '../../support/lab';
import { Peer } from '../../support/peer';

/** The flags of the segments that leave at once, of so much after such a round trip. */
function flags(bytes: number, rtt: number, window = 65_535, minBurst = 2): string[] {
  const peer = new Peer({ syn: { mss: 1000 }, tcp: { minBurst } });
  const socket = peer.dial();
  peer.pass(rtt);
  peer.window = window;
  peer.answer(socket);
  socket.send(pattern(bytes), 0, bytes);
  peer.listen();
  return peer.heard().map((heard) => heard.flags);
}

describe('the last segment of a burst has PSH (Linux)', () => {
  test('two segments to a distant peer', () => {
    expect(flags(5500, 100_000)).toEqual(['.', 'P.', '.', 'P.', '.', 'P.']);
  });

  test('as many as minBurst says, but half of the congestion window at most', () => {
    expect(flags(5000, 100_000, 65_535, 3)).toEqual(['.', '.', 'P.', '.', 'P.']);
    expect(flags(4000, 100_000, 65_535, 1)).toEqual(['.', '.', '.', 'P.']);
    expect(flags(6000, 100_000, 65_535, 10)).toEqual(['.', '.', '.', '.', 'P.', 'P.']);
  });

  test('half of the congestion window to a near one', () => {
    expect(flags(20_000, 100)).toEqual(['.', '.', '.', '.', 'P.', '.', '.', '.', '.', 'P.']);
  });

  test('as much as the window has room for', () => {
    expect(flags(20_000, 100, 3000)).toEqual(['.', '.', 'P.']);
  });

  test('also after half of the largest window, where a packet is full (forced_push)', () => {
    expect(flags(8000, 100_000, 3000, 1)).toEqual(['.', 'P.', '.']);
  });

  test('a segment alone only where the data ends', () => {
    expect(flags(20_000, 100, 500)).toEqual(['.']);
    expect(flags(1000, 100)).toEqual(['P.']);
  });

  test('what Nagle holds back is none of it', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const socket = peer.dial();
    peer.pass(100);
    peer.answer(socket);
    socket.send(pattern(500), 0, 500);
    peer.listen();
    socket.send(pattern(3500), 0, 3500);
    peer.listen();
    expect(sent(peer)).toEqual(['P. 1', '. 501', '. 1501', 'P. 2501']);
  });

  test('what is lost of it leaves as one again', () => {
    const peer = new Peer({ syn: { mss: 1000, sackPermitted: true } });
    const socket = peer.dial();
    peer.pass(100_000);
    peer.answer(socket);
    socket.send(pattern(10_000), 0, 10_000);
    peer.listen();
    sent(peer);
    peer.pass(100_000);
    const sack = [[4001, 5001] as const, [6001, 10_001] as const];
    peer.say('.', { ack: 1001, sack });
    peer.listen();
    expect(sent(peer)).toEqual(['. 1001', '. 2001', 'P. 3001', '. 5001']);
  });
});

/** Flags and numbers of what the peer has heard since. */
function sent(peer: Peer): string[] {
  return peer.heard().map((heard) => `${heard.flags} ${heard.seq}`);
}
