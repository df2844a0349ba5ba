import { Errno } from '../../../lib/core/errno';
import { Xoshiro } from '../../../lib/core/random/xoshiro';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { Lab, pattern, readAll, transfer } from '../../support/lab';
import { line, Peer, type PeerOptions } from '../../support/peer';

const SECOND = 1_000_000;
const CORK = 1;
const SEND_BUFFER = 6;
const RECEIVE_BUFFER = 7;
const USER_TIMEOUT = 12;

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer({ syn: { mss: 1000 }, ...options });
  const socket = peer.answer();
  return [peer, socket];
}

function send(peer: Peer, socket: StreamSocket, bytes: number): void {
  expect(socket.send(pattern(bytes), 0, bytes)).toBe(bytes);
  peer.listen();
}

describe('the peer’s window', () => {
  test('nothing is sent beyond it, and all up to it', () => {
    const [peer, socket] = connected();
    peer.say('.', { window: 5000 });
    send(peer, socket, 20_000);
    expect(peer.lines()).toEqual(
      [1, 1001, 2001, 3001, 4001].map((n) => `${n === 4001 ? 'P.' : '.'} ${n}:${n + 1000} ack 1`),
    );
    peer.say('.', { ack: 1001, window: 4000 });
    expect(peer.lines()).toEqual([]);
    peer.say('.', { ack: 2001, window: 5000 });
    expect(peer.lines()).toEqual(['. 5001:6001 ack 1', 'P. 6001:7001 ack 1']);
  });

  test('has room for a FIN, or it waits as data does, and the peer is probed', () => {
    const [peer, socket] = connected();
    peer.say('.', { window: 500 });
    send(peer, socket, 500);
    socket.shutdown(1);
    peer.listen();
    expect(peer.lines()).toEqual(['P. 1:501 ack 1']);
    peer.say('.', { window: 0 });
    expect(peer.lines()).toEqual([]);
    peer.pass(SECOND);
    expect(peer.lines()[0]).toBe('. 500 ack 1');
    peer.say('.', { window: 1 });
    expect(peer.lines()).toEqual(['F. 501 ack 1']);
  });

  test('may shrink: what is in flight stays, nothing new leaves (RFC 9293 §3.8.6)', () => {
    const [peer, socket] = connected();
    peer.say('.', { window: 5000 });
    send(peer, socket, 20_000);
    peer.lines();
    peer.say('.', { ack: 1001, window: 1000 });
    peer.say('.', { ack: 3001, window: 0 });
    expect(peer.lines()).toEqual([]);
    peer.say('.', { ack: 5001, window: 0 });
    expect(peer.lines()).toEqual([]);
    peer.say('.', { ack: 5001, window: 2000 });
    expect(peer.lines().length).toBe(2);
  });

  test('an old segment does not set it (SND.WL1)', () => {
    const [peer, socket] = connected();
    peer.say('.', { data: 10, window: 5000 });
    send(peer, socket, 20_000);
    expect(peer.heard().filter(({ length }) => length > 0).length).toBe(5);
    // Sent before the data, arrived after it; a duplicate acknowledgment of one byte as well.
    peer.say('.', { seq: 0, ack: 1, window: 20_000 });
    peer.say('.', { seq: 1, ack: 0, window: 20_000 });
    expect(peer.heard().filter(({ length }) => length > 0)).toEqual([]);
    expect(peer.host.core.tcp.connection(0).sndWnd).toBe(5000);
  });

  test.each([
    // Window, unsent: the segments that leave at once.
    [999, 5000, []],
    [2500, 5000, [1000, 1000]],
    [700, 700, [700]],
    [699, 700, []],
  ] as const)('%d bytes for %d: %j (silly windows, RFC 9293 §3.8.6.2.1)', (window, bytes, sent) => {
    const [peer, socket] = connected();
    peer.say('.', { window });
    send(peer, socket, bytes);
    expect(peer.heard().map(({ length }) => length)).toEqual(sent);
  });

  test('what does not fit a window that is open leaves after the persist timeout', () => {
    const [peer, socket] = connected();
    peer.say('.', { window: 300 });
    const start = peer.now;
    send(peer, socket, 5000);
    peer.pass(200_001);
    expect(peer.heard().map((it) => [it.at - start, line(it)])).toEqual([
      [200_001, 'P. 1:301 ack 1'],
    ]);
    peer.say('.', { ack: 301, window: 300 });
    peer.pass(400_000);
    expect(peer.lines()).toEqual(['P. 301:601 ack 1']);
  });

  test('to a peer with a small buffer, segments of half of it', () => {
    const [peer, socket] = connected();
    const small = new Peer({ syn: { mss: 1000, window: 1200 } });
    small.window = 1200;
    const other = small.answer();
    send(small, other, 5000);
    expect(small.heard().map(({ length }) => length)).toEqual([600, 600]);
    peer.say('.', { window: 1200 });
    send(peer, socket, 5000);
    // This one has shown a larger one.
    expect(peer.heard().map(({ length }) => length)).toEqual([1000]);
  });
});

