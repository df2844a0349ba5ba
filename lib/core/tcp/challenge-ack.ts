import type { Random } from '../environment';
import { elapsedMs } from '../time/elapsed';
import type { Connection } from './connection';
import { sendAckNow } from './emit';
import { SETTINGS, type Settings } from './settings';
import type { Tcp } from './tcp';

/**
 * Two ends that disagree on where they stand would answer each other's answers for ever. As on
 * Linux (tcp_invalid_ratelimit), a connection therefore answers what need not be lost data only so
 * often.
 */
export function mayAnswer(tcp: Tcp, c: Connection): boolean {
  if (answeredLately(tcp, c.answeredMs)) return false;
  c.answeredMs = answeredNow(tcp);
  return true;
}

/** Whether another answer would be too soon after that of `answeredMs`; 0 stands for never. */
export function answeredLately(tcp: Tcp, answeredMs: number): boolean {
  return answeredMs !== 0 && elapsedMs(tcp.nowMs, answeredMs) < tcp.settings.invalidRatelimit;
}

/** The present as `answeredLately` takes it. */
export function answeredNow(tcp: Tcp): number {
  return tcp.nowMs === 0 ? -1 : tcp.nowMs;
}

/** The challenge acknowledgments that a stack has left in this second (RFC 5961 §7). */
export class ChallengeBudget {
  private second = -1;
  private left = 0;

  constructor(
    private readonly settings: Settings,
    private readonly random: Random,
  ) {}

  /** Takes one at `now`, µs; false: none is left. */
  take(now: number): boolean {
    const { challengeAckLimit: limit } = this.settings;
    if (limit === SETTINGS.challengeAckLimit.max) return true;
    const second = Math.floor(now / 1_000_000);
    if (second !== this.second) {
      this.second = second;
      // Half fixed, half random, so that the limit tells an attacker nothing (Linux does so too).
      const half = (limit + 1) >> 1;
      this.left = half + ((this.random.next() >>> 1) % Math.max(limit, 1));
    }
    if (this.left <= 0) return false;
    this.left--;
    return true;
  }
}

/**
 * RFC 5961 §7: answers a segment that a blind attacker might have sent by stating where the
 * connection stands. At most `challengeAckLimit` leave in a second, for the whole stack.
 */
export function challengeAck(tcp: Tcp, c: Connection): void {
  if (!mayAnswer(tcp, c)) {
    tcp.counters.TcpExtTCPACKSkippedChallenge++;
    return;
  }
  if (!tcp.challenges.take(tcp.now)) return;
  tcp.counters.TcpExtTCPChallengeACK++;
  sendAckNow(tcp, c);
}
