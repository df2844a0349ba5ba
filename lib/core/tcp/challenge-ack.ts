import { elapsedMs } from '../time/elapsed';
import type { Connection } from './connection';
import { sendAckNow } from './emit';
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

/**
 * RFC 5961 §7: answers a segment that a blind attacker might have sent by stating where the
 * connection stands. At most `challengeAckLimit` leave in a second, for the whole stack.
 */
export function challengeAck(tcp: Tcp, c: Connection): void {
  if (!mayAnswer(tcp, c)) {
    tcp.counters.TcpExtTCPACKSkippedChallenge++;
    return;
  }
  if (!tcp.challengeAllowed()) return;
  tcp.counters.TcpExtTCPChallengeACK++;
  sendAckNow(tcp, c);
}
