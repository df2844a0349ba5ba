import type { StreamSocket } from '../../../lib/core/socket/stream-socket';
import type {
  CongestionController,
  CongestionView,
} from '../../../lib/core/tcp/congestion-controller';
import { CongestionEvent } from '../../../lib/core/tcp/congestion';
import { CaState } from '../../../lib/core/tcp/connection';
import { OWN_CONTROLLERS } from '../../../lib/core/tcp/controllers';
import { Peer, type PeerOptions } from '../../support/peer';

const MSS = 1000;

function connected(options: PeerOptions = {}): [Peer, StreamSocket] {
  const peer = new Peer({ syn: { mss: MSS, sackPermitted: true }, ...options });
  return [peer, peer.answer()];
}

const control = (peer: Peer) => peer.host.core.tcp.connection(0);

/** Sends a window and has it acknowledged. */
function round(peer: Peer, socket: StreamSocket): void {
  const bytes = control(peer).cwnd * MSS;
  socket.send(new Uint8Array(bytes), 0, bytes);
  peer.listen();
  // Less than a loss probe waits.
  peer.pass(1000);
  peer.say('.');
}

/** As the program would write it, with something to look at. */
function fixed(window: number): CongestionController {
  return {
    name: 'fixed',
    ssthresh: () => window,
    congAvoid: (connection) => {
      connection.cwnd = window;
    },
  };
}

function errorsOf(peer: Peer): unknown[] {
  const errors: unknown[] = [];
  peer.host.core.tcp.environment.report = (error) => errors.push(error);
  return errors;
}

describe('TCP_CONGESTION', () => {
  test('cubic is the default, and there is no other name than reno', () => {
    const [peer] = connected();
    const { controllers } = peer.host.core.tcp;
    expect(controllers.find()?.name).toBe('cubic');
    expect(controllers.find('vegas')).toBeNull();
    expect(OWN_CONTROLLERS.map((name) => controllers.find(name)?.name)).toEqual(['reno', 'cubic']);
    expect(peer.host.core.socket(4).setCongestion('vegas')).toBe(-2);
    expect(() => new Peer({ congestionControl: 'vegas' })).toThrow('no such congestion control');
  });

  test('a connection inherits the listener’s', () => {
    const peer = new Peer({ syn: { mss: MSS } });
    const listener = peer.server();
    expect(listener.setCongestion('cubic')).toBe(0);
    const first = peer.open(listener);
    expect([first.congestion, listener.congestion]).toEqual(['cubic', 'cubic']);
    // What is accepted has its own.
    expect(first.setCongestion('reno')).toBe(0);
    expect([first.congestion, listener.congestion]).toEqual(['reno', 'cubic']);
  });

  test('may be changed while data is under way, and begins with the window that there is', () => {
    const [peer, socket] = connected({ congestionControl: 'cubic' });
    for (let i = 0; i < 3; i++) round(peer, socket);
    const { cwnd, ssthresh } = control(peer);
    expect(control(peer).congestionState).not.toBeNull();
    expect(socket.setCongestion('reno')).toBe(0);
    expect(control(peer)).toMatchObject({ cwnd, ssthresh, congestionState: null, pacingRate: 0 });
    expect(socket.setCongestion('cubic')).toBe(0);
    for (let i = 0; i < 2; i++) round(peer, socket);
    expect(control(peer).cwnd).toBeGreaterThan(cwnd);
  });

  test('the same again changes nothing', () => {
    const [peer, socket] = connected({ congestionControl: 'cubic' });
    round(peer, socket);
    const state = control(peer).congestionState;
    expect(socket.setCongestion('cubic')).toBe(0);
    expect(control(peer).congestionState).toBe(state);
  });

  test('before the connection, and when it is over', () => {
    const peer = new Peer({ syn: { mss: MSS } });
    const socket = peer.dial((made) => void made.setCongestion('cubic'));
    expect(control(peer).congestion.name).toBe('cubic');
    socket.close();
    expect(socket.setCongestion('reno')).toBe(-9);
  });

  test('an idle connection has no state', () => {
    const [peer] = connected({ congestionControl: 'cubic' });
    expect(control(peer).congestionState).toBeNull();
  });
});

