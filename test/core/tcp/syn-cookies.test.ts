import { Xoshiro } from '../../../lib/core/random/xoshiro';
import { Option, Word } from '../../../lib/core/segment/layout';
import { Segment } from '../../../lib/core/segment/segment';
import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import {
  cookieClock,
  cookieEcn,
  cookieOptions,
  cookieScale,
  SynCookies,
} from '../../../lib/core/tcp/syn-cookies';
import { Has } from '../../../lib/core/tcp/connection';
import { Lab, pattern, readAll } from '../../support/lab';
import { Peer, type PeerOptions } from '../../support/peer';

const MINUTE = 60_000_000;
const OFFER = { mss: 1450, sackPermitted: true, scale: 7 };

/** A peer of a listener that has no room to remember a handshake. */
function crowded(options: PeerOptions = {}): { peer: Peer; listener: StreamSocket } {
  const peer = new Peer({ ...options, tcp: { syncookies: 2, ...options.tcp } });
  return { peer, listener: peer.server() };
}

describe('the numbers of a cookie', () => {
  const cookies = new SynCookies(new Xoshiro(1));

  function segment(seq: number, ack: number, port = 5000, family = 4): Segment {
    const seg = new Segment();
    seg.words[Word.Family] = family;
    seg.words[Word.Source + 3] = 0x0a000002;
    seg.words[Word.SourcePort] = port;
    seg.words[Word.DestinationPort] = 80;
    seg.seq = seq;
    seg.ack = ack;
    return seg;
  }

  /** What the third segment, `later` µs after the SYN, tells of the peer's MSS. */
  function told(mss: number, later: number, family = 4, at = 5 * MINUTE): number {
    const iss = cookies.issue(segment(-7, 0, 5000, family), mss, at);
    return cookies.check(segment(-6, (iss + 1) | 0, 5000, family), at + later);
  }

  test.each([
    [
      4,
      [100, 536, 1299, 1300, 1440, 1459, 1460, 9000],
      [48, 536, 536, 1300, 1440, 1440, 1460, 1460],
    ],
    [6, [100, 1220, 1420, 1440, 8940, 65_000], [48, 1220, 1420, 1440, 8940, 8940]],
  ])('IPv%d: the peer’s MSS, or the next smaller that is known', (family, said, kept) => {
    expect(said.map((mss) => told(mss, 0, family))).toEqual(kept);
  });

  test.each([4, 6])(
    'IPv%d: behind the largest size there is none, nor before the least',
    (family) => {
      const iss = cookies.issue(segment(-7, 0, 5000, family), 65_535, 0);
      const at = (ack: number) => cookies.check(segment(-6, (iss + ack) | 0, 5000, family), 0);
      expect([at(1), at(2), at(-4), at(-5)]).toEqual([family === 4 ? 1460 : 8940, 0, 48, 0]);
    },
  );

  test('are good in their minute and the next, across the wrap of the minutes too', () => {
    for (const at of [0, MINUTE - 1, 255 * MINUTE, 256 * MINUTE]) {
      const left = MINUTE - (at % MINUTE);
      expect(told(1460, 0, 4, at)).toBe(1460);
      expect(told(1460, left + MINUTE - 1, 4, at)).toBe(1460);
      expect(told(1460, left + MINUTE, 4, at)).toBe(0);
    }
  });

  test('belong to a four-tuple, to the number of the SYN, and to the secret', () => {
    const iss = cookies.issue(segment(100, 0), 1460, 0);
    expect(cookies.check(segment(101, iss + 1), 0)).toBe(1460);
    expect(cookies.check(segment(101, iss + 1, 5001), 0)).toBe(0);
    // A segment that has overtaken the third is not taken for it.
    for (let ahead = 1; ahead <= 2000; ahead++) {
      expect(cookies.check(segment(101 + ahead, iss + 1), 0)).toBe(0);
    }
    expect(new SynCookies(new Xoshiro(2)).check(segment(101, iss + 1), 0)).toBe(0);
  });

  test('of an attacker who guesses a million: less than one in a million is taken', () => {
    const random = new Xoshiro(3);
    let taken = 0;
    for (let i = 0; i < 300_000; i++) {
      if (cookies.check(segment(random.next(), random.next()), 0) !== 0) taken++;
    }
    // Two minutes of 256, four sizes of 2^24: 1.9e-9 each.
    expect(taken).toBe(0);
  });
});

