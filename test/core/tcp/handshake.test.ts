import { Errno } from '../../../lib/core/errno';
import { Option } from '../../../lib/core/segment/layout';
import { Poll } from '../../../lib/core/socket/socket-status';
import { type StreamSocket } from '../../../lib/core/socket/stream-socket';
import { State } from '../../../lib/core/tcp/state';
import { Lab, pattern, transfer } from '../../support/lab';
import { line, Peer, type Heard, type Say } from '../../support/peer';

const { Mss, WindowScale, SackPermitted, Timestamps } = {
  Mss: Option.Mss,
  WindowScale: Option.WindowScale,
  SackPermitted: Option.SackPermitted,
  Timestamps: Option.Timestamps,
};

const ALL = Mss | WindowScale | SackPermitted | Timestamps;

describe('our SYN', () => {
  test('has what Linux offers (RFC 9293 §3.7.1, RFC 7323, RFC 2018)', () => {
    const peer = new Peer();
    peer.dial();
    const [syn] = peer.heard();
    expect(line(syn)).toBe('S 0');
    expect(syn).toMatchObject({ options: ALL, mss: 1460, scale: 7, window: 64_240, tsEcr: 0 });
  });

  test.each([
    ['timestamps', Mss | WindowScale | SackPermitted],
    ['sack', Mss | WindowScale | Timestamps],
    ['windowScaling', Mss | SackPermitted | Timestamps],
  ] as const)('without %s where it is switched off', (setting, options) => {
    const active = new Peer({ tcp: { [setting]: 0 } });
    active.dial();
    expect(active.heard()[0].options).toBe(options);
    const passive = new Peer({
      tcp: { [setting]: 0 },
      syn: { mss: 1460, scale: 7, sackPermitted: true },
      timestamps: true,
    });
    passive.server();
    passive.say('S', passive.synFields());
    expect(passive.heard()[0].options).toBe(options);
  });
});

describe('what only one side offers is not used', () => {
  const offers = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({
    bits,
    syn: {
      mss: 1460,
      scale: bits & 1 ? 7 : undefined,
      sackPermitted: (bits & 2) !== 0,
    } satisfies Say,
    timestamps: (bits & 4) !== 0,
    options:
      Mss | (bits & 1 && WindowScale) | (bits & 2 && SackPermitted) | (bits & 4 && Timestamps),
  }));

  test.each(offers)('passive, offer $bits', ({ syn, timestamps, options }) => {
    const peer = new Peer({ syn, timestamps });
    const listener = peer.server();
    peer.synchronize();
    const [synAck] = peer.heard();
    expect(line(synAck)).toBe('S. 0 ack 1');
    expect(synAck.options).toBe(options);
    expectUse(peer, listener.accept() as StreamSocket, options);
  });

  test.each(offers)('active, offer $bits', ({ syn, timestamps, options }) => {
    const peer = new Peer({ syn, timestamps });
    expectUse(peer, peer.answer(), options);
  });

  /** Timestamps, scaled windows and SACK blocks appear exactly where they were agreed on. */
  function expectUse(peer: Peer, socket: StreamSocket, options: number): void {
    socket.send(new Uint8Array(5), 0, 5);
    peer.listen();
    peer.say('.', { data: 5, seq: 10 });
    const [data, ack] = peer.heard();
    expect(data.length).toBe(5);
    expect(data.options).toBe(options & Timestamps);
    expect(ack.options).toBe(
      (options & Timestamps) | ((options & SackPermitted) !== 0 ? Option.Sack : 0),
    );
    // In the SYN it is whole segments of up to 64 KiB; from then on it is scaled, if agreed on.
    const scaled = (options & WindowScale) !== 0;
    const { window } = peer.log.find(({ flags }) => flags.startsWith('S')) as Heard;
    expect([64_240, 65_160]).toContain(window);
    expect(data.window).toBe(scaled ? Math.ceil(window / 128) : window);
    expect(ack.window).toBe(data.window);
  }
});

