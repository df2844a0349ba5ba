import { seqGt } from '../sequence';
import type { Connection } from './connection';

// HyStart (Ha and Rhee, "Taming the elephants: new TCP slow start", 2011) as Linux's tcp_cubic has
// it: slow start ends at the first sign, without a trial. For who compares with Linux.

/** Smaller windows fill no queue (hystart_low_window), segments. */
const LOW_WINDOW = 16;
/** Acknowledgments no further apart than this are a train (hystart_ack_delta_us). */
const TRAIN_GAP = 2000;
const MIN_SAMPLES = 8;
const MIN_THRESHOLD = 4000;
const MAX_THRESHOLD = 16_000;
const NONE = 0x7fffffff;

/** What has ended slow start. */
export const enum Sign {
  None = 0,
  /** A train of acknowledgments is as long as half of a round trip: the pipe is full. */
  Train = 1,
  /** Round trips have grown. */
  Delay = 2,
}

/** Rounds of slow starts; times in µs. */
export class LinuxHyStart {
  /** Slow start has ended; it is watched again after a timeout. */
  found = false;
  private roundStart = 0;
  private lastAck = 0;
  /** The round is over when more than this is acknowledged. */
  private roundEnd = 0;
  private sampleCount = 0;
  private roundMinRtt = NONE;

  constructor(c: Connection, now: number) {
    this.startRound(c, now);
  }

  private startRound(c: Connection, now: number): void {
    this.roundStart = this.lastAck = now;
    this.roundEnd = c.sndNxt;
    this.roundMinRtt = NONE;
    this.sampleCount = 0;
  }

  /**
   * A round trip was measured in slow start (Linux: hystart_update).
   * @param minRtt the smallest of the connection
   * @param train how long acknowledgments of one flight take that fills the pipe
   */
  sampled(c: Connection, rtt: number, minRtt: number, train: number, now: number): Sign {
    if (seqGt(c.sndUna, this.roundEnd)) this.startRound(c, now);
    if (c.cwnd < LOW_WINDOW) return Sign.None;
    let sign = Sign.None;
    if (now - this.lastAck <= TRAIN_GAP) {
      this.lastAck = now;
      if (now - this.roundStart > train) sign = Sign.Train;
    }
    if (rtt < this.roundMinRtt) this.roundMinRtt = rtt;
    if (this.sampleCount < MIN_SAMPLES) {
      this.sampleCount++;
    } else {
      const threshold = Math.min(Math.max(minRtt >> 3, MIN_THRESHOLD), MAX_THRESHOLD);
      if (this.roundMinRtt > minRtt + threshold) sign = Sign.Delay;
    }
    if (sign !== Sign.None) this.found = true;
    return sign;
  }
}