test('TSval of a cookie says what the SYN has offered, and is less than 64 ms old', () => {
  const [SackPermitted, WindowScale]: number[] = [Option.SackPermitted, Option.WindowScale];
  for (const options of [0, SackPermitted, WindowScale, SackPermitted | WindowScale]) {
    for (let clock = -70; clock < 200; clock++) {
      for (const scale of [0, 7, 14]) {
        const ecn = scale === 7;
        const told = cookieClock(clock, options, scale, ecn);
        expect(cookieEcn(told)).toBe(ecn);
        expect(clock - told).toBeGreaterThanOrEqual(0);
        expect(clock - told).toBeLessThan(64);
        expect(cookieOptions(told)).toBe(options);
        if ((options & WindowScale) !== 0) expect(cookieScale(told)).toBe(scale);
      }
    }
  }
  const wrapped = cookieClock(-(2 ** 31), WindowScale, 14, false);
  expect((-(2 ** 31) - wrapped) | 0).toBeLessThan(64);
});

describe('a handshake that isn’t remembered', () => {
  test.each([4, 6] as const)('IPv%d: all that was offered holds, by the timestamps', (family) => {
    const { peer, listener } = crowded({ family, timestamps: true, syn: OFFER });
    peer.pass(12_345);
    peer.say('S', peer.synFields());
    peer.agree();
    const { tcp } = peer.host.core;
    expect([tcp.synReceived.count, tcp.tuples.count, tcp.nextDeadline()]).toEqual([0, 0, Infinity]);
    peer.pass(30_000_000);
    peer.say('.', { data: 5 });
    const socket = listener.accept() as StreamSocket;
    const c = socket.status;
    expect(c?.has(Has.Timestamps)).toBe(true);
    expect(c?.has(Has.Sack)).toBe(true);
    expect([c?.sndScale, c?.rcvScale]).toEqual([7, 7]);
    expect(c?.sndMss).toBe((family === 4 ? 1440 : 1440) - 12);
    expect(socket.inQueue).toBe(5);
    expect(peer.host.core.counters).toMatchObject({
      TcpExtTCPReqQFullDoCookies: 1,
      TcpExtSyncookiesSent: 1,
      TcpExtSyncookiesRecv: 1,
      TcpExtSyncookiesFailed: 0,
      TcpPassiveOpens: 1,
    });
  });

  test('without timestamps only the MSS does', () => {
    const { peer, listener } = crowded({ syn: OFFER });
    peer.say('S', peer.synFields());
    expect(peer.heard()[0].options & ~Option.Mss).toBe(0);
    peer.say('.');
    const c = (listener.accept() as StreamSocket).status;
    expect(c?.has(Has.Timestamps | Has.Sack | Has.WindowScale)).toBe(false);
    expect([c?.sndMss, c?.sndScale, c?.rcvScale]).toEqual([1440, 0, 0]);
  });

  test('the SYN, sent again, is answered as before; each answer opens one connection', () => {
    const { peer, listener } = crowded();
    peer.say('S');
    peer.say('S', { seq: 0 });
    expect(peer.lines()).toEqual(['S. 0 ack 1', 'S. 0 ack 1']);
    peer.say('.');
    peer.say('.');
    expect(listener.waiting).toBe(1);
  });

  /** The SYN came again when there was room for it: the first answer was a cookie. */
  function remembered(later = 0) {
    const { peer, listener } = crowded();
    peer.say('S');
    peer.pass(later);
    Object.assign(peer.host.core.tcp.settings, { syncookies: 1 });
    peer.say('S', { seq: 0 });
    const [cookie, second] = peer.heard();
    expect(second.seq).not.toBe(cookie.seq);
    expect(peer.host.core.tcp.synReceived.count).toBe(1);
    return { peer, listener, second, counters: peer.host.core.counters };
  }

  test('either answer to a SYN that came twice can be acknowledged', () => {
    const first = remembered(MINUTE);
    first.peer.say('.', { data: 4 });
    expect((first.listener.accept() as StreamSocket).inQueue).toBe(4);
    expect([first.peer.host.core.tcp.synReceived.count, first.counters]).toMatchObject([
      0,
      { TcpExtSyncookiesRecv: 1, TcpExtSyncookiesFailed: 0, TcpPassiveOpens: 1 },
    ]);
    const { peer, listener, second, counters } = remembered();
    peer.say('.', { data: 4, ack: second.seq + 1 });
    expect((listener.accept() as StreamSocket).inQueue).toBe(4);
    expect(counters).toMatchObject({ TcpExtSyncookiesRecv: 0, TcpPassiveOpens: 1 });
  });

  test.each([
    ['behind the SYN’s next number', '.', { seq: 2 }, ['R 1']],
    ['of neither', '.', { ack: 7 }, ['R 7']],
    ['with RST', 'R.', {}, []],
  ])('not one %s', (_, flags, say, lines) => {
    const { peer, listener, counters } = remembered();
    peer.say(flags, say);
    expect(peer.lines()).toEqual(lines);
    expect([listener.waiting, counters.TcpExtSyncookiesRecv]).toEqual([0, 0]);
  });

  test('nor one of a cookie that is too old', () => {
    const { peer, counters } = remembered(2 * MINUTE + 1000);
    peer.say('.');
    expect(peer.lines()).toEqual(['R 1']);
    expect(counters.TcpExtSyncookiesRecv).toBe(0);
  });

  test('too late, or with another number: RST', () => {
    const { peer } = crowded();
    peer.say('S');
    peer.lines();
    peer.say('.', { ack: 20 });
    peer.say('.', { seq: 2 });
    peer.pass(2 * MINUTE);
    peer.say('.', { seq: 1 });
    expect(peer.lines()).toEqual(['R 20', 'R 1', 'R 1']);
    expect(peer.host.core.counters.TcpExtSyncookiesFailed).toBe(3);
    // Once none can be good any more nobody looks.
    peer.pass(MINUTE);
    peer.say('.', { seq: 1 });
    expect(peer.host.core.counters.TcpExtSyncookiesFailed).toBe(3);
  });

  test('no room to be accepted when it ends: nothing, and again later', () => {
    const { peer, listener } = crowded();
    listener.listen(0);
    peer.say('S');
    const { hostIss } = peer;
    peer.port++;
    peer.renew();
    peer.synchronize();
    // Back to the first.
    peer.port--;
    peer.renew(1_000_000);
    Object.assign(peer, { hostIss, seq: 1, rcvNxt: 1 });
    peer.lines();
    peer.say('.');
    expect(peer.lines()).toEqual([]);
    const { counters, tcp } = peer.host.core;
    expect([counters.TcpExtListenOverflows, tcp.synReceived.count]).toEqual([1, 0]);
    listener.accept();
    peer.say('.', { data: 4 });
    expect((listener.accept() as StreamSocket).inQueue).toBe(4);
  });
});

