import { pattern } from '../../support/lab';
import { Peer } from '../../support/peer';

/** The flags of the segments that leave at once, of so much after such a round trip. */
function flags(bytes: number, rtt: number, window = 65_535): string[] {
  const peer = new Peer({ syn: { mss: 1000 } });
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

  test('half of the congestion window to a near one', () => {
    expect(flags(20_000, 100)).toEqual(['.', '.', '.', '.', 'P.', '.', '.', '.', '.', 'P.']);
  });

  test('as much as the window has room for', () => {
    expect(flags(20_000, 100, 3000)).toEqual(['.', '.', 'P.']);
  });

  test('a segment alone only where the data ends', () => {
    expect(flags(20_000, 100, 500)).toEqual(['.']);
    expect(flags(1000, 100)).toEqual(['P.']);
  });
});

test('the SYN leaves again at once when an old connection was in its way (RFC 9293 §3.5.1)', () => {
  const peer = new Peer();
  peer.dial();
  peer.lines();
  peer.say('.', { seq: 300, ack: 100 });
  peer.pass(1999);
  expect(peer.lines()).toEqual(['R 100']);
  peer.pass(1);
  expect(peer.lines()).toEqual(['S 0']);
  peer.say('.', { seq: 300, ack: 100 });
  peer.pass(500_000);
  expect(peer.lines()).toEqual(['R 100']);
});

test('what does not fit is answered once within 500 ms, from the first millisecond on', () => {
  const peer = new Peer();
  peer.open();
  peer.say('.', { ack: 500 });
  peer.say('.', { ack: 500 });
  expect(peer.lines()).toEqual(['. 1 ack 1']);
  peer.pass(500_000);
  peer.say('.', { ack: 500 });
  expect(peer.lines()).toEqual(['. 1 ack 1']);
});

test('a segment’s room of the receive buffer stays in reserve', () => {
  const peer = new Peer({ tcp: { receiveBuffer: 65_536 }, syn: { mss: 1460, scale: 7 } });
  peer.answer();
  for (let i = 0; i < 6; i++) peer.say('.', { data: 1460 });
  peer.host.core.pollEvent()?.take(65_536);
  expect(peer.host.core.tcp.connection(0).rcvSsthresh).toBe(65_536 - 1460);
});
