import type { StreamSocket } from '../../../../lib/core/socket/stream-socket';
import { State } from '../../../../lib/core/tcp/state';
import { pattern } from '../../../support/lab';
import { Peer, type PeerOptions } from '../../../support/peer';

// RFC 9293 §3.1, §3.4, §3.8.6: the window.

const SECOND = 1_000_000;

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer({ syn: { mss: 1000 }, ...options });
  return [peer, peer.answer()];
}

function send(peer: Peer, socket: StreamSocket, bytes: number): void {
  expect(socket.send(pattern(bytes), 0, bytes)).toBe(bytes);
  peer.listen();
}

test.each([32_767, 32_768, 65_535])('a window of %d is that wide (MUST-1)', (window) => {
  const [peer, socket] = connected({ tcp: { initialCwnd: 100 } });
  peer.say('.', { window });
  peer.heard();
  send(peer, socket, 100_000);
  const sent = peer.heard().reduce((sum, { length }) => sum + length, 0);
  expect(sent).toBe(Math.floor(window / 1000) * 1000);
});

test('a window that shrank: what lies within it is sent again (SHLD-16)', () => {
  const [peer, socket] = connected();
  peer.say('.', { window: 8000 });
  send(peer, socket, 20_000);
  expect(peer.heard().length).toBe(8);
  peer.say('.', { ack: 1001, window: 3000 });
  peer.pass(SECOND);
  // The timeout: the first again; it is acknowledged, and slow start goes on up to the edge.
  expect(peer.lines()[0]).toBe('. 1001:2001 ack 1');
  peer.say('.', { ack: 2001, window: 2000 });
  peer.say('.', { ack: 3001, window: 1000 });
  const again = peer.heard();
  expect(again.length).toBeGreaterThan(0);
  expect(Math.max(...again.map(({ seq, length }) => seq + length))).toBe(4001);
});

test('a window that shrank to zero: data beyond it is never given up (SHLD-17)', () => {
  const [peer, socket] = connected();
  peer.say('.', { window: 5000 });
  send(peer, socket, 5000);
  peer.say('.', { ack: 1, window: 0 });
  peer.heard();
  let probes = 0;
  for (let minute = 0; minute < 120; minute++) {
    peer.pass(60 * SECOND);
    for (let heard = peer.heard().length; heard > 0; heard--) {
      probes++;
      peer.say('.', { ack: 1, window: 0 });
    }
  }
  expect(probes).toBeGreaterThan(50);
  expect(socket.state).toBe(State.ESTABLISHED);
});

/** A stack whose reader sleeps: its window is closed. */
function closedWindow(): [Peer, StreamSocket] {
  const [peer, socket] = connected({ tcp: { receiveBuffer: 4000 } });
  for (let left = 1000; left > 0; left = peer.log.at(-1)?.window ?? 0) {
    peer.say('.', { data: Math.min(left, 1000) });
    peer.pass(SECOND);
  }
  peer.heard();
  return [peer, socket];
}

test('a closed window keeps out data, not a RST (MUST-66)', () => {
  const [peer, socket] = closedWindow();
  const before = socket.inQueue;
  peer.say('.', { seq: peer.seq, data: 10 });
  expect(socket.inQueue).toBe(before);
  expect(peer.lines()).toEqual([`. 1 ack ${peer.seq}`]);
  peer.say('R', { seq: peer.seq });
  expect(socket.state).toBe(State.CLOSED);
});

test('a closed window keeps out data, not its acknowledgment (§3.10.7.4, first)', () => {
  const [peer, socket] = closedWindow();
  send(peer, socket, 500);
  expect(socket.outQueue).toBe(500);
  peer.say('.', { seq: peer.seq, data: 10, ack: 501 });
  expect(socket.outQueue).toBe(0);
});
