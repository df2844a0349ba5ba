import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import { pattern, readAll } from '../../support/lab';
import { line, Peer, type PeerOptions } from '../../support/peer';

const MS = 1000;
const MSS = 1000;

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer({ syn: { mss: MSS, sackPermitted: true }, ...options });
  return [peer, peer.answer()];
}

/** Past the quick acknowledgments of the first segments. */
function settled(options: PeerOptions = {}): [Peer, StreamSocket] {
  const [peer, socket] = connected(options);
  for (let i = 0; i < 40; i++) {
    peer.say('.', { data: MSS });
    readAll(socket);
    peer.pass(10 * MS);
  }
  peer.pass(100 * MS);
  peer.lines();
  return [peer, socket];
}

/** When each acknowledgment left after what was just said, ms. */
function delays(peer: Peer, pass = 1000): number[] {
  const start = peer.now;
  peer.pass(pass * MS);
  return peer.heard().map(({ at }) => (at - start) / MS);
}

describe('delayed acknowledgments (RFC 9293 §3.8.6.3, RFC 5681 §4.2)', () => {
  test('are quick at first, but not once half of the buffer is full, as on Linux', () => {
    const peer = new Peer({ syn: { mss: 1000 }, tcp: { receiveBuffer: 20_000 } });
    peer.answer();
    const acksOf = (data: number): string[] => {
      peer.say('.', { data: pattern(data) });
      return peer.lines();
    };
    expect(acksOf(1000)).toEqual(['. 1 ack 1001']);
    expect(acksOf(1000)).toEqual(['. 1 ack 2001']);
    expect(acksOf(9000)).toEqual([]);
    peer.pass(40_000);
    expect(peer.lines()).toEqual(['. 1 ack 11001']);
  });

  test('the first segments are acknowledged at once', () => {
    const [peer] = connected();
    for (let i = 0; i < 15; i++) {
      peer.say('.', { data: MSS });
      expect(peer.lines()).toEqual([`. 1 ack ${1 + (i + 1) * MSS}`]);
    }
  });

  test('two of them where the window is less than two segments', () => {
    const [peer, socket] = connected({ tcp: { receiveBuffer: 1024 } });
    const acks = [0, 1, 2].map(() => {
      peer.say('.', { data: 100 });
      readAll(socket);
      return peer.lines().length;
    });
    expect(acks).toEqual([1, 1, 0]);
  });

  test('then every second full segment', () => {
    const [peer, socket] = settled();
    const lines: number[] = [];
    for (let i = 0; i < 8; i++) {
      peer.say('.', { data: MSS });
      readAll(socket);
      lines.push(peer.lines().length);
    }
    expect(lines).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
  });

  test('a single one after 40 ms', () => {
    const [peer] = settled();
    peer.say('.', { data: MSS });
    expect(delays(peer)).toEqual([40]);
    expect(peer.host.core.counters.TcpExtDelayedACKs).toBeGreaterThan(0);
  });

  test('never later than 500 ms, whatever the peer’s rhythm', () => {
    const [peer, socket] = settled();
    for (const gap of [1, 5, 19, 21, 39, 41, 100, 150, 199, 201, 400, 900]) {
      for (let i = 0; i < 10; i++) {
        peer.say('.', { data: 10 });
        readAll(socket);
        peer.listen();
        peer.pass(gap * MS);
      }
      expect(delays(peer, 2000).every((ms) => ms <= 500)).toBe(true);
      expect(peer.log.at(-1)?.ack).toBe(peer.seq);
    }
  });

  test('after a pause the next are acknowledged at once again', () => {
    const [peer] = settled();
    peer.pass(2000 * MS);
    peer.say('.', { data: MSS });
    expect(peer.lines().length).toBe(1);
  });

  test('an acknowledgment rides on data that leaves in time', () => {
    const [peer, socket] = settled();
    peer.say('.', { data: MSS });
    peer.pass(10 * MS);
    socket.send(pattern(5), 0, 5);
    peer.listen();
    expect(peer.lines()).toEqual([`P. 1:6 ack ${peer.seq}`]);
    peer.say('.');
    expect(delays(peer)).toEqual([]);
  });

  test('reading all of a small segment brings it at once: the peer may wait for it (Nagle)', () => {
    const [peer, socket] = settled();
    peer.say('P.', { data: 100 });
    expect(peer.lines()).toEqual([]);
    readAll(socket);
    peer.listen();
    expect(peer.lines().length).toBe(1);
  });

  test('delayedAckMin', () => {
    const [peer] = settled({ tcp: { delayedAckMin: 100 } });
    peer.say('.', { data: MSS });
    expect(delays(peer)).toEqual([100]);
  });
});