describe('a controller of the program’s', () => {
  test('decides', () => {
    const [peer, socket] = connected({ congestionControl: fixed(25) });
    round(peer, socket);
    expect(socket.congestion).toBe('fixed');
    expect(control(peer).cwnd).toBe(25);
  });

  test('that controls the window does so through recovery and at its end', () => {
    const [peer, socket] = connected({
      congestionControl: { ...fixed(5), control: (connection) => void connection.cwnd++ },
    });
    socket.send(new Uint8Array(20 * MSS), 0, 20 * MSS);
    peer.listen();
    peer.say('.', { ack: 1, sack: [[1 + MSS, 1 + 4 * MSS]] });
    expect([control(peer).cwnd, control(peer).ssthresh]).toEqual([11, 5]);
    peer.say('.');
    expect(control(peer).cwnd).toBe(12);
  });

  test('begins with the connection, or at once where that is there', () => {
    let begun = 0;
    const counting = { ...fixed(9), init: () => void begun++ };
    const peer = new Peer({ syn: { mss: MSS } });
    const socket = peer.dial((made) => void made.setCongestion(counting));
    expect(begun).toBe(0);
    peer.answer(socket);
    expect(begun).toBe(1);
    expect([socket.setCongestion('reno'), socket.setCongestion(counting)]).toEqual([0, 0]);
    expect(begun).toBe(2);
  });

  test('that asks for no threshold keeps its window through recovery', () => {
    const [peer, socket] = connected({
      congestionControl: { name: 'none', ssthresh: () => Infinity, congAvoid: () => undefined },
    });
    socket.send(new Uint8Array(20 * MSS), 0, 20 * MSS);
    peer.listen();
    peer.say('.', { ack: 1, sack: [[1 + MSS, 1 + 4 * MSS]] });
    expect([control(peer).ssthresh, control(peer).caState]).toEqual([0x7fffffff, CaState.Recovery]);
    peer.say('.');
    expect(control(peer).caState).toBe(CaState.Open);
    expect(control(peer).cwnd).toBeLessThan(100);
  });

  test('sees the connection, and keeps its state', () => {
    const seen: unknown[] = [];
    const [peer, socket] = connected({
      congestionControl: {
        name: 'looks',
        init: (connection) => {
          seen.push(connection.state, connection.recovering, connection.ssthresh);
          connection.state = { n: 0 };
          connection.pacingRate = 1_000_000;
          connection.pacingRate = 0;
        },
        ssthresh: () => 7,
        congAvoid: (connection: CongestionView, acked, now) => {
          const { mss, cwnd, srtt, inFlight, state, pacingRate, priorCwnd } = connection;
          seen.push({ mss, cwnd, srtt, inFlight, state, pacingRate, priorCwnd, acked, now });
          connection.increase(acked, 5);
          connection.ssthresh = Infinity;
          expect(connection.slowStart(3)).toBe(0);
        },
      },
    });
    round(peer, socket);
    expect(seen.slice(0, 3)).toEqual([undefined, false, Infinity]);
    expect(seen[3]).toMatchObject({ mss: MSS, cwnd: 10, inFlight: 0, acked: 10, now: 1 });
    expect(seen[3]).toMatchObject({ state: { n: 0 }, pacingRate: 0, priorCwnd: 0 });
    expect(control(peer).cwnd).toBe(10 + 2 + 3);
  });

  test.each<[string, unknown, number]>([
    ['NaN', NaN, 10],
    ['nothing', undefined, 10],
    ['a string', '20', 10],
    ['a promise', Promise.resolve(20), 10],
    ['0', 0, 1],
    ['negative', -5, 1],
    ['-Infinity', -Infinity, 1],
    ['huge', 1e300, 2 ** 20],
    ['Infinity', Infinity, 2 ** 20],
  ])('%s is no window: brought into range, and counted', (_, value, cwnd) => {
    const [peer, socket] = connected({ congestionControl: fixed(value as number) });
    round(peer, socket);
    expect(control(peer).cwnd).toBe(cwnd);
    expect(peer.host.core.counters.NetlandCongestionNonsense).toBe(1);
    // And no threshold.
    peer.host.core.counters.NetlandCongestionNonsense = 0;
    const c = control(peer);
    c.cwnd = 10;
    const ssthresh = c.congestion.ssthresh(c);
    expect(Number.isInteger(ssthresh) && ssthresh >= 2 && ssthresh <= 0x7fffffff).toBe(true);
    const taken = value === Infinity;
    expect(peer.host.core.counters.NetlandCongestionNonsense).toBe(Number(!taken));
  });

  test('fractions are cut off, and are nothing to count', () => {
    const [peer, socket] = connected({ congestionControl: fixed(17.9) });
    round(peer, socket);
    expect(control(peer).cwnd).toBe(17);
    expect(peer.host.core.counters.NetlandCongestionNonsense).toBe(0);
  });

  const broken = (method: keyof CongestionController): CongestionController => ({
    ...fixed(20),
    [method]: () => {
      throw new Error(`in ${method}`);
    },
  });

  test.each(['init', 'congAvoid', 'control', 'event'] as const)(
    'one that throws in %s is replaced by Reno, for this connection, and that is told once',
    (method) => {
      const peer = new Peer({ syn: { mss: MSS }, congestionControl: broken(method) });
      const errors = errorsOf(peer);
      const socket = peer.answer();
      if (method === 'control') {
        const c = control(peer);
        const none = { delivered: -1, interval: -1, rtt: -1, losses: 0, isAppLimited: false };
        c.congestion.control?.(c, { ...none, ackedSacked: 1, priorInFlight: 1 }, 0);
      }
      for (let i = 0; i < 3; i++) round(peer, socket);
      expect(errors).toEqual([expect.objectContaining({ message: `in ${method}` })]);
      expect(peer.host.core.counters.NetlandCongestionErrors).toBe(1);
      expect([control(peer).congestion.name, socket.congestion]).toEqual(['reno', 'reno']);
      expect(control(peer).cwnd).toBeGreaterThan(10);
    },
  );

  test.each(['ssthresh', 'undoCwnd', 'acked'] as const)(
    'nor does it help to throw in %s',
    (name) => {
      const [peer, socket] = connected({ congestionControl: broken(name) });
      const errors = errorsOf(peer);
      const c = control(peer);
      c.priorCwnd = 30;
      if (name === 'ssthresh') expect(c.congestion.ssthresh(c)).toBe(5);
      else if (name === 'undoCwnd') expect(c.congestion.undoCwnd?.(c)).toBe(30);
      else c.congestion.acked?.(c, 1, 1000, 0);
      expect(errors).toHaveLength(1);
      expect(socket.congestion).toBe('reno');
    },
  );

  test('is told the time in ms, and the view serves during each call alone', () => {
    const calls: string[] = [];
    const views = new Set<CongestionView>();
    const peers: Peer[] = [];
    const note = (view: CongestionView, call: string, now: number) => {
      views.add(view);
      const time = peers.length === 0 ? 0 : peers[0].host.core.tcp.now / 1000;
      calls.push(`${call} ${Math.abs(now - time) < 1e-6 ? 'now' : `at ${now}, not ${time}`}`);
    };
    const [peer, socket] = connected({
      congestionControl: {
        ...fixed(10),
        congAvoid: (view, _, now) => note(view, 'congAvoid', now),
        acked: (view, _acked, _rtt, now) => note(view, 'acked', now),
        event: (view, event, now) => note(view, event, now),
      },
    });
    peers.push(peer);
    calls.length = 0;
    round(peer, socket);
    expect(new Set(calls)).toEqual(new Set(['acked now', 'congAvoid now', 'transmit-start now']));
    for (const event of [CongestionEvent.Loss, CongestionEvent.Undo]) {
      const c = control(peer);
      c.congestion.event?.(c, event, peer.host.core.tcp.now);
      for (const view of views) expect(() => view.cwnd).toThrow('only during the call');
    }
    expect(views.size).toBe(1);
  });

  test('begins when there is a window, not when it is chosen', () => {
    const windows: number[] = [];
    const peer = new Peer({ syn: { mss: MSS } });
    const chosen = { ...fixed(10), init: (view: CongestionView) => void windows.push(view.cwnd) };
    const socket = peer.dial((made) => void made.setCongestion(chosen));
    expect(windows).toEqual([]);
    peer.answer(socket);
    expect(windows).toEqual([10]);
  });

  test('the view is of no use after the call', () => {
    let kept: CongestionView | undefined;
    const [peer, socket] = connected({
      congestionControl: { ...fixed(10), congAvoid: (connection) => void (kept = connection) },
    });
    round(peer, socket);
    expect(() => kept?.cwnd).toThrow('only during the call');
    expect(control(peer).cwnd).toBe(10);
  });
});