describe('the peer’s window scale (RFC 7323 §2.3)', () => {
  const scales = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255, undefined];

  test.each(scales)('%s', (scale) => {
    const peer = new Peer({ syn: { mss: 1460, scale } });
    peer.window = 1000;
    const socket = peer.open();
    const shift = Math.min(scale ?? 0, 14);
    const { tcp } = peer.host.core;
    const c = tcp.connection(0);
    expect(c.sndWnd).toBe(1000 * 2 ** shift);
    peer.say('.', { window: 65_535 });
    expect(c.sndWnd).toBe(65_535 * 2 ** shift);
    expect(socket.state).toBe(State.ESTABLISHED);
  });

  test('does not hold for the SYN itself', () => {
    const peer = new Peer({ syn: { mss: 1460, scale: 14 } });
    peer.answer();
    expect(peer.host.core.tcp.connection(0).sndWnd).toBe(65_535);
  });
});

describe('segment size (RFC 9293 §3.7.1)', () => {
  /** Payload of the largest segment that the stack sends to a peer that names `mss`. */
  function largest(
    mss: number | undefined,
    mtu: number,
    family: 4 | 6,
    timestamps = false,
  ): number {
    const peer = new Peer({ mtu, family, syn: { mss, scale: 7 }, timestamps });
    const socket = peer.open();
    socket.send(new Uint8Array(200_000), 0, 200_000);
    peer.listen();
    return Math.max(...peer.heard().map(({ length }) => length));
  }

  test.each([
    // The peer's MSS, the path's MTU, family, timestamps: payload.
    [1460, 1500, 4, false, 1460],
    [1460, 1500, 4, true, 1448],
    [1440, 1500, 6, false, 1440],
    [1440, 1500, 6, true, 1428],
    [9000, 1500, 4, false, 1460],
    [600, 1500, 4, false, 600],
    [600, 1500, 4, true, 588],
    [undefined, 1500, 4, false, 536],
    [undefined, 1500, 4, true, 524],
    [undefined, 1500, 6, false, 1220],
    [1460, 1280, 6, false, 1220],
    [65_535, 65_535, 4, false, 65_495],
    [65_535, 65_536, 4, false, 65_495],
    [65_535, 65_536, 6, false, 65_476],
    [1460, 68, 4, false, 28],
    [1460, 68, 4, true, 16],
    // Less than this is not believed.
    [1, 1500, 4, false, 48],
    [0, 1500, 4, true, 36],
    [47, 1500, 6, false, 48],
  ] as const)('MSS %s, MTU %d, IPv%d, timestamps %s', (mss, mtu, family, timestamps, payload) => {
    // The harness throws when a packet exceeds the MTU.
    expect(largest(mss, mtu, family, timestamps)).toBe(payload);
  });

  test.each([
    [1500, 4, 1460],
    [1500, 6, 1440],
    [1280, 6, 1220],
    [576, 4, 536],
    [68, 4, 28],
    [65_535, 4, 65_495],
    [65_536, 4, 65_495],
    [65_536, 6, 65_476],
  ] as const)('announces for an MTU of %d over IPv%d: %d', (mtu, family, mss) => {
    const active = new Peer({ mtu, family });
    active.dial();
    expect(active.heard()[0].mss).toBe(mss);
    const passive = new Peer({ mtu, family });
    passive.server();
    passive.say('S', passive.synFields());
    expect(passive.heard()[0].mss).toBe(mss);
  });
});

