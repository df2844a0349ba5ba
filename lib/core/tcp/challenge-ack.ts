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
  const last = c.answeredMs;
  if (last !== 0 && elapsedMs(tcp.nowMs, last) < tcp.settings.invalidRatelimit) return false;
  // 0 stands for never.
  c.answeredMs = tcp.nowMs === 0 ? -1 : tcp.nowMs;
  return true;
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
