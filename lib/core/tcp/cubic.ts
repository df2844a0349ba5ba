import type { Counters } from '../stack/counters';
import { elapsedMs } from '../time/elapsed';
import { CongestionEvent, type CongestionControl } from './congestion';
import type { Connection } from './connection';
import { isCwndLimited } from './cwnd-validation';
import { CSS_GROWTH_DIVISOR, HyStart } from './hystart';
import { LinuxHyStart, Sign } from './hystart-linux';
import { isPaced, pacingRate } from './pacing';
import { additiveIncrease, slowStart } from './reno';
import type { Settings } from './settings';

// CUBIC (RFC 9438) with the arithmetic of Linux's tcp_cubic, so that the curves are the same: time
// in units of 1/1024 s, fractions of 1024.

const UNIT = 1024;
/** β_cubic (RFC 9438 §4.6): 0.7. */
const BETA = 717;
/** C (RFC 9438 §5.1): 0.4, times 1024. */
const C = 410;
/** Segments acknowledged for one more of Reno's window, times 8: 1 / α_cubic (§4.3). */
const RENO_SCALE = 15;
/** The path is still unknown: the window grows by 5 % in a round trip at least. */
const MAX_COUNT_AT_FIRST = 20;
/** The window grows by a half in a round trip at most (§4.4). */
const MIN_COUNT = 2;
/** Segments per increment where the window has passed its target: hardly any growth. */
const PLATEAU = 100;
/** How long the curve's slope holds while the window stays, ms (Linux: HZ / 32). */
const SLOPE_HOLDS = 31;
/** After a reduction round trips tell of the queue that was, ms. */
const SETTLING = 1000;
const NO_EPOCH = -1;
/** What the setting `hystart` says. */
const enum Watch {
  No = 0,
  Rfc = 1,
  Linux = 2,
}
/** What bursts add to a train of acknowledgments: the time that so much takes at our rate. */
const TRAIN_BYTES = 4 * 65_536;
/** And at most, µs. */
const TRAIN_SLACK = 1000;

/** What CUBIC knows of a connection; windows in segments, times of the stack in ms. */
export class CubicState {
  /** Segments acknowledged that make the window larger by one. */
  count = 0;
  /** W_max. */
  lastMaxCwnd = 0;
  /** The window and the time that `count` was reckoned for. */
  lastCwnd = 0;
  lastTime = 0;
  /** Where the curve is flat, and when it gets there: K, in 1/1024 s from the epoch. */
  originPoint = 0;
  k = 0;
  /** Smallest round trip, µs; 0: none was measured. */
  minDelay = 0;
  epochStart = NO_EPOCH;
  /** Segments acknowledged that W_est has not taken yet. */
  ackCount = 0;
  /** W_est: the window that Reno would have. */
  renoCwnd = 0;

  /** Null: slow start is not watched, or is over. */
  hystart: HyStart | null = null;
  linuxHystart: LinuxHyStart | null = null;
}

/** `cwnd` was never reduced: this is the first slow start. */
function isFirstSlowStart(c: Connection): boolean {
  return c.ssthresh === 0x7fffffff;
}

/** The window that the curve has come to: W_cubic(t) (RFC 9438 §4.2). */
function target(s: CubicState, now: number): number {
  const ms = now - s.epochStart + Math.ceil(s.minDelay / 1000);
  const offset = Math.floor((ms * UNIT) / 1000) - s.k;
  const distance = Math.floor((C * Math.abs(offset) ** 3) / 2 ** 40);
  return s.originPoint + (offset < 0 ? -distance : distance);
}

/** A period between two reductions begins (RFC 9438 §4.2). */
function startEpoch(s: CubicState, cwnd: number, acked: number, now: number): void {
  s.epochStart = now;
  s.ackCount = acked;
  s.renoCwnd = cwnd;
  if (s.lastMaxCwnd <= cwnd) {
    s.k = 0;
    s.originPoint = cwnd;
  } else {
    s.k = Math.floor(Math.cbrt(Math.floor(2 ** 40 / C) * (s.lastMaxCwnd - cwnd)));
    s.originPoint = s.lastMaxCwnd;
  }
}

/** CUBIC of one stack. */
export class Cubic implements CongestionControl {
  readonly name = 'cubic';

  constructor(
    private readonly settings: Settings,
    private readonly counters: Counters,
  ) {}

  init(c: Connection): void {
    c.congestionState = null;
  }

  ssthresh(c: Connection): number {
    const s = this.state(c);
    s.epochStart = NO_EPOCH;
    // Fast convergence (RFC 9438 §4.7): who has less than before makes room for who comes.
    const less = c.cwnd < s.lastMaxCwnd && this.settings.cubicFastConvergence === 1;
    s.lastMaxCwnd = less ? Math.floor((c.cwnd * (UNIT + BETA)) / (2 * UNIT)) : c.cwnd;
    return Math.max(Math.floor((c.cwnd * BETA) / UNIT), 2);
  }

