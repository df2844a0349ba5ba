import { SocketOptions } from '../../../lib/core/socket/options';
import { Counters } from '../../../lib/core/stack/counters';
import { CongestionEvent } from '../../../lib/core/tcp/congestion';
import { Connection, Has } from '../../../lib/core/tcp/connection';
import { Cubic, CubicState } from '../../../lib/core/tcp/cubic';
import { makeSettings, type Settings } from '../../../lib/core/tcp/settings';

/** RFC 9438 §4.6 and §5.1, as Linux rounds them. */
const BETA = 717 / 1024;
const C = 410 / 1024;
const RTT = 100_000;
const SECOND = 1_000_000;

interface Flow {
  c: Connection;
  cubic: Cubic;
  counters: Counters;
  now: number;
}

function flow(cwnd: number, tcp: Partial<Settings> = {}, start = 0): Flow {
  const settings = makeSettings({ hystart: 0, ...tcp });
  const counters = new Counters();
  const cubic = new Cubic(settings, counters);
  const c = new Connection(0, new SocketOptions(settings, cubic));
  c.cwnd = cwnd;
  c.set(Has.CwndLimited);
  cubic.init(c);
  return { c, cubic, counters, now: start };
}

const state = ({ c }: Flow): CubicState => c.congestionState as CubicState;

/** A loss: the window comes down to the threshold. */
function lose({ c, cubic }: Flow): void {
  c.priorCwnd = c.cwnd;
  c.ssthresh = cubic.ssthresh(c);
  c.cwnd = c.ssthresh;
  c.cwndCount = 0;
}

/** A full window is acknowledged in each round trip, by a hundred acknowledgments at most. */
function grow(f: Flow, us: number, rtt = RTT): void {
  const until = f.now + us;
  while (f.now < until) {
    const acked = Math.ceil(f.c.cwnd / 100);
    f.now += (acked * rtt) / f.c.cwnd;
    f.cubic.acked(f.c, acked, rtt, f.now);
    f.cubic.congAvoid(f.c, acked, f.now);
  }
}

/** W_cubic(t) of RFC 9438 §4.2, Figure 1; seconds. */
function curve(t: number, wMax: number, epoch: number): number {
  return C * (t - Math.cbrt((wMax - epoch) / C)) ** 3 + wMax;
}

describe('a loss (RFC 9438 §4.6, §4.7)', () => {
  test('the window comes down to 0.7', () => {
    const f = flow(1000);
    lose(f);
    expect([f.c.cwnd, f.c.ssthresh, state(f).lastMaxCwnd]).toEqual([700, 700, 1000]);
  });

  test('never below two', () => {
    const f = flow(2);
    lose(f);
    expect(f.c.ssthresh).toBe(2);
  });

  test('fast convergence: who loses before W_max remembers (1 + β) / 2 of the window', () => {
    const f = flow(1000);
    lose(f);
    lose(f);
    expect(state(f).lastMaxCwnd).toBe(Math.floor((700 * (1 + BETA)) / 2));
    const without = flow(1000, { cubicFastConvergence: 0 });
    lose(without);
    lose(without);
    expect(state(without).lastMaxCwnd).toBe(700);
  });
});

