import { Errno } from '../../../lib/core/errno';
import { Poll } from '../../../lib/core/socket/socket-status';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { Msg } from '../../../lib/core/tcp/user-calls';
import { pattern } from '../../support/lab';
import { Peer, PEER_PORT } from '../../support/peer';

const WR = 1;
const RD = 0;

describe('connect(2) to AF_UNSPEC', () => {
  test('in ESTABLISHED: RST, ECONNRESET, and the socket is as new', () => {
    const peer = new Peer();
    const socket = peer.open();
    peer.say('.', { data: pattern(5) });
    peer.lines();
    expect(socket.disconnect()).toBe(0);
    peer.listen();
    expect(peer.lines()).toEqual(['R. 1 ack 6']);
    expect(socket.poll()).toBe(Poll.OUT | Poll.ERR | Poll.HUP);
    expect(socket.takeError()).toBe(Errno.ECONNRESET);
    expect(socket.receive(new Uint8Array(9), 0, 9)).toBe(-Errno.ENOTCONN);
    expect(peer.state).toBe(State.CLOSED);
  });

  test('after the end of the stream, too', () => {
    const peer = new Peer();
    const socket = peer.open();
    peer.say('F.');
    expect(socket.disconnect()).toBe(0);
    expect(socket.takeError()).toBe(Errno.ECONNRESET);
    expect(socket.poll()).toBe(Poll.OUT | Poll.HUP);
    expect(socket.receive(new Uint8Array(9), 0, 9)).toBe(-Errno.ENOTCONN);
  });

  test('in SYN-SENT: nothing is sent, and it can connect again', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.lines();
    expect(socket.disconnect()).toBe(0);
    expect(socket.takeError()).toBe(Errno.ECONNRESET);
    peer.listen();
    expect(peer.lines()).toEqual([]);
    expect(socket.connect(socket.remoteAddress, PEER_PORT)).toBe(-Errno.EINPROGRESS);
  });

  test('in LISTEN: it listens no more, is still bound, and may listen again', () => {
    const peer = new Peer();
    const listener = peer.server();
    expect(listener.disconnect()).toBe(0);
    expect(listener.poll()).toBe(Poll.OUT | Poll.HUP);
    expect(listener.accept()).toBe(-Errno.EINVAL);
    expect(listener.bind(peer.host.address, 81)).toBe(-Errno.EINVAL);
    expect(listener.listen(1)).toBe(0);
  });

  test('of a closed socket', () => {
    const peer = new Peer();
    const socket = peer.host.core.socket(4);
    socket.close();
    expect(socket.disconnect()).toBe(-Errno.EBADF);
  });
});

describe('shutdown(2) without a connection', () => {
  test('fails, and poll(2) shows it all the same', () => {
    const socket = new Peer().host.core.socket(4);
    expect(socket.shutdown(WR)).toBe(-Errno.ENOTCONN);
    expect(socket.poll()).toBe(Poll.OUT | Poll.HUP);
    expect(socket.shutdown(RD)).toBe(-Errno.ENOTCONN);
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.HUP | Poll.RDHUP);
  });

  test('after ECONNREFUSED: no call to connect goes on', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.say('R.', { seq: 0, ack: 1 });
    expect(socket.shutdown(WR)).toBe(-Errno.ENOTCONN);
    expect(socket.connect(socket.remoteAddress, PEER_PORT)).toBe(-Errno.EINVAL);
  });
});

test('MSG_PEEK leaves what it copies', () => {
  const peer = new Peer();
  const socket = peer.open();
  const into = new Uint8Array(8);
  expect(socket.peek(into, 0, 8)).toBe(-Errno.EAGAIN);
  peer.say('.', { data: pattern(5) });
  peer.say('.', { data: pattern(3) });
  expect(socket.peek(into, 1, 4)).toBe(4);
  expect(into.subarray(1, 5)).toEqual(pattern(4));
  expect(socket.peek(into, 0, 8)).toBe(8);
  expect(into).toEqual(Uint8Array.from([...pattern(5), ...pattern(3)]));
  expect(socket.inQueue).toBe(8);
  expect(socket.receive(into, 0, 8)).toBe(8);
  peer.say('F.');
  expect(socket.peek(into, 0, 8)).toBe(0);
});

describe('the receive buffer that a program chooses', () => {
  test('is what the window’s scale is for', () => {
    const peer = new Peer();
    peer.dial((socket) => socket.setOption(7, 20_000));
    peer.dial();
    expect(peer.heard().map(({ scale }) => scale)).toEqual([0, 7]);
  });

  test('also of a listener', () => {
    const peer = new Peer({ syn: { mss: 1460, scale: 7 } });
    const listener = peer.server();
    listener.setOption(7, 100_000);
    peer.say('S', peer.synFields());
    expect(peer.heard()[0].scale).toBe(1);
  });
});

