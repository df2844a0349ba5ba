import type { CongestionView } from './congestion-controller';
import { CaState, type Connection } from './connection';
import { additiveIncrease, slowStart } from './reno';

/** Largest congestion window that a program's controller may ask for, segments. */
const MAX_CWND = 1 << 20;
/** No threshold yet. */
const UNLIMITED = 0x7fffffff;

/** The connection of the call that is under way, as the program's controller may see it. */
export class View implements CongestionView {
  connection: Connection | null = null;
  /** What was no sensible window, so far. */
  nonsense = 0;

  private get c(): Connection {
    if (this.connection !== null) return this.connection;
    throw new Error('A CongestionView is valid only during the call that it was passed to');
  }

  /** `value` as a whole number of the range; where it is no number at all, `otherwise`. */
  sensible(value: unknown, min: number, max: number, otherwise: number): number {
    if (typeof value === 'number' && value >= min && value <= max) return Math.floor(value);
    this.nonsense++;
    if (typeof value !== 'number' || Number.isNaN(value)) return otherwise;
    return value < min ? min : max;
  }

  threshold(value: unknown, otherwise: number): number {
    return value === Infinity ? UNLIMITED : this.sensible(value, 2, UNLIMITED, otherwise);
  }

  window(value: unknown, otherwise: number): number {
    return this.sensible(value, 1, MAX_CWND, otherwise);
  }

  get cwnd(): number {
    return this.c.cwnd;
  }

  set cwnd(value: number) {
    this.c.cwnd = this.window(value, this.c.cwnd);
  }

  get ssthresh(): number {
    return this.c.ssthresh === UNLIMITED ? Infinity : this.c.ssthresh;
  }

  set ssthresh(value: number) {
    this.c.ssthresh = this.threshold(value, this.c.ssthresh);
  }

  get pacingRate(): number {
    return this.c.pacingRate * 1000;
  }

  set pacingRate(value: number) {
    const rate = this.sensible(value / 1000, 0, UNLIMITED, this.c.pacingRate);
    this.c.pacingRate = value > 0 ? Math.max(rate, 1) : rate;
  }

  get state(): unknown {
    return this.c.congestionState ?? undefined;
  }

  set state(value: unknown) {
    this.c.congestionState = value;
  }

  get mss(): number {
    return this.c.sndMss;
  }

  get inFlight(): number {
    return this.c.packetsInFlight;
  }

  get srtt(): number {
    return this.c.srtt / 8000;
  }

  get minRtt(): number {
    return this.c.minRtt / 1000;
  }

  get priorCwnd(): number {
    return this.c.priorCwnd;
  }

  get recovering(): boolean {
    return this.c.caState >= CaState.Cwr;
  }

  slowStart(acked: number): number {
    const segments = this.sensible(acked, 0, MAX_CWND, 0);
    const left = slowStart(this.c, segments);
    this.c.cwnd = Math.min(this.c.cwnd, MAX_CWND);
    return left;
  }

  increase(acked: number, window: number): void {
    const segments = this.sensible(acked, 0, MAX_CWND, 0);
    additiveIncrease(this.c, this.window(window, this.c.cwnd), segments);
    this.c.cwnd = Math.min(this.c.cwnd, MAX_CWND);
  }
}