describe('the curve (RFC 9438 §4.2)', () => {
  test.each([100, 1000, 10_000])('of W_max %d: Figure 1 within a percent, for 20 s', (wMax) => {
    const f = flow(wMax, { cubicTcpFriendliness: 0 });
    lose(f);
    const epoch = f.c.cwnd;
    for (let t = 1; t <= 20; t++) {
      grow(f, SECOND);
      // Linux aims at the curve one round trip ahead, and follows it during that.
      expect(Math.abs(f.c.cwnd / curve(t, wMax, epoch) - 1)).toBeLessThan(t < 3 ? 0.03 : 0.012);
    }
  });

  test.each([
    [100, 4.22],
    [1000, 9.1],
    [10_000, 19.6],
  ])('K: W_max of %d is reached again after %d s', (wMax, seconds) => {
    const f = flow(wMax);
    lose(f);
    grow(f, RTT);
    expect(state(f).k / 1024).toBeCloseTo(Math.cbrt((wMax - Math.floor(wMax * BETA)) / C), 1);
    expect(state(f).k / 1024).toBeCloseTo(seconds, 1);
  });

  test('does not depend on the round trip (§3.1)', () => {
    const windows = [20_000, 100_000].map((rtt) => {
      const f = flow(5000);
      lose(f);
      grow(f, 10 * SECOND, rtt);
      return f.c.cwnd;
    });
    expect(Math.abs(windows[0] / windows[1] - 1)).toBeLessThan(0.01);
  });

  test('at most by a half in a round trip (§4.4)', () => {
    const f = flow(1000);
    lose(f);
    grow(f, RTT);
    // As if nothing had limited the window for an hour.
    f.now += 3600 * SECOND;
    grow(f, RTT);
    expect(state(f).count).toBe(2);
    const before = f.c.cwnd;
    grow(f, RTT);
    expect(f.c.cwnd / before).toBeLessThan(1.66);
  });

  test('an unknown path: by 5 % in a round trip at least', () => {
    const f = flow(100, { cubicTcpFriendliness: 0 });
    f.c.ssthresh = 50;
    grow(f, RTT);
    expect(f.c.cwnd).toBe(105);
  });

  test('time that passes 2^31 and 2^32 µs and ms, is nothing special', () => {
    const windows = [0, 2 ** 31, 2 ** 32, 2 ** 31 * 1000, 2 ** 32 * 1000].map((far) => {
      const f = flow(1000, {}, far - 3 * SECOND < 0 ? 0 : far - 3 * SECOND);
      lose(f);
      grow(f, 8 * SECOND);
      return f.c.cwnd;
    });
    // Where in a millisecond it begins may make one segment.
    for (const cwnd of windows) expect(Math.abs(cwnd - windows[0])).toBeLessThanOrEqual(1);
  });

  test('huge windows and silences give a sensible step', () => {
    const f = flow(50_000_000);
    lose(f);
    f.cubic.congAvoid(f.c, 1, SECOND);
    f.now = 1e15;
    f.cubic.congAvoid(f.c, 10, f.now);
    expect(f.c.cwnd).toBe(Math.floor((50_000_000 * 717) / 1024) + 5);
  });
});

describe('the region where Reno is faster (RFC 9438 §4.3)', () => {
  test('W_est grows by α_cubic = 3 (1 - β) / (1 + β) in a round trip', () => {
    const f = flow(100);
    lose(f);
    const start = f.c.cwnd;
    for (let round = 0; round < 20; round++) grow(f, 10_000, 10_000);
    const alpha = (3 * (1 - BETA)) / (1 + BETA);
    expect(f.c.cwnd - start).toBeGreaterThanOrEqual(Math.floor(20 * alpha) - 1);
    expect(f.c.cwnd - start).toBeLessThanOrEqual(Math.ceil(20 * alpha) + 1);
  });

  test('switched off, the curve alone is followed', () => {
    const f = flow(100, { cubicTcpFriendliness: 0 });
    lose(f);
    grow(f, 200_000, 10_000);
    expect(f.c.cwnd).toBeLessThan(75);
  });
});

describe('pauses and timeouts', () => {
  test('time in which nothing was sent is none on the curve (RFC 9438 §5.8)', () => {
    const windows = [0, 30].map((seconds) => {
      const f = flow(1000);
      lose(f);
      grow(f, 3 * SECOND);
      f.c.lastSendMs = Math.floor(f.now / 1000) | 0;
      f.now += seconds * SECOND;
      f.cubic.event(f.c, CongestionEvent.TransmitStart, f.now);
      grow(f, 2 * SECOND);
      return f.c.cwnd;
    });
    expect(Math.abs(windows[1] - windows[0])).toBeLessThanOrEqual(1);
  });

  test('the shift never leads into the future, and concerns no state that there is not', () => {
    const f = flow(1000);
    f.cubic.event(f.c, CongestionEvent.TransmitStart, SECOND);
    expect(f.c.congestionState).toBeNull();
    lose(f);
    grow(f, SECOND);
    f.c.lastSendMs = 0;
    f.cubic.event(f.c, CongestionEvent.TransmitStart, f.now);
    expect(state(f).epochStart).toBeLessThanOrEqual(f.now / 1000);
  });

  test('after a timeout K is 0 and W_max the window at the end of slow start (§4.8)', () => {
    const f = flow(1000);
    lose(f);
    f.c.cwnd = 1;
    f.cubic.event(f.c, CongestionEvent.Loss, f.now);
    grow(f, 2 * SECOND);
    expect(f.c.cwnd).toBeGreaterThanOrEqual(700);
    expect([state(f).k, state(f).originPoint]).toEqual([0, 700]);
  });

  test('the smallest round trip is not taken in the second after a reduction', () => {
    const f = flow(1000);
    f.cubic.acked(f.c, 1, RTT, 0);
    lose(f);
    f.cubic.congAvoid(f.c, 1, 0);
    f.cubic.acked(f.c, 1, 5000, 900_000);
    expect(state(f).minDelay).toBe(RTT);
    f.cubic.acked(f.c, 1, 5000, 1_000_000);
    expect(state(f).minDelay).toBe(5000);
  });
});

