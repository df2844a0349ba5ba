import { Errno } from '../../../lib/core/errno';
import { SocketOption } from '../../../lib/core/socket/options';
import { Poll } from '../../../lib/core/socket/socket-status';
import { type StreamSocket } from '../../../lib/core/socket/stream-socket';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { Msg } from '../../../lib/core/tcp/user-calls';
import { Lab, leftovers, NOTHING, pattern, readAll } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;
const text = (words: string) => new TextEncoder().encode(words);

function served(options: PeerOptions = {}) {
  const peer = new Peer({ syn: { mss: 1000 }, ...options });
  return { peer, socket: peer.open() };
}

/** What one call of recv(2) gives: text, or an errno. */
function receive(socket: StreamSocket, most = 100): string | number {
  const into = new Uint8Array(most);
  const got = socket.receive(into, 0, most);
  return got <= 0 ? got : new TextDecoder().decode(into.subarray(0, got));
}

function urgentText(socket: StreamSocket): string | number | null {
  const byte = socket.receiveUrgent();
  return byte === null || byte < 0 ? byte : String.fromCharCode(byte);
}

/** Sends with the last byte urgent. */
function sendUrgent(socket: StreamSocket, bytes: Uint8Array): number {
  return socket.send(bytes, 0, bytes.length, Msg.OOB);
}

/** 'P.U 1:4 urg 3' of what was heard since the last call. */
function heard(peer: Peer): string[] {
  return peer.heard().map(({ flags, seq, length, urgent }) => {
    const range = length > 0 ? `${seq}:${seq + length}` : `${seq}`;
    return urgent === 0 ? `${flags} ${range}` : `${flags} ${range} urg ${urgent}`;
  });
}