describe('the SYN is lost', () => {
  const SECOND = 1_000_000;

  test('sent again after 1, 1, 1, 1, 1, 2, 4 … 64 s, then ETIMEDOUT (Linux)', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.pass(200 * SECOND);
    const heard = peer.heard();
    expect(heard.map(line)).toEqual(Array(11).fill('S 0'));
    const seconds = heard.map(({ at }) => at / SECOND);
    expect(seconds).toEqual([0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]);
    expect(socket.state).toBe(State.CLOSED);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
    expect(peer.host.core.tcp.tuples.count).toBe(0);
    expect(peer.host.core.unfinished).toBe(0);
  });

  test('given up exactly when the last timeout has passed', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.pass(131 * SECOND - 1);
    expect(socket.state).toBe(State.SYN_SENT);
    peer.pass(1);
    expect(socket.state).toBe(State.CLOSED);
  });

  test.each([
    [{ synRetries: 2, synLinearTimeouts: 0 }, [0, 1, 3], 7],
    [{ synRetries: 1, synLinearTimeouts: 2 }, [0, 1, 2, 3], 5],
    [{ synRetries: 3, synLinearTimeouts: 0, rtoInitial: 500 }, [0, 0.5, 1.5, 3.5], 7.5],
    [{ synRetries: 8, synLinearTimeouts: 0, rtoMax: 4000 }, [0, 1, 3, 7, 11, 15, 19, 23, 27], 31],
  ])('settings %j', (tcp, times, end) => {
    const peer = new Peer({ tcp });
    const socket = peer.dial();
    peer.pass(end * SECOND - 1);
    expect(peer.heard().map(({ at }) => at / SECOND)).toEqual(times);
    expect(socket.state).toBe(State.SYN_SENT);
    peer.pass(1);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test('TCP_SYNCNT and TCP_USER_TIMEOUT', () => {
    const counted = new Peer({ tcp: { synLinearTimeouts: 0 } });
    counted.dial((socket) => socket.setOption(11, 1));
    counted.pass(60 * SECOND);
    expect(counted.heard().map(({ at }) => at / SECOND)).toEqual([0, 1]);
    const timed = new Peer({ tcp: { synLinearTimeouts: 0 } });
    const socket = timed.dial((it) => it.setOption(12, 4500));
    timed.pass(60 * SECOND);
    // From the first retransmission on; the last timeout is cut short.
    expect(timed.heard().map(({ at }) => at / SECOND)).toEqual([0, 1, 3]);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });

  test.each([
    [0, 10],
    [1, 10],
    [2, 1],
  ])('%d times: the congestion window starts with %d (RFC 5681 §3.1, Linux)', (losses, cwnd) => {
    const peer = new Peer({ syn: { mss: 1460, scale: 7 } });
    const socket = peer.dial();
    peer.pass(losses * SECOND);
    peer.answer(socket);
    socket.send(new Uint8Array(100_000), 0, 100_000);
    peer.listen();
    expect(peer.heard().length).toBe(cwnd);
  });

  test('the timeout is then 3 s, unless timestamps give a round trip (RFC 6298 §5.7)', () => {
    for (const [timestamps, wait] of [
      [false, 3],
      [true, 0.22],
    ] as const) {
      const peer = new Peer({ timestamps });
      const socket = peer.dial();
      peer.pass(SECOND);
      peer.pass(20_000);
      peer.answer(socket);
      const start = peer.now;
      socket.send(new Uint8Array(10), 0, 10);
      peer.pass(SECOND * 4);
      const [first, second] = peer.heard();
      expect([first.at, second.at - first.at]).toEqual([start, wait * SECOND]);
    }
  });
});

describe('the SYN+ACK is lost', () => {
  const SECOND = 1_000_000;

  test('sent again after 1, 2, 4, 8, 16 s; forgotten after 32 more', () => {
    const peer = new Peer();
    peer.server();
    peer.say('S', peer.synFields());
    peer.pass(63 * SECOND - 1);
    const heard = peer.heard();
    expect(heard.map(line)).toEqual(Array(6).fill('S. 0 ack 1'));
    expect(heard.map(({ at }) => at / SECOND)).toEqual([0, 1, 3, 7, 15, 31]);
    expect(peer.state).toBe(State.SYN_RECEIVED);
    peer.pass(1);
    expect(peer.state).toBe(State.CLOSED);
    expect(peer.host.core.tcp.synReceived.count).toBe(0);
    // A late third segment belongs to nothing any more.
    peer.say('.', { seq: 1, ack: 1 });
    expect(peer.lines()).toEqual(['R 1']);
  });

  test('no more often than synackRetries', () => {
    const peer = new Peer({ tcp: { synackRetries: 0 } });
    peer.server();
    peer.say('S', peer.synFields());
    peer.pass(10 * SECOND);
    expect(peer.heard().length).toBe(1);
    expect(peer.state).toBe(State.CLOSED);
  });

  test('the peer’s SYN, sent again, brings it at once, and its round trip does not count', () => {
    const peer = new Peer();
    const listener = peer.server();
    peer.say('S', peer.synFields());
    peer.pass(400_000);
    peer.say('S', { seq: 0, ts: null });
    expect(peer.lines()).toEqual(['S. 0 ack 1', 'S. 0 ack 1']);
    peer.pass(100_000);
    peer.say('.');
    const socket = listener.accept() as StreamSocket;
    const start = peer.now;
    socket.send(new Uint8Array(1), 0, 1);
    peer.pass(10 * SECOND);
    // 3 s: it isn't known whether the round trip took 100 or 500 ms (Karn's rule).
    expect(peer.heard()[1].at - start).toBe(3 * SECOND);
  });
});