test.each([
  [0, 0],
  [1, 95],
])('tcp_syncookies %d: a flood fills the backlog, and %d get cookies', (syncookies, sent) => {
  const peer = new Peer({ tcp: { syncookies } });
  peer.server(5);
  for (let port = 1; port <= 100; port++) {
    peer.port = port;
    peer.renew();
    peer.say('S');
  }
  expect(peer.host.core.tcp.synReceived.count).toBe(5);
  expect(peer.host.core.counters).toMatchObject({
    TcpExtSyncookiesSent: sent,
    TcpExtTCPReqQFullDoCookies: sent,
    TcpExtTCPReqQFullDrop: 95 - sent,
    TcpExtListenDrops: 95 - sent,
  });
});

test('under a flood a client gets in, and all of its data', () => {
  const lab = new Lab();
  const listener = lab.listen(lab.b, 80, 8);
  // Those who send the flood never acknowledge.
  lab.filter = (packet, from) => (from === lab.a && (packet[33] & 2) === 0 ? false : undefined);
  for (let i = 0; i < 50; i++) lab.connect(lab.a, lab.b, 80);
  lab.pass(500_000);
  expect(lab.b.core.tcp.synReceived.count).toBe(8);
  lab.filter = null;
  const client = lab.connect(lab.a, lab.b, 80);
  let server: StreamSocket | number = -1;
  expect(lab.run(() => typeof (server = listener.accept()) !== 'number', 100_000)).toBe(true);
  const data = pattern(10_000);
  client.send(data, 0, data.length);
  lab.pass(100_000);
  expect(readAll(server as unknown as StreamSocket)).toEqual(data);
  expect(lab.b.core.counters.TcpExtSyncookiesRecv).toBe(1);
});
