import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { pattern, readAll } from '../../support/lab';
import { Peer } from '../../support/peer';

const MS = 1000;

/** A connection on which the peer has sent for a while: the quick acknowledgments are used up. */
function settled(rtt = 10 * MS): [Peer, StreamSocket] {
  const peer = new Peer({ syn: { mss: 1000, sackPermitted: true } });
  const socket = peer.dial();
  peer.pass(rtt);
  peer.answer(socket);
  for (let i = 0; i < 40; i++) {
    peer.say('.', { data: 1000 });
    readAll(socket);
    peer.pass(10 * MS);
  }
  peer.pass(100 * MS);
  peer.lines();
  return [peer, socket];
}

/** What the stack sends in the second that follows: how many ms later, and the flags. */
function answers(peer: Peer): [number, string][] {
  const start = peer.now;
  peer.pass(1000 * MS);
  return peer.heard().map(({ at, flags }) => [(at - start) / MS, flags]);
}

/** A question of the peer, answered by the program after a pause. */
function exchange(peer: Peer, socket: StreamSocket, pause: number): void {
  peer.say('P.', { data: 100 });
  peer.pass(pause);
  readAll(socket);
  socket.send(pattern(50), 0, 50);
  peer.listen();
  peer.say('.');
  peer.heard();
}

describe('the delay follows the peer’s rhythm (as on Linux)', () => {
  /** How late, ms, the first of those segments was acknowledged that came this far apart. */
  function delayAt(gap: number, rtt = 10 * MS): number {
    const [peer] = settled(rtt);
    let waiting = peer.now;
    let delay = 0;
    for (let i = 0; i < 40; i++) {
      if (waiting < 0) waiting = peer.now;
      peer.say('.', { data: 10 });
      peer.pass(gap * MS);
      const [ack] = peer.heard();
      if (ack === undefined) continue;
      delay = (ack.at - waiting) / MS;
      // What came since then waits for the next one.
      waiting = ack.ack === peer.seq ? -1 : peer.now;
    }
    return delay;
  }

  // Twice the distance, 40 to 200 ms; to a near peer never more than 40. What comes when less than
  // a quarter of the delay is left is acknowledged at once.
  test.each([
    [5, 30, 30],
    [19, 38, 38],
    [20, 40, 40],
    [25, 40, 50],
    [50, 40, 100],
    [80, 40, 160],
    [100, 40, 200],
    [150, 40, 150],
  ])('%d ms apart: %d ms to a near peer, %d to a distant one', (gap, near, distant) => {
    expect([delayAt(gap), delayAt(gap, 300 * MS)]).toEqual([near, distant]);
  });

  test('a second small segment does not put the acknowledgment off', () => {
    const [peer] = settled();
    peer.say('.', { data: 10 });
    peer.pass(25 * MS);
    peer.say('.', { data: 10 });
    expect(answers(peer)).toEqual([[15, '.']]);
  });
});

describe('acknowledgments in an interactive exchange (RFC 9293 §3.8.6.3, as Linux does it)', () => {
  test('a program that reads and says nothing acknowledges by that', () => {
    const [peer, socket] = settled();
    peer.say('P.', { data: 100 });
    readAll(socket);
    expect(answers(peer)).toEqual([[0, '.']]);
  });

  test('one that has answered soon before waits for its next answer', () => {
    const [peer, socket] = settled();
    exchange(peer, socket, 5 * MS);
    peer.say('P.', { data: 100 });
    readAll(socket);
    expect(answers(peer)).toEqual([[40, '.']]);
  });

  test('one whose answer took longer than a delayed acknowledgment does not', () => {
    const [peer, socket] = settled();
    exchange(peer, socket, 300 * MS);
    peer.say('P.', { data: 100 });
    readAll(socket);
    expect(answers(peer)[0]).toEqual([0, '.']);
  });

  test('the answer carries the acknowledgment', () => {
    const [peer, socket] = settled();
    exchange(peer, socket, 5 * MS);
    peer.say('P.', { data: 100 });
    readAll(socket);
    peer.pass(10 * MS);
    socket.send(pattern(50), 0, 50);
    peer.listen();
    peer.say('.');
    expect(answers(peer)).toEqual([[0, 'P.']]);
  });

  test('an acknowledgment that had to leave alone ends it', () => {
    const [peer, socket] = settled();
    exchange(peer, socket, 5 * MS);
    peer.say('P.', { data: 100 });
    peer.pass(50 * MS);
    expect(peer.heard().map(({ flags }) => flags)).toEqual(['.']);
    peer.say('P.', { data: 100 });
    readAll(socket);
    expect(answers(peer)[0]).toEqual([0, '.']);
  });

  test('what is out of order does not', () => {
    const [peer, socket] = settled();
    exchange(peer, socket, 5 * MS);
    peer.say('.', { data: 100, seq: peer.seq + 500 });
    peer.say('.', { data: 600 });
    readAll(socket);
    peer.listen();
    peer.heard();
    peer.say('P.', { data: 100 });
    expect(answers(peer)).toEqual([[40, '.']]);
  });
});