test('who never fills the window has no state', () => {
  const f = flow(10);
  f.c.unset(Has.CwndLimited);
  for (let i = 0; i < 100; i++) f.cubic.acked(f.c, 1, RTT, i * RTT);
  expect(f.c.congestionState).toBeNull();
});

describe('HyStart++ (RFC 9406)', () => {
  /** A slow start in rounds; `rtts` gives the round trip of each acknowledgment of a round, µs. */
  function slowStart(
    rounds: readonly (readonly number[])[],
    tcp = {},
    startSeq = 0,
    cwnd: number | null = null,
  ): number[] {
    const f = flow(10, { hystart: 1, ...tcp });
    const { c, cubic } = f;
    c.sndUna = c.sndNxt = startSeq;
    c.sndNxt = (startSeq + 1000 * rounds[0].length) | 0;
    const windows = rounds.map((rtts, n) => {
      rtts.forEach((rtt, i) => {
        c.sndUna = (c.sndUna + 1000) | 0;
        // What the next round is made of has left meanwhile.
        const next = n + 1 < rounds.length ? rounds[n + 1].length : 10;
        if (i === rtts.length - 1) c.sndNxt = (c.sndUna + 1000 * next) | 0;
        if (cwnd !== null) c.cwnd = cwnd;
        cubic.acked(c, 1, rtt, 0);
        cubic.congAvoid(c, 1, 0);
      });
      return c.cwnd;
    });
    return [...windows, c.ssthresh, f.counters.TcpExtTCPHystartDelayDetect];
  }

  const round = (rtt: number, samples = 10): number[] => new Array<number>(samples).fill(rtt);
  const NONE = 0x7fffffff;

  test('round trips that stay: slow start goes on', () => {
    const windows = slowStart([round(RTT), round(RTT), round(RTT), round(RTT)]);
    expect(windows).toEqual([20, 30, 40, 50, NONE, 0]);
  });

  test('growth by an eighth leads into CSS, which grows by a quarter, for five rounds', () => {
    const grown = round(RTT + 12_500);
    // Seen with the eighth sample; the round that it is seen in counts as one of the five.
    expect(slowStart([round(RTT), ...new Array<number[]>(5).fill(grown)])).toEqual([
      20, 27, 30, 32, 35, 37, 37, 1,
    ]);
    expect(slowStart([round(RTT), ...new Array<number[]>(4).fill(grown)]).slice(-2)).toEqual([
      NONE,
      0,
    ]);
  });

  test.each([
    ['4 ms at least', 8_000, 3_999, 4_000],
    ['an eighth', 80_000, 9_999, 10_000],
    ['16 ms at most', 400_000, 15_999, 16_000],
  ])('the threshold: %s', (_, rtt, less, enough) => {
    const at = (more: number) => slowStart([round(rtt), round(rtt + more)])[1];
    expect([at(less), at(enough)]).toEqual([30, 27]);
  });

  test('the first round has none to be compared with', () => {
    expect(slowStart([[RTT, ...round(RTT + 20_000, 9)]])[0]).toBe(20);
  });

  test('fewer than eight samples tell nothing', () => {
    expect(slowStart([round(RTT, 7), round(2 * RTT, 7)])[1]).toBe(24);
    expect(slowStart([round(RTT, 7), round(2 * RTT, 9)])[1]).toBe(17 + 7);
  });

  test('the smallest round trip of a round counts', () => {
    const mixed = [RTT, ...round(2 * RTT, 9)];
    expect(slowStart([round(RTT), mixed])[1]).toBe(30);
  });

  test('round trips that shrink again: back to slow start', () => {
    const up = round(RTT + 20_000);
    const windows = slowStart([round(RTT), up, round(RTT), round(RTT), round(RTT)]);
    // In the third round seven acknowledgments and three before count for a quarter.
    expect(windows).toEqual([20, 27, 32, 42, 52, NONE, 0]);
  });

  test('the threshold is two segments at least, whatever a pause has left of the window', () => {
    const grown = new Array<number[]>(5).fill(round(RTT + 12_500));
    expect(slowStart([round(RTT), ...grown], {}, 0, 1).slice(-2)).toEqual([2, 1]);
  });

  test('across the wrap of sequence numbers', () => {
    const rounds = [round(RTT), ...new Array<number[]>(6).fill(round(RTT + 12_500))];
    for (const start of [-5_000, 0x7fffffff - 5_000]) {
      expect(slowStart(rounds, {}, start)).toEqual(slowStart(rounds));
    }
  });

  test('switched off', () => {
    expect(slowStart([round(RTT), round(3 * RTT), round(5 * RTT)], { hystart: 0 })).toEqual([
      20,
      30,
      40,
      NONE,
      0,
    ]);
  });

  test('later slow starts know where to end', () => {
    const f = flow(10, { hystart: 1 });
    f.cubic.acked(f.c, 1, RTT, 0);
    expect(state(f).hystart).not.toBeNull();
    lose(f);
    f.cubic.acked(f.c, 1, RTT, 0);
    expect(state(f).hystart).toBeNull();
    // A needless reduction is taken back.
    f.c.ssthresh = NONE;
    f.cubic.acked(f.c, 1, RTT, 0);
    expect(state(f).hystart).not.toBeNull();
  });
});