describe('crossing SYNs (RFC 9293 §3.5, figure 8)', () => {
  /** Both ends connect to each other's port at the same time. */
  function cross(lab: Lab): [StreamSocket, StreamSocket] {
    const ends = [lab.a, lab.b].map((host, i) => {
      const socket = host.core.socket(4);
      host.core.advance(lab.now);
      expect(socket.bind(host.address, 7000 + i)).toBe(0);
      return socket;
    });
    expect(ends[0].connect(lab.b.address, 7001)).toBe(-Errno.EINPROGRESS);
    expect(ends[1].connect(lab.a.address, 7000)).toBe(-Errno.EINPROGRESS);
    return ends as [StreamSocket, StreamSocket];
  }

  test('make one connection, by four segments and an ACK each', () => {
    const lab = new Lab();
    const [a, b] = cross(lab);
    lab.run(() => a.state === State.ESTABLISHED && b.state === State.ESTABLISHED, 1_000_000);
    const flags = lab.a.log.map((entry) => /^\d+ (.).*Flags \[(.*?)\].*\[(.*)\]$/.exec(entry));
    expect(flags.map((match) => match?.slice(1).join(' '))).toEqual([
      '> S SYN-SENT',
      '< S SYN-RECEIVED',
      '> S. SYN-RECEIVED',
      '< S. ESTABLISHED',
      '> . ESTABLISHED',
    ]);
    const data = pattern(200_000);
    expect(Buffer.compare(transfer(lab, a, b, data), data)).toBe(0);
    expect(Buffer.compare(transfer(lab, b, a, data), data)).toBe(0);
  });

  test.each([0, 1, 2, 3, 4, 5, 6])('whatever segment is lost: number %d', (lost) => {
    const lab = new Lab();
    const [a, b] = cross(lab);
    lab.filter = (_packet, _from, count) => (count === lost ? false : undefined);
    const done = () => a.state === State.ESTABLISHED && b.state === State.ESTABLISHED;
    expect(lab.run(done, 10_000_000)).toBe(true);
    const data = pattern(100_000);
    expect(Buffer.compare(transfer(lab, a, b, data), data)).toBe(0);
    expect(Buffer.compare(transfer(lab, b, a, data), data)).toBe(0);
  });

  test('the window of the SYN+ACK is not scaled', () => {
    const peer = new Peer({ syn: { mss: 1460, scale: 10 } });
    peer.dial();
    peer.say('S', peer.synFields());
    peer.say('S.', { ...peer.synFields(), seq: 0, ack: 1, window: 5000 });
    const c = peer.host.core.tcp.connection(0);
    expect(c.state).toBe(State.ESTABLISHED);
    expect(c.sndWnd).toBe(5000);
    expect(peer.lines()).toEqual(['S 0', 'S. 0 ack 1', '. 1 ack 1']);
  });

  test('the SYN+ACK offers what the SYN did (Linux)', () => {
    const peer = new Peer({ syn: { mss: 1460 } });
    peer.dial();
    peer.say('S', peer.synFields());
    const [syn, synAck] = peer.heard();
    expect(synAck.options).toBe(syn.options);
  });

  test('both at once before anything could leave: the last word is an ACK, not a SYN', () => {
    const peer = new Peer();
    peer.dial();
    peer.lines();
    // In one batch: nothing is sent between the two.
    const syn = peer.packet('S', peer.synFields());
    const synAck = peer.packet('S.', { ...peer.synFields(), seq: 0, ack: 1 });
    peer.deliver(syn);
    peer.deliver(synAck);
    peer.listen();
    expect(peer.lines()).toEqual(['. 1 ack 1']);
    peer.pass(10_000_000);
    expect(peer.lines()).toEqual([]);
  });

  test('the SYN+ACK is sent again until it is acknowledged', () => {
    const peer = new Peer();
    const socket = peer.dial();
    peer.say('S', peer.synFields());
    peer.pass(63_000_000);
    const heard = peer.heard().slice(1);
    expect(heard.map(line)).toEqual(Array(6).fill('S. 0 ack 1'));
    expect(heard.map(({ at }) => at / 1e6)).toEqual([0, 1, 3, 7, 15, 31]);
    expect(socket.takeError()).toBe(Errno.ETIMEDOUT);
  });
});