describe('receiving (RFC 9293 §3.10.7.4, sixth; RFC 6093)', () => {
  test('out of band: once, ahead of the rest; ordinary reads stop there and pass over it', () => {
    const { peer, socket } = served();
    peer.say('PU.', { data: text('abcX'), urgent: 4 });
    peer.say('P.', { data: text('def') });
    expect(socket.takeUrgentNews()).toBe(true);
    expect(socket.takeUrgentNews()).toBe(false);
    expect(socket.poll() & Poll.PRI).toBe(Poll.PRI);
    expect(socket.receiveUrgent(true)).toBe(88);
    expect(urgentText(socket)).toBe('X');
    expect(socket.poll() & Poll.PRI).toBe(0);
    expect(urgentText(socket)).toBe(-Errno.EINVAL);
    expect([socket.atMark, socket.inQueue]).toEqual([false, 3]);
    expect([receive(socket), socket.atMark]).toEqual(['abc', true]);
    expect([socket.inQueue, socket.available]).toEqual([0, 3]);
    expect([receive(socket), socket.atMark]).toEqual(['def', false]);
  });

  test('in line: like any other byte, with a mark before it', () => {
    const { peer, socket } = served();
    socket.setOption(SocketOption.OobInline, 1);
    peer.say('PU.', { data: text('abXde'), urgent: 3 });
    expect(socket.takeUrgentNews()).toBe(true);
    expect(urgentText(socket)).toBe(-Errno.EINVAL);
    expect([receive(socket), socket.atMark]).toEqual(['ab', true]);
    expect([receive(socket), socket.atMark]).toEqual(['Xde', false]);
  });

  test('pieces and peeks stop at the mark as well', () => {
    const { peer, socket } = served();
    peer.say('PU.', { data: text('abXde'), urgent: 3 });
    const into = new Uint8Array(10);
    expect(socket.peek(into, 0, 10)).toBe(2);
    expect(new TextDecoder().decode(socket.take(10) as Uint8Array)).toBe('ab');
    expect(socket.peek(into, 0, 10)).toBe(2);
    expect(new TextDecoder().decode(into.subarray(0, 2))).toBe('de');
    expect(socket.atMark).toBe(true);
    expect(new TextDecoder().decode(socket.take(10) as Uint8Array)).toBe('de');
  });

  test('the program learns of a pointer before the byte is there (MUST-32)', () => {
    const { peer, socket } = served();
    while (peer.host.core.pollEvent() !== null);
    peer.say('U.', { urgent: 60_000 });
    expect(peer.host.core.pollEvent()).toBe(socket);
    expect(socket.takeUrgentNews()).toBe(true);
    expect(urgentText(socket)).toBe(-Errno.EAGAIN);
    expect(socket.poll() & Poll.PRI).toBe(0);
    const far = pattern(60_000);
    for (let at = 0; at < far.length; at += 1000) {
      readAll(socket);
      peer.listen();
      peer.say('.', { data: far.subarray(at, at + 1000) });
    }
    expect(socket.poll() & Poll.PRI).toBe(Poll.PRI);
    expect(socket.receiveUrgent()).toBe(far[59_999]);
  });

  test('at a closed window too, with the byte itself (MUST-66)', () => {
    const { peer, socket } = served({ tcp: { receiveBuffer: 4000, moderateReceiveBuffer: 0 } });
    for (let left = 4000; left > 0; left = peer.log.at(-1)?.window ?? 0) {
      peer.say('.', { data: Math.min(left, 500) });
      // Its acknowledgment may wait.
      peer.pass(SECOND / 4);
    }
    const { window, ack: at } = peer.log.at(-1) ?? { window: -1, ack: -1 };
    expect(window).toBe(0);
    peer.say('PU.', { seq: at, data: text('X'), urgent: 1 });
    expect(socket.takeUrgentNews()).toBe(true);
    expect(urgentText(socket)).toBe('X');
    // Its place in the stream is still to come.
    expect(peer.log.at(-1)?.ack).toBe(at);
    expect(readAll(socket)).toHaveLength(at - 1);
    peer.listen();
    peer.say('P.', { seq: at, data: text('X') });
    expect([socket.atMark, socket.available]).toEqual([true, 0]);
    peer.say('P.', { seq: at + 1, data: text('y') });
    expect(receive(socket)).toBe('y');
  });

  test('beyond a hole: the byte is there, its place is not', () => {
    const { peer, socket } = served();
    peer.say('PU.', { seq: 4, data: text('X'), urgent: 1 });
    expect(urgentText(socket)).toBe('X');
    peer.say('P.', { seq: 1, data: text('abc') });
    expect(receive(socket)).toBe('abc');
    peer.say('P.', { seq: 5, data: text('d') });
    expect(receive(socket)).toBe('d');
  });

  test('old pointers, and such as lie before the one that is known, are no news', () => {
    const { peer, socket } = served();
    peer.say('PU.', { data: text('abX'), urgent: 3 });
    receive(socket);
    socket.takeUrgentNews();
    peer.say('PU.', { seq: 1, data: text('abX'), urgent: 2 });
    peer.say('U.', { urgent: 0, seq: 1 });
    expect([socket.takeUrgentNews(), urgentText(socket)]).toEqual([false, 'X']);
    peer.say('U.', { urgent: 9 });
    peer.say('U.', { urgent: 5 });
    expect([socket.takeUrgentNews(), urgentText(socket)]).toEqual([true, -Errno.EAGAIN]);
  });

  test('without URG, after the FIN, and in TIME-WAIT the pointer says nothing', () => {
    const { peer, socket } = served();
    peer.say('P.', { data: text('abc'), urgent: 2 });
    expect([socket.takeUrgentNews(), urgentText(socket)]).toEqual([false, -Errno.EINVAL]);
    peer.say('F.');
    peer.say('U.', { urgent: 2 });
    expect([socket.takeUrgentNews(), urgentText(socket)]).toEqual([false, -Errno.EINVAL]);
    expect([receive(socket), receive(socket)]).toEqual(['abc', 0]);
  });

  test('an announced byte that never comes: the end of the stream is the end', () => {
    const { peer, socket } = served();
    peer.say('U.', { urgent: 9 });
    peer.say('F.', { data: text('ab') });
    expect([receive(socket), receive(socket), urgentText(socket)]).toEqual(['ab', 0, null]);
    socket.close();
    peer.listen();
    peer.say('.');
    expect(peer.host.core.tcp.receiveBuffers.take().urgent).toBe(0);
  });

  test('left unread it counts as data: close sends RST', () => {
    const { peer, socket } = served();
    peer.say('PU.', { data: text('X'), urgent: 1 });
    expect(urgentText(socket)).toBe('X');
    socket.close();
    peer.listen();
    expect(peer.log.at(-1)?.flags).toBe('R.');
  });

  test('tcp_stdurg: the pointer is to the byte itself', () => {
    const { peer, socket } = served({ tcp: { stdUrgent: 1 } });
    peer.say('PU.', { data: text('abXd'), urgent: 2 });
    expect(urgentText(socket)).toBe('X');
    expect([receive(socket), receive(socket)]).toEqual(['ab', 'd']);
  });
});

