import { Poll } from '../../../lib/core/socket/socket-status';
import { type StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State, stateName } from '../../../lib/core/tcp/state';
import { Lab, leftovers, NOTHING, pattern, readAll } from '../../support/lab';
import { line, Peer } from '../../support/peer';

const SECOND = 1_000_000;
const WR = 1;

/** The peer's connection to the stack, a socket that nothing was sent on. */
function established(options: ConstructorParameters<typeof Peer>[0] = {}): [Peer, StreamSocket] {
  const peer = new Peer(options);
  return [peer, peer.open()];
}

function states(peer: Peer, steps: readonly (() => void)[]): string[] {
  return steps.map((step) => {
    step();
    peer.listen();
    return `${peer.lines().join('; ')} [${stateName(peer.state)}]`;
  });
}

describe('an orderly close (RFC 9293 §3.6)', () => {
  test('by us: four segments, TIME-WAIT, 2 MSL', () => {
    const [peer, socket] = established();
    const steps = states(peer, [
      () => socket.shutdown(WR),
      () => peer.say('.'),
      () => peer.say('F.'),
      () => peer.pass(60 * SECOND - 1),
      () => peer.pass(1),
    ]);
    expect(steps).toEqual([
      'F. 1 ack 1 [FIN-WAIT-1]',
      ' [FIN-WAIT-2]',
      '. 2 ack 2 [TIME-WAIT]',
      ' [TIME-WAIT]',
      ' [CLOSED]',
    ]);
    expect(socket.take(1)).toBe(0);
  });

  test('by us: three segments where the peer has nothing more to say', () => {
    const [peer, socket] = established();
    expect(states(peer, [() => socket.close(), () => peer.say('F.')])).toEqual([
      'F. 1 ack 1 [FIN-WAIT-1]',
      '. 2 ack 2 [TIME-WAIT]',
    ]);
  });

  test('by the peer: the passive closer is CLOSED at once', () => {
    const [peer, socket] = established();
    const steps = states(peer, [
      () => peer.say('F.'),
      () => peer.pass(1000),
      () => expect(socket.take(1)).toBe(0),
      () => socket.close(),
      () => peer.say('.'),
    ]);
    expect(steps).toEqual([
      ' [CLOSE-WAIT]',
      '. 1 ack 2 [CLOSE-WAIT]',
      ' [CLOSE-WAIT]',
      'F. 1 ack 2 [LAST-ACK]',
      ' [CLOSED]',
    ]);
  });

  test('by the peer: three segments where we have nothing more to say', () => {
    const [peer, socket] = established();
    const steps = states(peer, [
      () => peer.say('F.'),
      () => socket.close(),
      () => peer.pass(SECOND / 10),
      () => peer.say('.'),
    ]);
    expect(steps).toEqual([' [CLOSE-WAIT]', 'F. 1 ack 2 [LAST-ACK]', ' [LAST-ACK]', ' [CLOSED]']);
  });

  test('by both at once: CLOSING', () => {
    const lab = new Lab();
    const { client, server, listener } = lab.pair();
    client.close();
    server.close();
    listener.close();
    lab.run(() => false, 30_000);
    const seen = (log: string[]) => log.slice(-4).map((entry) => entry.replace(/^.*\[/, '['));
    const expected = ['[FIN-WAIT-1]', '[CLOSING]', '[CLOSING]', '[TIME-WAIT]'];
    expect([seen(lab.a.log), seen(lab.b.log)]).toEqual([expected, expected]);
    lab.run();
    expect([leftovers(lab.a), leftovers(lab.b)]).toEqual([NOTHING, NOTHING]);
  });

  test('the FIN rides on the last data', () => {
    const [peer, socket] = established();
    socket.send(pattern(2000), 0, 2000);
    socket.close();
    peer.listen();
    expect(peer.lines()).toEqual([
      '. 1:537 ack 1',
      '. 537:1073 ack 1',
      '. 1073:1609 ack 1',
      'FP. 1609:2001 ack 1',
    ]);
  });

  test('the FIN waits for data that the window holds back', () => {
    const [peer, socket] = established();
    peer.say('.', { window: 0 });
    socket.send(pattern(100), 0, 100);
    socket.close();
    peer.listen();
    expect(peer.lines()).toEqual([]);
    expect(peer.state).toBe(State.FIN_WAIT_1);
    peer.say('.', { window: 1000 });
    expect(peer.lines()).toEqual(['FP. 1:101 ack 1']);
  });

  test('a lost FIN is sent again', () => {
    const [peer, socket] = established();
    socket.close();
    peer.pass(SECOND);
    expect(peer.heard().map(({ at, ...it }) => `${at} ${line({ at, ...it })}`)).toEqual([
      '0 F. 1 ack 1',
      '200001 F. 1 ack 1',
      '600003 F. 1 ack 1',
    ]);
  });

  test('a lost FIN with data is sent again with it; a part of it may be acknowledged', () => {
    const [peer, socket] = established();
    socket.send(pattern(100), 0, 100);
    socket.close();
    peer.pass(300_000);
    expect(peer.lines()).toEqual(['FP. 1:101 ack 1', 'FP. 1:101 ack 1']);
    peer.say('.', { ack: 51 });
    peer.pass(500_000);
    expect(peer.lines()).toContain('FP. 51:101 ack 1');
    peer.say('.', { ack: 101 });
    expect(peer.state).toBe(State.FIN_WAIT_1);
    peer.pass(2_000_000);
    expect(peer.lines()).toContain('FP. 101 ack 1');
    peer.say('.', { ack: 102 });
    expect(peer.state).toBe(State.FIN_WAIT_2);
  });
});

describe('half-close (mission S5)', () => {
  test('a side that has closed receives for as long as the other likes', () => {
    const [peer, socket] = established();
    socket.shutdown(WR);
    peer.listen();
    peer.say('.');
    let total = 0;
    for (let minute = 0; minute < 600; minute++) {
      peer.pass(60 * SECOND);
      peer.say('P.', { data: 1000 });
      total += readAll(socket).length;
    }
    expect(total).toBe(600_000);
    expect(peer.state).toBe(State.FIN_WAIT_2);
    peer.say('F.');
    expect(peer.state).toBe(State.TIME_WAIT);
    expect(socket.take(1)).toBe(0);
  });

  test('a side that has been closed on sends as much as it likes', () => {
    const [peer, socket] = established({ syn: { mss: 1460 } });
    peer.say('F.');
    expect(socket.take(1)).toBe(0);
    const data = pattern(100_000);
    let sent = 0;
    const got: Uint8Array[] = [];
    while (sent < data.length) {
      sent += Math.max(socket.send(data, sent, 1000), 0);
      peer.listen();
      for (const { data: piece } of peer.heard()) got.push(piece);
      peer.say('.');
      peer.pass(SECOND);
    }
    expect(Buffer.compare(Buffer.concat(got), data)).toBe(0);
    expect(peer.state).toBe(State.CLOSE_WAIT);
    socket.close();
    peer.listen();
    peer.say('.');
    expect(peer.state).toBe(State.CLOSED);
  });
});

describe('the peer’s FIN', () => {
  test('with data', () => {
    const [peer, socket] = established();
    peer.say('F.', { data: pattern(9) });
    expect(peer.lines()).toEqual([]);
    peer.pass(SECOND / 25);
    expect(peer.lines()).toEqual(['. 1 ack 11']);
    expect(readAll(socket)).toEqual(pattern(9));
    expect(socket.take(1)).toBe(0);
  });

  test('ahead of data takes effect when the hole is filled', () => {
    const [peer, socket] = established();
    const data = pattern(30);
    peer.say('F.', { seq: 21, data: data.subarray(20) });
    peer.say('.', { seq: 11, data: data.subarray(10, 20) });
    expect(peer.state).toBe(State.ESTABLISHED);
    expect(peer.lines()).toEqual(['. 1 ack 1', '. 1 ack 1']);
    peer.say('.', { seq: 1, data: data.subarray(0, 10) });
    expect(peer.lines()).toEqual(['. 1 ack 32']);
    expect(peer.state).toBe(State.CLOSE_WAIT);
    expect(readAll(socket)).toEqual(data);
    expect(socket.take(1)).toBe(0);
  });

  test('alone ahead of data', () => {
    const [peer, socket] = established();
    peer.say('F.', { seq: 11 });
    expect(socket.poll()).toBe(Poll.OUT);
    peer.say('.', { seq: 1, data: pattern(10) });
    expect(peer.lines()).toEqual(['. 1 ack 1', '. 1 ack 12']);
    expect(readAll(socket)).toEqual(pattern(10));
    expect(socket.take(1)).toBe(0);
  });

  test.each([
    ['known', [11, 'F.', 0], [11, '.', 10]],
    ['known, over it', [11, 'F.', 0], [6, '.', 10]],
    ['in the same segment as another', [11, 'F.', 0], [11, 'F.', 10]],
  ] as const)('data beyond one that is %s is not taken', (_name, first, second) => {
    const [peer, socket] = established();
    const data = pattern(100);
    for (const [seq, flags, length] of [first, second]) {
      peer.say(flags, { seq, data: data.subarray(seq - 1, seq - 1 + length) });
    }
    peer.say('.', { seq: 1, data: data.subarray(0, 10) });
    expect(peer.lines().at(-1)).toBe('. 1 ack 12');
    expect(readAll(socket)).toEqual(data.subarray(0, 10));
    expect(socket.take(1)).toBe(0);
    expect(peer.state).toBe(State.CLOSE_WAIT);
    peer.say('.', { seq: 12, data: 10 });
    expect(socket.inQueue).toBe(0);
  });

  test('the first in the stream holds, whichever comes first', () => {
    const [peer, socket] = established();
    peer.say('F.', { seq: 21 });
    peer.say('F.', { seq: 11 });
    peer.say('.', { seq: 1, data: 10 });
    expect(peer.lines().at(-1)).toBe('. 1 ack 12');
    expect(socket.inQueue).toBe(10);
  });

  test('a peer that lies about it never moves RCV.NXT back', () => {
    const [peer, socket] = established();
    peer.say('.', { seq: 6, data: 20 });
    peer.say('F.', { seq: 11 });
    peer.say('.', { seq: 1, data: 5 });
    expect(peer.state).toBe(State.CLOSE_WAIT);
    const acks = peer.heard().map(({ ack }) => ack);
    expect(acks).toEqual([...acks].sort((a, b) => a - b));
    expect(readAll(socket).length).toBeGreaterThanOrEqual(10);
    expect(socket.take(1)).toBe(0);
  });

  test('just behind a closed window is taken (as Linux does)', () => {
    const [peer, socket] = established({ tcp: { receiveBuffer: 2000 } });
    while (peer.log.at(-1)?.window !== 0) {
      peer.say('.', { data: 500 });
      peer.pass(SECOND);
    }
    const unread = socket.inQueue;
    peer.seq = unread + 1;
    peer.lines();
    peer.say('F.');
    peer.pass(SECOND);
    expect(peer.lines()).toEqual([`. 1 ack ${unread + 2}`]);
    expect(peer.state).toBe(State.CLOSE_WAIT);
    expect(readAll(socket).length).toBe(unread);
    expect(socket.take(1)).toBe(0);
  });

  test('behind data that does not fit is refused with it, where something waits', () => {
    const [peer, socket] = established({ tcp: { receiveBuffer: 1024 } });
    const window = peer.log[0].window;
    const bytes = pattern(window + 10);
    peer.say('.', { data: bytes.subarray(0, 10) });
    peer.say('F.', { seq: 11, data: bytes.subarray(10) });
    expect([socket.inQueue, peer.state]).toEqual([10, State.ESTABLISHED]);
    expect(peer.host.core.counters.TcpExtBeyondWindow).toBe(1);
    expect(readAll(socket)).toEqual(bytes.subarray(0, 10));
    peer.listen();
    // With nothing to be read it is taken whole, as on Linux, wherever the window ends.
    peer.say('F.', { seq: 11, data: bytes.subarray(10) });
    expect(peer.state).toBe(State.CLOSE_WAIT);
    expect(readAll(socket)).toEqual(bytes.subarray(10));
  });
});
