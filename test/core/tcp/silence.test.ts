import { Lab, pattern } from '../../support/lab';
import { Peer } from '../../support/peer';

const SECOND = 1_000_000;

test('R1: after three retransmissions without an answer IP and the program are told', () => {
  const peer = new Peer();
  const doubted: number[] = [];
  peer.host.core.tcp.environment.paths.doubt = ({ w3 }) => doubted.push(w3);
  const socket = peer.open();
  socket.send(pattern(10), 0, 10);
  // The first leaves after 200 ms, as do its repetitions after twice that and so on.
  peer.pass(2.9 * SECOND);
  while (peer.host.core.pollEvent() !== null);
  expect([socket.isSilent, doubted.length]).toEqual([false, 0]);
  peer.pass(0.3 * SECOND);
  expect(peer.host.core.pollEvent()).toBe(socket);
  expect(socket.isSilent).toBe(true);
  expect(doubted).toEqual([0x0a000002]);
  peer.pass(30 * SECOND);
  expect(doubted.length).toBe(1);
  expect(peer.host.core.counters.NetlandSilences).toBe(1);
  peer.say('.', { ack: 11 });
  expect(socket.isSilent).toBe(false);
  expect(peer.host.core.pollEvent()).toBe(socket);
});

test('a SYN has an R1, too', () => {
  const lab = new Lab({ filter: () => false, tcp: { synLinearTimeouts: 0 } });
  const socket = lab.connect(lab.a, lab.b, 80);
  lab.pass(14 * SECOND);
  expect([lab.a.core.counters.NetlandSilences, socket.isSilent]).toEqual([0, false]);
  lab.pass(2 * SECOND);
  expect([lab.a.core.counters.NetlandSilences, socket.isSilent]).toEqual([1, true]);
});