  congAvoid(c: Connection, acked: number, now: number): void {
    const s = this.state(c);
    let left = acked;
    if (c.cwnd < c.ssthresh) {
      if (s.hystart?.inCss) {
        additiveIncrease(c, CSS_GROWTH_DIVISOR, acked);
        return;
      }
      left = slowStart(c, acked);
      if (left === 0) return;
    }
    this.update(s, c.cwnd, left, Math.floor(now / 1000));
    additiveIncrease(c, s.count, left);
  }

  acked(c: Connection, _acked: number, rtt: number, now: number): void {
    // Who never fills the window needs no state.
    const { hystart } = this.settings;
    if (c.congestionState === null && !isCwndLimited(c) && hystart !== Watch.Linux) return;
    const s = this.state(c);
    const settling = s.epochStart !== NO_EPOCH && now / 1000 - s.epochStart < SETTLING;
    if (rtt >= 0 && !settling) {
      const delay = Math.max(rtt, 1);
      if (s.minDelay === 0 || delay < s.minDelay) s.minDelay = delay;
    }
    if (hystart === Watch.Linux) {
      if (rtt >= 0 && !settling) this.watchAsLinux(c, s, Math.max(rtt, 1), now);
      return;
    }
    // Also again where the reduction that had ended it was needless.
    if (hystart === Watch.No || !isFirstSlowStart(c)) {
      s.hystart = null;
      return;
    }
    s.hystart ??= new HyStart(c);
    if (s.hystart.acked(c, rtt)) {
      // After a pause the window may be one segment; RFC 5681 §3.1 knows no threshold below two.
      c.ssthresh = Math.max(c.cwnd, 2);
      this.counters.TcpExtTCPHystartDelayDetect++;
      this.counters.TcpExtTCPHystartDelayCwnd += c.cwnd;
    }
  }

  private watchAsLinux(c: Connection, s: CubicState, rtt: number, now: number): void {
    s.linuxHystart ??= new LinuxHyStart(c, now);
    if (s.linuxHystart.found || c.cwnd >= c.ssthresh) return;
    const slack = Math.min((TRAIN_BYTES * 1_000_000) / pacingRate(c, this.settings), TRAIN_SLACK);
    // Pacing spreads what leaves, and so what is acknowledged, over half of a round trip.
    const train = (s.minDelay + slack) / (isPaced(this.settings, c) ? 1 : 2);
    const sign = s.linuxHystart.sampled(c, rtt, s.minDelay, train, now);
    if (sign === Sign.None) return;
    c.ssthresh = c.cwnd;
    const { counters } = this;
    if (sign === Sign.Train) {
      counters.TcpExtTCPHystartTrainDetect++;
      counters.TcpExtTCPHystartTrainCwnd += c.cwnd;
    } else {
      counters.TcpExtTCPHystartDelayDetect++;
      counters.TcpExtTCPHystartDelayCwnd += c.cwnd;
    }
  }

  event(c: Connection, event: CongestionEvent, now: number): void {
    if (event === CongestionEvent.Loss) {
      // RFC 9438 §4.8: the curve begins where slow start will have come to.
      const s = new CubicState();
      c.congestionState = s;
      if (this.settings.hystart === Watch.Linux) s.linuxHystart = new LinuxHyStart(c, now);
    } else if (event === CongestionEvent.TransmitStart && c.congestionState !== null) {
      // RFC 9438 §5.8: time in which nothing was sent is none on the curve.
      const s = this.state(c);
      const ms = Math.floor(now / 1000);
      if (s.epochStart === NO_EPOCH) return;
      s.epochStart = Math.min(s.epochStart + elapsedMs(ms | 0, c.lastSendMs), ms);
    }
  }

  private state(c: Connection): CubicState {
    c.congestionState ??= new CubicState();
    return c.congestionState as CubicState;
  }

  /** Sets `count` for what the curve, or Reno, would add in a round trip. */
  private update(s: CubicState, cwnd: number, acked: number, now: number): void {
    s.ackCount += acked;
    if (s.lastCwnd === cwnd && now - s.lastTime <= SLOPE_HOLDS) return;
    if (s.epochStart === NO_EPOCH || now !== s.lastTime) {
      s.lastCwnd = cwnd;
      s.lastTime = now;
      if (s.epochStart === NO_EPOCH) startEpoch(s, cwnd, acked, now);
      const goal = target(s, now);
      s.count = goal > cwnd ? Math.floor(cwnd / (goal - cwnd)) : PLATEAU * cwnd;
      if (s.lastMaxCwnd === 0) s.count = Math.min(s.count, MAX_COUNT_AT_FIRST);
    }
    if (this.settings.cubicTcpFriendliness === 1) stayWithReno(s, cwnd);
    s.count = Math.max(s.count, MIN_COUNT);
  }
}

/** RFC 9438 §4.3: never slower than Reno with the same average window. */
function stayWithReno(s: CubicState, cwnd: number): void {
  const perSegment = (cwnd * RENO_SCALE) >> 3;
  if (s.ackCount > perSegment) {
    const steps = Math.ceil(s.ackCount / perSegment) - 1;
    s.ackCount -= steps * perSegment;
    s.renoCwnd += steps;
  }
  if (s.renoCwnd > cwnd) {
    s.count = Math.min(s.count, Math.floor(cwnd / (s.renoCwnd - cwnd)));
  }
}
