import { State } from '../../../lib/core/tcp/state';
import { Peer } from '../../support/peer';

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
  peer.host.core.tcp.pollEvent()?.take(65_536);
  expect(peer.host.core.tcp.connection(0).rcvSsthresh).toBe(65_536 - 1460);
});

test('an orphan in FIN-WAIT-2 waits for the peer’s FIN to be sent twice more (Linux)', () => {
  const peer = new Peer({ tcp: { finTimeout: 1000 } });
  const socket = peer.dial();
  peer.pass(300_000);
  peer.answer(socket);
  socket.close();
  peer.listen();
  peer.say('.');
  // 3.5 timeouts of 900 ms and what the acknowledgment of the FIN has taken off.
  peer.pass(2_500_000);
  expect(peer.state).toBe(State.FIN_WAIT_2);
  peer.pass(1_000_000);
  expect(peer.state).toBe(State.CLOSED);
});
