import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { initialWindow, windowScaleFor } from '../../../lib/core/tcp/receive-window';
import { pattern } from '../../support/lab';
import { Peer } from '../../support/peer';

const SECOND = 1_000_000;

describe('the window of a SYN (RFC 7323 §2)', () => {
  test.each([
    [1024, 0],
    [65_535, 0],
    [65_536, 1],
    [131_071, 1],
    [131_072, 2],
    [2 ** 29 - 1, 13],
    [2 ** 30 - 1, 14],
    [2 ** 30, 14],
  ])('a buffer of %d bytes needs a scale of %d', (bytes, scale) => {
    expect(windowScaleFor(bytes)).toBe(scale);
    const peer = new Peer({ tcp: { receiveBuffer: bytes, receiveBufferMax: bytes } });
    peer.dial();
    expect(peer.log[0].scale).toBe(scale);
  });

  test.each([
    [1024, 1460, 1024],
    [1460, 1460, 1460],
    [1461, 1460, 1460],
    [65_535, 1460, 64_240],
    [1_048_576, 1460, 65_535],
    [1_048_576, 65_495, 65_535],
  ])('a buffer of %d bytes and a segment of %d: whole segments, %d', (buffer, mss, window) => {
    expect(initialWindow(buffer, mss)).toBe(window);
  });
});

describe('the congestion window after a pause (RFC 5681 §4.1, as on Linux)', () => {
  /** A connection whose congestion window has grown to `cwnd` segments; round trips of 100 ms. */
  function grown(cwnd: number, tcp = {}): [Peer, StreamSocket] {
    const peer = new Peer({ syn: { mss: 1000, scale: 7 }, tcp });
    const socket = peer.dial();
    peer.pass(100_000);
    peer.answer(socket);
    while (control(peer).cwnd < cwnd) {
      const bytes = control(peer).cwnd * 1000;
      socket.send(pattern(bytes), 0, bytes);
      peer.listen();
      peer.pass(100_000);
      peer.say('.');
    }
    return [peer, socket];
  }

  const control = (peer: Peer) => peer.host.core.tcp.connection(0);

  /** How many segments leave at once now. */
  function burst(peer: Peer, socket: StreamSocket): number {
    peer.heard();
    socket.send(pattern(100_000), 0, 100_000);
    peer.listen();
    return peer.heard().length;
  }

  test('is what it was before one timeout has passed', () => {
    const [peer, socket] = grown(40);
    const { rto } = control(peer);
    peer.pass(rto - 101_000);
    expect(burst(peer, socket)).toBeGreaterThanOrEqual(40);
    expect(control(peer).ssthresh).toBe(0x7fffffff);
  });

  test('is halved for each timeout, down to the initial window', () => {
    const results = [0, 1, 2, 3, 10].map((timeouts) => {
      const [peer, socket] = grown(80);
      const { rto, cwnd } = control(peer);
      peer.pass(rto * timeouts + rto / 2);
      return [cwnd, burst(peer, socket)];
    });
    expect(results.map(([, sent]) => sent)).toEqual([
      results[0][0],
      results[1][0] >> 1,
      results[2][0] >> 2,
      10,
      10,
    ]);
  });

  test('slow start up to three quarters of what it was', () => {
    const [peer, socket] = grown(80);
    const { cwnd } = control(peer);
    control(peer).ssthresh = 20;
    peer.pass(10 * SECOND);
    burst(peer, socket);
    expect(control(peer).ssthresh).toBe((cwnd * 3) >> 2);
  });

  test('a window that is no larger than the initial one stays', () => {
    const [peer, socket] = grown(10);
    control(peer).ssthresh = 5;
    peer.pass(10 * SECOND);
    burst(peer, socket);
    expect([control(peer).cwnd, control(peer).ssthresh]).toEqual([10, 7]);
  });

  test('slowStartAfterIdle = 0 leaves it alone', () => {
    const [peer, socket] = grown(40, { slowStartAfterIdle: 0 });
    peer.pass(100 * SECOND);
    expect(burst(peer, socket)).toBeGreaterThanOrEqual(40);
  });
});

test('TCP_USER_TIMEOUT counts from the first SYN that was sent again, whatever the time', () => {
  const peer = new Peer({ start: 5000 * SECOND });
  const socket = peer.dial((made) => void made.setOption(12, 3500));
  peer.pass(4 * SECOND);
  expect(peer.log.length).toBe(5);
  expect(socket.takeError()).toBe(0);
  peer.pass(4 * SECOND);
  expect(socket.takeError()).toBe(110);
});