describe('MSG_EOR', () => {
  const answered = (): { peer: Peer; socket: StreamSocket } => {
    const peer = new Peer({ syn: { mss: 1000 } });
    return { peer, socket: peer.answer() };
  };
  const sendRecord = (socket: StreamSocket, length: number): number =>
    socket.send(pattern(length), 0, length, Msg.EOR);

  test('what follows a record begins a segment of its own', () => {
    const { peer, socket } = answered();
    socket.send(pattern(10_400), 0, 10_400);
    expect(sendRecord(socket, 400)).toBe(400);
    sendRecord(socket, 1300);
    socket.send(pattern(100), 0, 100);
    peer.listen();
    expect(peer.lines().at(-1)).toBe('P. 9001:10001 ack 1');
    peer.say('.');
    // Nagle holds back the last alone.
    expect(peer.lines()).toEqual([
      'P. 10001:10801 ack 1',
      '. 10801:11801 ack 1',
      'P. 11801:12101 ack 1',
    ]);
    peer.say('.');
    expect(peer.lines()).toEqual(['P. 12101:12201 ack 1']);
  });

  test('nothing of a record that the buffer had no room for is an end', () => {
    const peer = new Peer({ syn: { mss: 1000 }, tcp: { sendBuffer: 1024, sendBufferMax: 1024 } });
    const socket = peer.answer();
    const taken = sendRecord(socket, 100_000);
    expect(taken).toBeLessThan(100_000);
    expect(socket.status?.sendBuffer?.records).toBeNull();
  });
});

describe('MSG_MORE', () => {
  test('holds back what is no full segment, until a call without it', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const socket = peer.answer();
    expect(socket.send(pattern(1200), 0, 1200, Msg.MORE)).toBe(1200);
    peer.listen();
    expect(peer.lines()).toEqual(['. 1:1001 ack 1']);
    socket.send(pattern(10), 0, 10);
    peer.listen();
    expect(peer.lines()).toEqual(['P. 1001:1211 ack 1']);
  });

  test('until the peer’s next word, or the persist timer, at the longest', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const socket = peer.answer();
    socket.send(pattern(10), 0, 10, Msg.MORE);
    peer.pass(199_999);
    expect(peer.lines()).toEqual([]);
    peer.pass(1_000_000);
    expect(peer.lines()[0]).toBe('P. 1:11 ack 1');
    peer.say('.');
    socket.send(pattern(1010), 0, 1010, Msg.MORE);
    peer.listen();
    peer.lines();
    peer.say('.');
    expect(peer.lines()).toEqual(['. 1011:1021 ack 1']);
  });

  test('a full send buffer waits for no more', () => {
    const peer = new Peer({ syn: { mss: 1000 }, tcp: { sendBuffer: 1024, sendBufferMax: 1024 } });
    const socket = peer.answer();
    // The packet that was begun is filled up: half of the peer's window, and what leaves at once.
    expect(socket.send(pattern(100_000), 0, 100_000, Msg.MORE)).toBe(42_000);
    peer.listen();
    while (peer.rcvNxt < 42_001) peer.say('.');
    expect(peer.lines().at(-1)).toBe('P. 41001:42001 ack 1');
  });
});

describe('what is held back leaves', () => {
  const NODELAY = 0;
  const CORK = 1;

  test('as TCP_NODELAY is set, in spite of TCP_CORK, which then holds what comes next', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const socket = peer.answer();
    socket.setOption(CORK, 1);
    socket.send(pattern(80), 0, 80);
    peer.listen();
    expect(peer.lines()).toEqual([]);
    socket.setOption(NODELAY, 1);
    peer.listen();
    expect(peer.lines()).toEqual(['P. 1:81 ack 1']);
    socket.send(pattern(5), 0, 5);
    peer.listen();
    expect(peer.lines()).toEqual([]);
    socket.setOption(NODELAY, 1);
    socket.send(pattern(5), 0, 5);
    peer.listen();
    expect(peer.lines()).toEqual([]);
  });

  test('as TCP_NODELAY is set again, or TCP_CORK cleared, in spite of MSG_MORE: no PSH', () => {
    const peer = new Peer({ syn: { mss: 1000 } });
    const socket = peer.answer();
    socket.setOption(NODELAY, 1);
    socket.send(pattern(40), 0, 40, Msg.MORE);
    peer.listen();
    expect(peer.lines()).toEqual([]);
    socket.setOption(NODELAY, 1);
    peer.listen();
    expect(peer.lines()).toEqual(['. 1:41 ack 1']);
    socket.send(pattern(40), 0, 40, Msg.MORE);
    socket.setOption(CORK, 0);
    peer.listen();
    expect(peer.lines()).toEqual(['. 41:81 ack 1']);
  });
});