describe('what is out of order is acknowledged at once (RFC 5681 §4.2)', () => {
  test('one duplicate acknowledgment for each segment, and one that fills the hole', () => {
    const [peer] = settled();
    const base = peer.seq;
    for (const n of [1, 2, 3]) peer.say('.', { seq: base + n * MSS, data: MSS });
    expect(peer.lines()).toEqual(Array(3).fill(`. 1 ack ${base}`));
    peer.say('.', { seq: base, data: MSS });
    expect(peer.lines()).toEqual([`. 1 ack ${base + 4 * MSS}`]);
  });

  test('also a part of a hole', () => {
    const [peer] = settled();
    const base = peer.seq;
    peer.say('.', { seq: base + 3 * MSS, data: MSS });
    peer.lines();
    peer.say('.', { seq: base, data: MSS });
    expect(peer.lines()).toEqual([`. 1 ack ${base + MSS}`]);
  });

  test('and what comes twice', () => {
    const [peer] = settled();
    peer.say('.', { seq: peer.seq - MSS, data: MSS });
    expect(peer.lines()).toEqual([`. 1 ack ${peer.seq}`]);
  });
});

describe('SACK blocks (RFC 2018 §4)', () => {
  test('the first is that of the last segment; three beside timestamps, else four', () => {
    for (const [timestamps, most] of [
      [true, 3],
      [false, 4],
    ] as const) {
      const [peer] = connected({ timestamps });
      const at = (n: number) => 1 + n * MSS;
      for (const n of [1, 3, 5, 7, 9]) peer.say('.', { seq: at(n), data: MSS });
      const block = (n: number) => [at(n), at(n + 1)];
      expect(peer.heard().at(-1)?.sack).toEqual([9, 7, 5, 3, 1].slice(0, most).map(block));
      // An old block that is touched again comes first.
      peer.say('.', { seq: at(2), data: MSS });
      expect(peer.heard().at(-1)?.sack[0]).toEqual([at(1), at(4)]);
      peer.say('.', { seq: at(0), data: MSS });
      const last = peer.heard().at(-1);
      expect(last?.ack).toBe(at(4));
      expect(last?.sack).toEqual([9, 7, 5].map(block));
    }
  });

  test('none where the peer has not agreed', () => {
    const [peer] = connected({ syn: { mss: MSS } });
    peer.say('.', { seq: 2001, data: MSS });
    expect(peer.heard()[0].sack).toEqual([]);
  });

  test('beside data they take room from it: no packet exceeds the MTU', () => {
    const [peer, socket] = connected({ timestamps: true, syn: { mss: 1460, sackPermitted: true } });
    for (const n of [1, 3, 5]) peer.say('.', { seq: 1 + n * MSS, data: MSS });
    peer.heard();
    const data = pattern(10_000);
    socket.send(data, 0, data.length);
    peer.listen();
    const heard = peer.heard();
    expect(heard.map(({ sack }) => sack.length)).toEqual(heard.map(() => 3));
    expect(heard[0].length).toBe(1448 - 28);
    expect(Buffer.compare(Buffer.concat(heard.map((it) => it.data)), data)).toBe(0);
  });

  test('on a path with the smallest MTU there may be no room', () => {
    const [peer, socket] = connected({ mtu: 68, timestamps: true });
    for (const n of [1, 3, 5]) peer.say('.', { seq: 1 + n * MSS, data: 10 });
    // An acknowledgment has room for one.
    expect(peer.heard().at(-1)?.sack.length).toBe(1);
    socket.send(pattern(32), 0, 32);
    peer.listen();
    expect(peer.heard().map(({ length, sack }) => [length, sack.length])).toEqual([
      [16, 0],
      [16, 0],
    ]);
  });
});