describe('a stack that talks to itself', () => {
  test('a socket connects to its own endpoint', () => {
    const lab = new Lab();
    const socket = lab.a.core.socket(4);
    expect(socket.bind(lab.a.address, 7000)).toBe(0);
    expect(socket.connect(lab.a.address, 7000)).toBe(-Errno.EINPROGRESS);
    lab.run(() => socket.state === State.ESTABLISHED, 1_000_000);
    expect(socket.state).toBe(State.ESTABLISHED);
    const data = pattern(300_000);
    expect(Buffer.compare(transfer(lab, socket, socket, data), data)).toBe(0);
    socket.close();
    lab.run();
    expect(lab.a.core.tcp.tuples.count).toBe(0);
    expect(lab.a.core.unfinished).toBe(0);
  });

  test('a socket connects to a listener of the same stack', () => {
    const lab = new Lab();
    const listener = lab.listen(lab.a, 80);
    const client = lab.connect(lab.a, lab.a, 80);
    let server: StreamSocket | number = -1;
    lab.run(() => typeof (server = listener.accept()) !== 'number', 1_000_000);
    const peer = server as unknown as StreamSocket;
    const data = pattern(300_000);
    expect(Buffer.compare(transfer(lab, client, peer, data), data)).toBe(0);
    expect(Buffer.compare(transfer(lab, peer, client, data), data)).toBe(0);
    client.close();
    lab.run(() => peer.take(1) === 0);
    peer.close();
    listener.close();
    lab.run();
    expect(lab.a.core.tcp.tuples.count).toBe(0);
  });
});

describe('refused', () => {
  test('no listener: ECONNREFUSED at once, and the bits of poll(2)', () => {
    const peer = new Peer();
    const socket = peer.dial();
    expect(socket.poll()).toBe(0);
    peer.say('R.', { seq: 0, ack: 1 });
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.ERR | Poll.HUP | Poll.RDHUP);
    expect(socket.takeError()).toBe(Errno.ECONNREFUSED);
    expect(socket.poll()).toBe(Poll.IN | Poll.OUT | Poll.HUP | Poll.RDHUP);
    expect(socket.receive(new Uint8Array(1), 0, 1)).toBe(0);
    expect(socket.send(new Uint8Array(1), 0, 1)).toBe(-Errno.EPIPE);
    expect(peer.host.core.tcp.tuples.count).toBe(0);
  });

  test('the socket may try again', () => {
    const lab = new Lab();
    const socket = lab.connect(lab.a, lab.b, 80);
    lab.run(() => socket.state === State.CLOSED, 1_000_000);
    expect(socket.takeError()).toBe(Errno.ECONNREFUSED);
    lab.listen(lab.b, 80);
    // Linux: the next call tells what has become of the first.
    expect(socket.connect(lab.b.address, 80)).toBe(-Errno.ECONNABORTED);
    expect(socket.poll()).toBe(Poll.OUT | Poll.HUP);
    expect(socket.connect(lab.b.address, 80)).toBe(-Errno.EINPROGRESS);
    lab.run(() => socket.state === State.ESTABLISHED, 1_000_000);
    expect(socket.state).toBe(State.ESTABLISHED);
  });

  test('an echoed timestamp that was never sent (RFC 7323 §5.4)', () => {
    const peer = new Peer({ timestamps: true });
    const socket = peer.dial();
    peer.say('S.', { mss: 1460, ts: [1, peer.tsEcr + 1] });
    expect(peer.lines()).toEqual(['S 0', 'R 1']);
    expect(socket.state).toBe(State.SYN_SENT);
    expect(peer.host.core.counters.TcpExtTSEcrRejected).toBe(1);
  });
});