describe("Linux's HyStart", () => {
  /** Acknowledgments of a flight, `gap` µs apart, each with this round trip. */
  function acked(f: Flow, count: number, rtt: number, gap: number): void {
    for (let i = 0; i < count; i++) {
      f.now += gap;
      f.c.sndUna = (f.c.sndUna + 1000) | 0;
      f.cubic.acked(f.c, 1, rtt, f.now);
    }
  }

  function slowStart(cwnd: number, tcp: Partial<Settings> = {}): Flow {
    const f = flow(cwnd, { hystart: 2, ...tcp });
    acked(f, 1, RTT, 0);
    f.c.sndNxt = (f.c.sndUna + 1_000_000) | 0;
    f.now += RTT;
    acked(f, 1, RTT, 0);
    return f;
  }

  function nextRound({ c }: Flow): void {
    c.sndUna = c.sndNxt;
    c.sndNxt = (c.sndUna + 1_000_000) | 0;
  }

  const NONE = 0x7fffffff;

  test('more than eight round trips of a round that have grown by an eighth', () => {
    const f = slowStart(20);
    nextRound(f);
    acked(f, 8, RTT + 12_501, 5000);
    expect(f.c.ssthresh).toBe(NONE);
    acked(f, 1, RTT + 12_501, 5000);
    expect([f.c.ssthresh, f.counters]).toMatchObject([
      20,
      { TcpExtTCPHystartDelayDetect: 1, TcpExtTCPHystartDelayCwnd: 20 },
    ]);
  });

  test('less growth, or a smaller window, tells nothing', () => {
    const less = slowStart(20);
    nextRound(less);
    acked(less, 20, RTT + 12_500, 5000);
    const small = slowStart(15);
    acked(small, 20, 3 * RTT, 5000);
    expect([less.c.ssthresh, small.c.ssthresh]).toEqual([NONE, NONE]);
  });

  test.each([
    ['half of a round trip', 0, 51],
    ['where pacing spreads it, a whole one', 1, 101],
  ])('a train of acknowledgments as long as %s', (_, pacing, length) => {
    const f = slowStart(20, { pacing });
    acked(f, length - 1, RTT, 1000);
    expect(f.c.ssthresh).toBe(NONE);
    acked(f, 1, RTT, 1000);
    expect([f.c.ssthresh, f.counters]).toMatchObject([
      20,
      { TcpExtTCPHystartTrainDetect: 1, TcpExtTCPHystartTrainCwnd: 20 },
    ]);
  });

  test('acknowledgments further apart are no train', () => {
    const f = slowStart(20);
    acked(f, 50, RTT, 2001);
    expect(f.c.ssthresh).toBe(NONE);
  });
});