describe('sending', () => {
  test('each segment up to the urgent byte has the pointer, behind it none has', () => {
    const { peer, socket } = served();
    sendUrgent(socket, pattern(2500));
    socket.send(pattern(1500), 0, 1500);
    peer.listen();
    expect(heard(peer)).toEqual([
      '.U 1:1001 urg 2500',
      '.U 1001:2001 urg 1500',
      '.U 2001:3001 urg 500',
      'P. 3001:4001',
    ]);
    peer.say('P.', { data: text('x'), ack: 1001 });
    peer.pass(SECOND / 10);
    // An acknowledgment stands at SND.NXT, behind it.
    expect(heard(peer)[0]).toBe('. 4001');
  });

  test('any length: what lies further than 64 KiB is pointed at as far as that goes', () => {
    const { peer, socket } = served({ syn: { mss: 1000, scale: 7 } });
    const bytes = pattern(200_000);
    expect(sendUrgent(socket, bytes)).toBe(bytes.length);
    for (let i = 0; i < 400 && peer.rcvNxt <= bytes.length; i++) {
      peer.listen();
      peer.say('.');
    }
    expect(peer.rcvNxt).toBe(bytes.length + 1);
    const data = peer.heard().filter(({ length }) => length > 0);
    expect(data).toHaveLength(200);
    for (const { seq, urgent, flags } of data) {
      expect(flags.includes('U')).toBe(true);
      expect(urgent).toBe(Math.min(bytes.length + 1 - seq, 65_535));
    }
  });

  test('does not wait for what Nagle or a cork holds back, nor do those before it', () => {
    const { peer, socket } = served();
    socket.send(text('a'), 0, 1);
    peer.listen();
    socket.send(text('b'), 0, 1);
    peer.listen();
    expect(heard(peer)).toEqual(['P. 1:2']);
    sendUrgent(socket, text('X'));
    peer.listen();
    expect(heard(peer)).toEqual(['P.U 2:4 urg 2']);
  });

  test('to a closed window the pointer goes with each probe', () => {
    const { peer, socket } = served();
    peer.say('.', { window: 0 });
    sendUrgent(socket, text('abX'));
    peer.listen();
    peer.pass(SECOND);
    const probes = heard(peer);
    expect(probes.slice(0, 2)).toEqual(['.U 1 urg 3', '.U 0 urg 4']);
    peer.say('.');
    expect(heard(peer)).toEqual(['P.U 1:4 urg 3']);
    peer.say('.');
    socket.send(text('d'), 0, 1);
    peer.listen();
    expect(heard(peer)).toEqual(['P. 4:5']);
  });

  test('is over when the byte is acknowledged; the FIN behind it has no pointer', () => {
    const { peer, socket } = served();
    sendUrgent(socket, text('X'));
    socket.shutdown(1);
    peer.listen();
    peer.pass(300_000);
    expect(heard(peer)).toEqual(['FP.U 1:2 urg 1', 'FP.U 1:2 urg 1']);
    peer.say('.');
    expect(peer.host.core.tcp.sendBuffers.take().urgent).toBe(0);
  });
});

describe('both ends', () => {
  const edges = [0x7fffffff, -1, -2, 0, 0x7ffffffe];
  test.each(edges)('ISS %d: urgent bytes arrive in their place, or out of it', (iss) => {
    for (const inLine of [0, 1]) {
      const lab = new Lab();
      for (const host of [lab.a, lab.b]) host.core.tcp.isn.isn = () => iss;
      const { client, server, listener } = lab.pair();
      server.setOption(SocketOption.OobInline, inLine);
      let ordinary = '';
      let urgent = '';
      for (const word of ['one!', 'two?', 'three.']) {
        sendUrgent(client, text(word));
        lab.run(() => false, SECOND);
        const byte = urgentText(server);
        if (typeof byte === 'string') urgent += byte;
        for (let piece = receive(server); typeof piece === 'string'; piece = receive(server)) {
          ordinary += piece;
        }
      }
      expect([ordinary, urgent]).toEqual(inLine ? ['one!two?three.', ''] : ['onetwothree', '!?.']);
      client.close();
      server.close();
      listener.close();
      lab.run();
      expect([leftovers(lab.a), leftovers(lab.b)]).toEqual([NOTHING, NOTHING]);
    }
  });

  test('a hostile peer: pointers anywhere in every segment lose no ordinary byte in line', () => {
    const { peer, socket } = served();
    socket.setOption(SocketOption.OobInline, 1);
    const random = new Xoshiro(3);
    const below = (n: number) => (random.next() >>> 0) % n;
    const data = pattern(50_000);
    const got: number[] = [];
    for (let at = 0; at < data.length;) {
      const piece = data.subarray(at, at + 1 + below(700));
      const back = below(4) === 0 ? Math.min(below(2000), at) : 0;
      peer.say('PU.', { seq: 1 + at - back, data: back > 0 ? 1 : piece, urgent: below(65_536) });
      if (back === 0) at += piece.length;
      if (below(3) === 0) got.push(...readAll(socket));
      socket.takeUrgentNews();
    }
    got.push(...readAll(socket));
    expect(Buffer.compare(Buffer.from(got), data)).toBe(0);
  });

  test('out of band: one byte for each mark that was reached is missing, never another', () => {
    const { peer, socket } = served();
    const random = new Xoshiro(4);
    const below = (n: number) => (random.next() >>> 0) % n;
    let expected = '';
    let got = '';
    let urgent = '';
    for (let i = 0; i < 500; i++) {
      const word = 'abcdefghij'.slice(0, below(10));
      peer.say('PU.', { data: text(`${word}${i % 10}`), urgent: word.length + 1 });
      expected += word;
      if (below(2) === 0) peer.say('P.', { data: text('-') });
      const byte = urgentText(socket);
      if (typeof byte === 'string') urgent += byte;
      for (let piece = receive(socket); typeof piece === 'string'; piece = receive(socket)) {
        got += piece;
      }
    }
    expect(got.replaceAll('-', '')).toBe(expected);
    expect(urgent).toBe('0123456789'.repeat(50));
  });
});
