import { seqGt, seqLt } from '../sequence';
import { News } from './ack-news';
import { CaState, Has, Timer, type Connection } from './connection';
import { Pending, type Flight } from './flight';
import { endReduction, startReduction } from './prr';
import { keepOpen } from './recovery';
import { armRetransmit, timeoutLeft } from './retransmission';
import type { Tcp } from './tcp';

/** Values of the setting `earlyRetrans` with which the tail is probed. */
const PROBING = 3;
/** Least of what is waited beyond two round trips, µs. */
const TICK = 2000;

/**
 * RFC 8985 §7.2: two round trips after the last segment left a probe asks whether the tail has
 * arrived; for a single segment as long again as an acknowledgment may be delayed.
 * @param advanced the retransmission timer would start anew
 * @returns false: there will be no probe
 */
export function scheduleProbe(tcp: Tcp, c: Connection, f: Flight, advanced: boolean): boolean {
  const { earlyRetrans, rtoMin, rtoMax, rtoInitial } = tcp.settings;
  if (earlyRetrans < PROBING || f.count === 0 || !c.has(Has.Sack)) return false;
  if (c.caState !== CaState.Open && c.caState !== CaState.Cwr) return false;
  let wait = rtoInitial * 1000;
  if (c.srtt !== 0) wait = (c.srtt >> 2) + (f.count === 1 ? rtoMin * 1000 : TICK);
  const left = advanced ? c.rto : timeoutLeft(tcp, c, f);
  wait = Math.min(wait, left > 0 ? left : rtoMax * 1000);
  f.pending = Pending.Probe;
  tcp.timers.cancel(c.row, Timer.Persist);
  tcp.timers.set(c.row, Timer.Retransmit, tcp.now + wait);
  return true;
}

/** The probe's timer went off (RFC 8985 §7.3): one at a time. */
export function probeTimeout(tcp: Tcp, c: Connection, f: Flight): void {
  if (f.tlpOut) {
    armRetransmit(tcp, c, true);
    return;
  }
  f.tlpDue = true;
  tcp.markReady(c);
}

/** The probe has left. */
export function probeSent(tcp: Tcp, c: Connection, f: Flight, retransmitted: boolean): void {
  f.tlpDue = false;
  f.tlpOut = true;
  f.tlpRetransmitted = retransmitted;
  f.tlpHighSeq = c.sndNxt;
  f.pending = Pending.Timeout;
  tcp.counters.TcpExtTCPLossProbes++;
  armRetransmit(tcp, c, true);
}

/** RFC 8985 §7.4: whether the probe has mended a loss, which then counts as one. */
export function probeAcknowledged(tcp: Tcp, c: Connection, f: Flight, ack: number): void {
  if (seqLt(ack, f.tlpHighSeq)) return;
  const { news } = tcp;
  if (!f.tlpRetransmitted || news.has(News.DsackOfProbe)) {
    f.tlpOut = false;
  } else if (seqGt(ack, f.tlpHighSeq)) {
    // Nobody has told of a duplicate: the probe was what arrived.
    startReduction(c, f);
    c.caState = CaState.Cwr;
    endReduction(tcp, c, f);
    keepOpen(c, f);
    tcp.counters.TcpExtTCPLossProbeRecovery++;
  } else if (!news.has(News.Advanced | News.Data | News.WindowUpdate | News.Sacked)) {
    // A mere duplicate: original and probe have both arrived.
    f.tlpOut = false;
  }
}
