import { seqGeq } from '../sequence';
import type { Connection } from './connection';

// HyStart++ (RFC 9406): slow start ends where round trips grow, before the queue overflows. As the
// RFC asks, the first slow start alone is watched: later ones know where to end. Deviations: Linux
// has the older HyStart, whose trains of acknowledgments lead astray and which leaves slow start at
// the first sign; and as with Linux's slow start an acknowledgment counts in full (L of §4.3 is 8
// there without pacing, which would starve behind a receiver that gathers segments).

const MIN_RTT_THRESH = 4_000;
const MAX_RTT_THRESH = 16_000;
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
/** Segments acknowledged that make the window larger by one in Conservative Slow Start. */
export const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;
/** No round trip was measured. */
const NONE = 0x7fffffff;

/** Rounds of a slow start; round trips in µs. */
export class HyStart {
  /** The round ends when this is acknowledged: SND.NXT at its start. */
  private windowEnd: number;
  private lastRoundMinRtt = NONE;
  private currentRoundMinRtt = NONE;
  private sampleCount = 0;
  /** Smallest round trip of the round that led into Conservative Slow Start; `NONE`: not in it. */
  private baseline = NONE;
  private cssRounds = 0;

  constructor(c: Connection) {
    this.windowEnd = c.sndNxt;
  }

  /** Conservative Slow Start: is the growth of the round trip real? */
  get inCss(): boolean {
    return this.baseline !== NONE;
  }

  /**
   * An acknowledgment came (RFC 9406 §4.2).
   * @param rtt µs; -1: not measured
   * @returns slow start is over: congestion avoidance
   */
  acked(c: Connection, rtt: number): boolean {
    if (rtt >= 0) this.sampled(rtt);
    return seqGeq(c.sndUna, this.windowEnd) && this.nextRound(c);
  }

  private sampled(rtt: number): void {
    this.sampleCount++;
    if (rtt < this.currentRoundMinRtt) this.currentRoundMinRtt = rtt;
    if (this.sampleCount < N_RTT_SAMPLE) return;
    if (this.inCss) {
      if (this.currentRoundMinRtt < this.baseline) this.baseline = NONE;
    } else if (this.lastRoundMinRtt !== NONE) {
      const eighth = Math.floor(this.lastRoundMinRtt / MIN_RTT_DIVISOR);
      const threshold = Math.max(MIN_RTT_THRESH, Math.min(eighth, MAX_RTT_THRESH));
      if (this.currentRoundMinRtt < this.lastRoundMinRtt + threshold) return;
      this.baseline = this.currentRoundMinRtt;
      this.cssRounds = 0;
    }
  }

  private nextRound(c: Connection): boolean {
    this.windowEnd = c.sndNxt;
    this.lastRoundMinRtt = this.currentRoundMinRtt;
    this.currentRoundMinRtt = NONE;
    this.sampleCount = 0;
    return this.inCss && ++this.cssRounds >= CSS_ROUNDS;
  }
}