describe('a closed window (RFC 9293 §3.8.6.1)', () => {
  function closed(bytes = 5000, options: PeerOptions = {}): [Peer, StreamSocket] {
    const [peer, socket] = connected(options);
    peer.say('.', { window: 0 });
    send(peer, socket, bytes);
    return [peer, socket];
  }

  test('probes after the timeout, twice that and so on up to 120 s; empty and old', () => {
    const [peer, socket] = closed();
    const probes: number[] = [];
    while (probes.length < 14) {
      peer.pass(Math.max(peer.host.core.nextDeadline() - peer.now, 0));
      for (const heard of peer.heard()) {
        expect([line(heard), heard.length]).toEqual(['. 0 ack 1', 0]);
        probes.push(heard.at);
        peer.say('.', { window: 0 });
      }
    }
    const first = 200_001;
    const expected: number[] = [];
    let at = 0;
    for (let n = 0; n < 10; n++) expected.push((at += first * 2 ** n));
    for (let n = 0; n < 4; n++) expected.push((at += 120 * SECOND));
    expect(probes).toEqual(expected);
    expect(socket.state).toBe(State.ESTABLISHED);
  });

  test('a peer that answers is probed for ever', () => {
    const [peer, socket] = closed();
    for (let hour = 0; hour < 24; hour++) {
      for (let minute = 0; minute < 60; minute++) {
        peer.pass(60 * SECOND);
        if (peer.heard().length > 0) peer.say('.', { window: 0 });
      }
    }
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.say('.', { window: 65_535 });
    expect(peer.lines().length).toBe(5);
  });

  test('a silent one is given up after 15 probes', () => {
    const [peer, socket] = closed();
    peer.pass(924 * SECOND);
    expect(peer.heard().length).toBe(15);
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.pass(SECOND);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
    expect(peer.heard().length).toBe(0);
    expect(peer.host.core.counters).toMatchObject({
      TcpExtTCPWinProbe: 15,
      TcpExtTCPAbortOnTimeout: 1,
    });
  });

  test('TCP_USER_TIMEOUT counts, even where the peer answers', () => {
    const [peer, socket] = connected();
    socket.setOption(USER_TIMEOUT, 10_000);
    peer.say('.', { window: 0 });
    send(peer, socket, 5000);
    // From the first probe on, which leaves after 200 ms.
    for (let ms = 0; ms < 10_190; ms += 10) {
      peer.pass(10_000);
      if (peer.heard().length > 0) peer.say('.', { window: 0 });
    }
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.pass(20_000);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test('the window opens: all goes on at once, and the probes end', () => {
    const [peer, socket] = closed();
    peer.pass(3 * SECOND);
    peer.lines();
    peer.say('.', { window: 65_535 });
    expect(peer.lines().length).toBe(5);
    peer.say('.');
    expect(socket.outQueue).toBe(0);
    expect(peer.host.core.nextDeadline()).toBe(Infinity);
  });

  test('the update is lost: the answer to the next probe has it', () => {
    const [peer] = closed();
    peer.pass(200_001);
    expect(peer.lines()).toEqual(['. 0 ack 1']);
    peer.say('.', { window: 65_535 });
    expect(peer.lines().length).toBe(5);
  });

  test('a probe that has not left yet does not leave after the window has opened', () => {
    const [peer] = closed(500);
    peer.now += 200_001;
    peer.host.core.onTimer(peer.now);
    peer.deliver(peer.packet('.', { window: 65_535 }));
    peer.listen();
    expect(peer.lines()).toEqual(['P. 1:501 ack 1']);
  });

  test('by the time that data is in flight: retransmissions are the probes', () => {
    const [peer, socket] = connected();
    send(peer, socket, 3000);
    peer.say('.', { ack: 1001, window: 0 });
    peer.lines();
    const start = peer.now;
    let answered = 0;
    while (peer.now - start < 3600 * SECOND) {
      peer.pass(SECOND);
      if (peer.heard().length === 0) continue;
      answered++;
      peer.say('.', { ack: 1001, window: 0 });
    }
    expect(answered).toBeGreaterThan(30);
    expect(socket.state).toBe(State.ESTABLISHED);
    peer.say('.', { ack: 1001, window: 65_535 });
    peer.pass(121 * SECOND);
    peer.say('.', { ack: 3001 });
    expect(socket.outQueue).toBe(0);
  });

  test('a corked rest leaves after 200 ms (Linux)', () => {
    const [peer, socket] = connected();
    socket.setOption(CORK, 1);
    send(peer, socket, 1500);
    expect(peer.lines()).toEqual(['. 1:1001 ack 1']);
    peer.say('.');
    expect(peer.lines()).toEqual([]);
    peer.pass(200_001);
    expect(peer.lines()).toEqual(['P. 1001:1501 ack 1']);
  });
});

describe('our window', () => {
  /** Right edge of the last segment heard, relative to the peer's ISS. */
  function edge(peer: Peer, scale = 0): number {
    const { ack, window } = peer.log[peer.log.length - 1];
    return ack + window * 2 ** scale;
  }

  test('closes as the reader sleeps, and opens when there is room for a segment', () => {
    const [peer, socket] = connected({ tcp: { receiveBuffer: 8000 } });
    for (let left = 8000; left > 0; left = edge(peer) - peer.seq) {
      peer.say('.', { data: Math.min(left, 1000) });
      peer.pass(SECOND);
    }
    expect(peer.log.at(-1)).toMatchObject({ window: 0, ack: 1 + socket.inQueue });
    peer.lines();
    expect(socket.receive(new Uint8Array(200), 0, 200)).toBe(200);
    peer.listen();
    expect(peer.lines()).toEqual([]);
    expect(socket.receive(new Uint8Array(2000), 0, 2000)).toBe(2000);
    peer.listen();
    expect(peer.heard().map(({ window }) => window > 0)).toEqual([true]);
  });

  test('what comes although it is closed is refused and answered', () => {
    const [peer, socket] = connected({ tcp: { receiveBuffer: 4000 } });
    for (let left = 4000; left > 0; left = edge(peer) - peer.seq) {
      peer.say('.', { data: Math.min(left, 1000) });
      peer.pass(SECOND);
    }
    const unread = socket.inQueue;
    expect(peer.log.at(-1)?.window).toBe(0);
    peer.lines();
    peer.say('.', { data: 1 });
    peer.seq--;
    expect(peer.lines()).toEqual([`. 1 ack ${unread + 1}`]);
    expect(socket.inQueue).toBe(unread);
    // Its acknowledgment counts.
    send(peer, socket, 10);
    peer.say('.', { data: 1, ack: 11 });
    expect(socket.outQueue).toBe(0);
  });

  test.each([1024, 1500, 5000, 60_000, 200_000, 3_000_000])(
    'a buffer of %d bytes: the right edge never moves left, and what does not fit is not cut',
    (receiveBuffer) => {
      for (const scale of [undefined, 7]) {
        const peer = new Peer({ syn: { mss: 1000, scale }, tcp: { receiveBuffer }, seed: 9 });
        const socket = peer.answer();
        const shift = scale === undefined ? 0 : 7;
        const random = new Xoshiro(receiveBuffer);
        const below = (n: number) => (random.next() >>> 0) % n;
        const unit = 2 ** shift;
        const c = peer.host.core.tcp.connection(0);
        let right = edge(peer, shift);
        let sent = 0;
        let read = 0;
        for (let i = 0; i < 500; i++) {
          // Mostly small ones, or all that was ever allowed.
          const length = below(10) === 0 ? right - 1 - sent : 1 + below(below(4) === 0 ? 1460 : 30);
          const data = Math.max(Math.min(length, 1460), 1);
          const fits = sent + data < right || (socket.inQueue === 0 && sent + 1 < right);
          peer.say('.', { data, seq: 1 + sent });
          peer.pass(below(60_000));
          if (fits) sent += data;
          expect(c.rcvNxt).toBe((c.irs + 1 + sent) | 0);
          const now = edge(peer, shift);
          // The field can't say it more exactly.
          expect(now).toBeGreaterThan(right - unit);
          right = Math.max(right, now);
          expect(right - 1 - read).toBeLessThan(c.rcvBuf + unit + 1460);
          if (below(3) === 0) {
            read += Math.max(socket.receive(new Uint8Array(5000), 0, below(5000)), 0);
            peer.listen();
            right = Math.max(right, edge(peer, shift));
          }
        }
        expect(read + socket.inQueue).toBeLessThanOrEqual(sent + 1460);
        expect(sent).toBeGreaterThan(0);
      }
    },
  );

  test('is told when it has at least doubled, not for every byte read', () => {
    const [peer, socket] = connected({ tcp: { receiveBuffer: 32_000 } });
    for (let i = 0; i < 30; i++) {
      peer.say('.', { data: 1000 });
      peer.pass(50_000);
    }
    peer.lines();
    let updates = 0;
    while (socket.inQueue > 0) {
      socket.receive(new Uint8Array(10), 0, 10);
      peer.listen();
      updates += peer.lines().length;
    }
    expect(updates).toBeGreaterThan(0);
    expect(updates).toBeLessThan(8);
  });

  test('grows with a peer that fills it, up to the buffer', () => {
    const tcp = { receiveBuffer: 1_048_576 };
    const [peer, socket] = connected({ syn: { mss: 1460, scale: 7 }, tcp });
    const first = edge(peer, 7);
    for (let i = 0; i < 1000; i++) {
      peer.say('.', { data: 1460 });
      readAll(socket);
      peer.listen();
    }
    const last = peer.log[peer.log.length - 1];
    expect(first).toBeLessThan(66_000);
    expect(last.window * 128).toBeGreaterThan(900_000);
    expect(last.window * 128).toBeLessThanOrEqual(1_048_576 + 128);
  });

  test('SO_RCVBUF made smaller while it is used: the edge stays, then follows', () => {
    const [peer, socket] = connected({ syn: { mss: 1000, scale: 7 } });
    for (let i = 0; i < 40; i++) {
      peer.say('.', { data: 1000 });
      readAll(socket);
      peer.listen();
    }
    const before = edge(peer, 7);
    expect(socket.setOption(RECEIVE_BUFFER, 2000)).toBe(0);
    peer.say('.', { data: 1000 });
    peer.pass(SECOND);
    expect(edge(peer, 7)).toBeGreaterThan(before - 128);
    expect(edge(peer, 7)).toBeLessThan(before + 256);
  });
});

describe('between two stacks', () => {
  test.each([1, 2, 3, 4, 5, 6])('a slow reader is never overrun, seed %d', (seed) => {
    const lab = new Lab({ seed, tcp: { receiveBuffer: 5000 + 3000 * seed } });
    const { client, server } = lab.pair();
    const random = new Xoshiro(seed);
    const data = pattern(120_000, seed);
    const got: Uint8Array[] = [];
    let sent = 0;
    let total = 0;
    const chunk = new Uint8Array(4000);
    while (total < data.length && lab.now < 3600 * SECOND) {
      lab.pass((random.next() >>> 0) % 300_000);
      if (sent < data.length) sent += Math.max(client.send(data, sent, data.length - sent), 0);
      const read = server.receive(chunk, 0, (random.next() >>> 0) % 4000);
      if (read > 0) got.push(chunk.slice(0, read));
      total += Math.max(read, 0);
      lab.flush();
    }
    expect(Buffer.compare(Buffer.concat(got), data)).toBe(0);
    // No byte was sent in vain but by probes of the tail, whose acknowledgments were delayed.
    const { TcpRetransSegs, TcpExtTCPLossProbes } = lab.a.core.counters;
    expect(TcpRetransSegs).toBeLessThanOrEqual(TcpExtTCPLossProbes);
  });

  test('a reader that stops for an hour, and every window update is lost', () => {
    const lab = new Lab({ tcp: { receiveBuffer: 10_000 } });
    const { client, server } = lab.pair();
    const data = pattern(50_000);
    expect(client.send(data, 0, data.length)).toBe(data.length);
    lab.pass(3600 * SECOND);
    expect(client.state).toBe(State.ESTABLISHED);
    lab.filter = (_packet, from) => (from === lab.b ? false : undefined);
    const first = readAll(server);
    lab.pass(SECOND);
    lab.filter = null;
    const rest: Uint8Array[] = [first];
    lab.run(() => {
      rest.push(readAll(server));
      lab.flush();
      return Buffer.concat(rest).length === data.length;
    }, 600 * SECOND);
    expect(Buffer.compare(Buffer.concat(rest), data)).toBe(0);
  });

  test('small buffers at both ends', () => {
    const lab = new Lab({ tcp: { receiveBuffer: 1024, sendBuffer: 1024 } });
    const { client, server } = lab.pair();
    const data = pattern(20_000);
    expect(Buffer.compare(transfer(lab, client, server, data), data)).toBe(0);
  });

  test('SO_SNDBUF bounds what send() takes; readiness when a third is free', () => {
    const [peer, socket] = connected();
    socket.setOption(SEND_BUFFER, 9000);
    peer.say('.', { window: 9000 });
    expect(socket.sendSpace).toBe(9000);
    send(peer, socket, 9000);
    expect(socket.send(new Uint8Array(1), 0, 1)).toBe(-Errno.EAGAIN);
    expect(socket.poll()).toBe(0);
    peer.say('.', { ack: 2001 });
    expect(socket.poll()).toBe(0);
    peer.say('.', { ack: 3001 });
    expect(socket.poll()).toBe(4);
    expect([socket.outQueue, socket.outQueueUnsent]).toEqual([6000, 0]);
    // As on Linux the limit counts when a packet is begun, which is then filled up.
    expect(socket.send(new Uint8Array(9000), 0, 9000)).toBe(9000);
    expect(socket.send(new Uint8Array(9000), 0, 9000)).toBe(9000);
    expect(socket.outQueue).toBe(24_000);
  });
});

describe('a buffer hardly larger than a segment, without scaling', () => {
  test.each([1024, 1100, 1460, 1461, 2000, 2920])('of %d bytes opens again each time', (bytes) => {
    for (const timestamps of [true, false]) {
      const peer = new Peer({ timestamps, tcp: { receiveBuffer: bytes }, syn: { mss: 1460 } });
      const socket = peer.answer();
      let sent = 0;
      for (let round = 0; round < 20; round++) {
        const { window } = peer.log[peer.log.length - 1];
        expect(window).toBeGreaterThanOrEqual(512);
        peer.say('.', { data: Math.min(window, 1448) });
        sent += Math.min(window, 1448);
        peer.pass(50_000);
        readAll(socket);
        peer.listen();
        expect(peer.log.at(-1)?.ack).toBe(1 + sent);
      }
    }
  });

  test('that grows later is used', () => {
    const peer = new Peer({ tcp: { receiveBuffer: 1024 }, syn: { mss: 1460 } });
    const socket = peer.answer();
    socket.setOption(RECEIVE_BUFFER, 60_000);
    for (let round = 0; round < 30; round++) {
      const { window } = peer.log[peer.log.length - 1];
      expect(window).toBeGreaterThanOrEqual(1024);
      peer.say('.', { data: Math.min(window, 1460) });
      readAll(socket);
      peer.pass(50_000);
    }
    expect(peer.log.at(-1)?.window).toBeGreaterThan(40_000);
  });
});