describe('answers to what can’t be right', () => {
  test('segments without data: one in 500 ms for each connection (Linux)', () => {
    const [peer] = connected();
    peer.pass(1000 * MS);
    for (let ms = 0; ms < 2000; ms += 10) {
      peer.say('.', { seq: -100, ack: 1 });
      peer.pass(10 * MS);
    }
    expect(peer.heard().length).toBe(4);
    expect(peer.host.core.counters.TcpExtTCPACKSkippedSeq).toBe(196);
  });

  test('old data: each', () => {
    const [peer] = connected();
    peer.say('.', { data: 10 });
    peer.lines();
    for (let i = 0; i < 20; i++) peer.say('.', { seq: 1, data: 10 });
    expect(peer.lines().length).toBe(20);
  });

  test('probes: each', () => {
    const [peer] = connected();
    for (let i = 0; i < 20; i++) peer.say('.', { seq: 0 });
    expect(peer.lines()).toEqual(Array(20).fill('. 1 ack 1'));
  });

  test('challenges: one in 500 ms for each connection, for all a limit where one is set', () => {
    const [peer] = connected();
    peer.pass(1000 * MS);
    for (let i = 0; i < 100; i++) peer.say('R', { seq: 5 + i });
    expect(peer.lines().length).toBe(1);
    const many = new Peer({ tcp: { challengeAckLimit: 10 } });
    const listener = many.server(500);
    for (let port = 1; port <= 200; port++) {
      many.port = port;
      many.renew();
      many.open(listener);
      many.say('R', { seq: 5 });
    }
    const { TcpExtTCPChallengeACK } = many.host.core.counters;
    expect(TcpExtTCPChallengeACK).toBeGreaterThanOrEqual(5);
    expect(TcpExtTCPChallengeACK).toBeLessThan(16);
    many.pass(1000 * MS);
    many.say('R', { seq: 5 });
    expect(many.host.core.counters.TcpExtTCPChallengeACK).toBe(TcpExtTCPChallengeACK + 1);
  });
});

describe('small writes (RFC 9293 §3.7.4, mission S13)', () => {
  function write(peer: Peer, socket: StreamSocket, bytes: number): string[] {
    socket.send(pattern(bytes), 0, bytes);
    peer.listen();
    return peer.lines();
  }

  test('Nagle: a small segment waits while another is in flight, and takes more with it', () => {
    const [peer, socket] = connected();
    expect(write(peer, socket, 10)).toEqual(['P. 1:11 ack 1']);
    expect(write(peer, socket, 10)).toEqual([]);
    expect(write(peer, socket, 10)).toEqual([]);
    peer.say('.', { ack: 11 });
    expect(peer.lines()).toEqual(['P. 11:31 ack 1']);
  });

  test('a full segment doesn’t wait, a small one only for a small one (Minshall)', () => {
    const [peer, socket] = connected();
    expect(write(peer, socket, 2500)).toEqual([
      '. 1:1001 ack 1',
      '. 1001:2001 ack 1',
      'P. 2001:2501 ack 1',
    ]);
    expect(write(peer, socket, 100)).toEqual([]);
    expect(write(peer, socket, 1000)).toEqual(['. 2501:3501 ack 1']);
    peer.say('.', { ack: 2001 });
    expect(peer.lines()).toEqual([]);
    peer.say('.', { ack: 2501 });
    expect(peer.lines()).toEqual(['P. 3501:3601 ack 1']);
  });

  test('TCP_NODELAY: each leaves at once; setting it lets go what waits', () => {
    const [peer, socket] = connected();
    write(peer, socket, 10);
    expect(write(peer, socket, 10)).toEqual([]);
    socket.setOption(0, 1);
    peer.listen();
    expect(peer.lines()).toEqual(['P. 11:21 ack 1']);
    expect(write(peer, socket, 10)).toEqual(['P. 21:31 ack 1']);
  });

  test('TCP_CORK: only full segments; letting go sends the rest', () => {
    const [peer, socket] = connected();
    socket.setOption(1, 1);
    expect(write(peer, socket, 10)).toEqual([]);
    expect(write(peer, socket, 2000)).toEqual(['. 1:1001 ack 1', 'P. 1001:2001 ack 1']);
    socket.setOption(1, 0);
    peer.listen();
    expect(peer.lines()).toEqual(['P. 2001:2011 ack 1']);
  });

  test('the FIN lets everything go', () => {
    const [peer, socket] = connected();
    write(peer, socket, 10);
    write(peer, socket, 10);
    socket.close();
    peer.listen();
    expect(peer.lines()).toEqual(['FP. 11:21 ack 1']);
  });

  test('many small writes in one turn are one segment; one large one is many', () => {
    const [peer, socket] = connected();
    for (let i = 0; i < 50; i++) socket.send(pattern(10, i), 0, 10);
    peer.listen();
    expect(peer.heard().map(line)).toEqual(['P. 1:501 ack 1']);
    peer.say('.');
    expect(write(peer, socket, 5000).length).toBe(5);
  });

  test('PSH marks the end of what was written', () => {
    const [peer, socket] = connected();
    socket.send(pattern(3500), 0, 3500);
    peer.listen();
    expect(peer.heard().map(({ flags }) => flags)).toEqual(['.', '.', '.', 'P.']);
  });
});
