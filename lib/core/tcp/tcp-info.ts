import type { SocketStatus } from '../socket/socket-status';
import { elapsedMs } from '../time/elapsed';
import { Has, type Connection } from './connection';
import { pacingRate } from './pacing';
import { measuredRoundTrip, readInRoundTrip } from './receive-tuning';
import { TIMESTAMP_BYTES } from './receive-window';
import { isSynchronized, State } from './state';
import type { Tcp } from './tcp';
import { Limit, Total } from './totals';

/**
 * What is known of a connection: the members of Linux's `struct tcp_info` by their names, in its
 * order and units. Counts, unless something else is said; those that Linux keeps in 32 bits begin
 * anew after 2^32.
 */
export interface TcpInfo {
  /** 1 ESTABLISHED, 2 SYN-SENT, 3 SYN-RECEIVED, 4 FIN-WAIT-1, 5 FIN-WAIT-2, 7 CLOSED, 8 CLOSE-WAIT,
   * 9 LAST-ACK, 10 LISTEN, 11 CLOSING; after its end, TIME-WAIT included, 7. */
  tcpi_state: number;
  /** Loss recovery: 0 open, 1 disorder, 2 reduced by ECN, 3 recovery, 4 after a timeout. */
  tcpi_ca_state: number;
  /** Timeouts of what is in flight, so far without an answer. */
  tcpi_retransmits: number;
  /** Probes of a closed window, so far without an answer. */
  tcpi_probes: number;
  /** Doublings of the timeout so far. */
  tcpi_backoff: number;
  /** Agreed on: 1 timestamps, 2 SACK, 4 window scaling, 8 ECN, 16 ECN was seen. */
  tcpi_options: number;
  /** Shifts of the windows that the peer announces, and that we do. */
  tcpi_snd_wscale: number;
  tcpi_rcv_wscale: number;
  /** 1: the program was the limit when `tcpi_delivery_rate` was measured. */
  tcpi_delivery_rate_app_limited: number;
  /** 0: Fast Open is not there. */
  tcpi_fastopen_client_fail: number;
  /** Retransmission timeout, µs. */
  tcpi_rto: number;
  /** Delay of an acknowledgment, µs. */
  tcpi_ato: number;
  /** Payload of a full segment to the peer, and of the peer's as it seems, bytes. */
  tcpi_snd_mss: number;
  tcpi_rcv_mss: number;
  /** Segments in flight; in LISTEN, connections that wait to be accepted. */
  tcpi_unacked: number;
  /** Of these SACKed; in LISTEN, the backlog. */
  tcpi_sacked: number;
  /** Of these taken for lost, and sent again. */
  tcpi_lost: number;
  tcpi_retrans: number;
  /** 0, as on Linux. */
  tcpi_fackets: number;
  /** ms since data was sent; 0, as on Linux; since data, and an acknowledgment, came. */
  tcpi_last_data_sent: number;
  tcpi_last_ack_sent: number;
  tcpi_last_data_recv: number;
  tcpi_last_ack_recv: number;
  /** Largest packet on the path, bytes. */
  tcpi_pmtu: number;
  /** What our window may become at present, bytes. */
  tcpi_rcv_ssthresh: number;
  /** Smoothed round trip and its variation, µs. */
  tcpi_rtt: number;
  tcpi_rttvar: number;
  /** Slow start ends here, segments; 2^31 - 1: nowhere. */
  tcpi_snd_ssthresh: number;
  /** Congestion window, segments. */
  tcpi_snd_cwnd: number;
  /** The MSS that we announced, less timestamps, bytes. */
  tcpi_advmss: number;
  /** Segments that may overtake one without its being taken for lost. */
  tcpi_reordering: number;
  /** Round trip as the receiver sees it, µs; 0: too little has come for it to be measured. */
  tcpi_rcv_rtt: number;
  /** What a program has read in one at best, or is thought to, bytes. */
  tcpi_rcv_space: number;
  /** Segments sent again, SYNs and FINs among them. */
  tcpi_total_retrans: number;
  /** Bytes per second at which segments may leave, and at most; Infinity: at any rate. */
  tcpi_pacing_rate: number;
  tcpi_max_pacing_rate: number;
  /** Sequence numbers acknowledged by the peer, our SYN (if we opened) and FIN among them. */
  tcpi_bytes_acked: number;
  /** Sequence numbers received in order, the peer's FIN among them. */
  tcpi_bytes_received: number;
  /** Segments. */
  tcpi_segs_out: number;
  tcpi_segs_in: number;
  /** Sequence numbers not yet sent: bytes that were written, and the FIN behind them. */
  tcpi_notsent_bytes: number;
  /** Smallest round trip of late, µs; 2^32 - 1: none was measured. */
  tcpi_min_rtt: number;
  /** Segments with payload. */
  tcpi_data_segs_in: number;
  tcpi_data_segs_out: number;
  /** Bytes per second that reached the peer, of the last good sample. */
  tcpi_delivery_rate: number;
  /** µs with something to send or unacknowledged; of these with the peer's window, and with the
   * send buffer, as the limit; in whole ms. */
  tcpi_busy_time: number;
  tcpi_rwnd_limited: number;
  tcpi_sndbuf_limited: number;
  /** Segments that reached the peer, the SYN among them; of these marked by routers. */
  tcpi_delivered: number;
  tcpi_delivered_ce: number;
  /** Bytes of payload sent, those sent again among them; and these alone. */
  tcpi_bytes_sent: number;
  tcpi_bytes_retrans: number;
  /** Segments that the peer said to have got twice. */
  tcpi_dsack_dups: number;
  /** How often segments of ours were seen to overtake others. */
  tcpi_reord_seen: number;
  /** Segments that came out of order. */
  tcpi_rcv_ooopack: number;
  /** The window that the peer has announced, and that we have, bytes. */
  tcpi_snd_wnd: number;
  tcpi_rcv_wnd: number;
  /** 0: there is no hash of the path to be changed. */
  tcpi_rehash: number;
  /** Retransmission timeouts; recoveries from them; ms that these took. */
  tcpi_total_rto: number;
  tcpi_total_rto_recoveries: number;
  tcpi_total_rto_time: number;
  /** 0, as the next eight: accurate ECN (RFC 9768) is not there. */
  tcpi_received_ce: number;
  tcpi_delivered_e1_bytes: number;
  tcpi_delivered_e0_bytes: number;
  tcpi_delivered_ce_bytes: number;
  tcpi_received_e1_bytes: number;
  tcpi_received_e0_bytes: number;
  tcpi_received_ce_bytes: number;
  tcpi_accecn_fail_mode: number;
  tcpi_accecn_opt_seen: number;
}

/** Linux's numbers of the states, by ours; a connection in TIME-WAIT is none for its program. */
const STATES: Readonly<Record<State, number>> = {
  [State.CLOSED]: 7,
  [State.LISTEN]: 10,
  [State.SYN_SENT]: 2,
  [State.SYN_RECEIVED]: 3,
  [State.ESTABLISHED]: 1,
  [State.FIN_WAIT_1]: 4,
  [State.FIN_WAIT_2]: 5,
  [State.CLOSE_WAIT]: 8,
  [State.CLOSING]: 11,
  [State.LAST_ACK]: 9,
  [State.TIME_WAIT]: 7,
};

const enum InfoOption {
  Timestamps = 1,
  Sack = 2,
  WindowScale = 4,
  Ecn = 8,
  EcnSeen = 0x10,
}

/** As on Linux: where there is no other value. */
const DEFAULT_MSS = 536;
/** Linux: TCP_MIN_MSS. */
const LEAST_MSS = 88;
const NO_RTT = 2 ** 32 - 1;
const NO_SSTHRESH = 0x7fffffff;
const NO_RTTVAR = 250_000;
const REORDERING = 3;

/** All that is 0, and what Linux has in a socket that never had a connection. */
const BLANK: Readonly<TcpInfo> = {
  tcpi_state: STATES[State.CLOSED],
  tcpi_ca_state: 0,
  tcpi_retransmits: 0,
  tcpi_probes: 0,
  tcpi_backoff: 0,
  tcpi_options: 0,
  tcpi_snd_wscale: 0,
  tcpi_rcv_wscale: 0,
  tcpi_delivery_rate_app_limited: 1,
  tcpi_fastopen_client_fail: 0,
  tcpi_rto: 0,
  tcpi_ato: 0,
  tcpi_snd_mss: DEFAULT_MSS,
  tcpi_rcv_mss: 0,
  tcpi_unacked: 0,
  tcpi_sacked: 0,
  tcpi_lost: 0,
  tcpi_retrans: 0,
  tcpi_fackets: 0,
  tcpi_last_data_sent: 0,
  tcpi_last_ack_sent: 0,
  tcpi_last_data_recv: 0,
  tcpi_last_ack_recv: 0,
  tcpi_pmtu: 0,
  tcpi_rcv_ssthresh: 0,
  tcpi_rtt: 0,
  tcpi_rttvar: NO_RTTVAR,
  tcpi_snd_ssthresh: NO_SSTHRESH,
  tcpi_snd_cwnd: 0,
  tcpi_advmss: 0,
  tcpi_reordering: REORDERING,
  tcpi_rcv_rtt: 0,
  tcpi_rcv_space: 0,
  tcpi_total_retrans: 0,
  tcpi_pacing_rate: Infinity,
  tcpi_max_pacing_rate: Infinity,
  tcpi_bytes_acked: 0,
  tcpi_bytes_received: 0,
  tcpi_segs_out: 0,
  tcpi_segs_in: 0,
  tcpi_notsent_bytes: 0,
  tcpi_min_rtt: NO_RTT,
  tcpi_data_segs_in: 0,
  tcpi_data_segs_out: 0,
  tcpi_delivery_rate: 0,
  tcpi_busy_time: 0,
  tcpi_rwnd_limited: 0,
  tcpi_sndbuf_limited: 0,
  tcpi_delivered: 0,
  tcpi_delivered_ce: 0,
  tcpi_bytes_sent: 0,
  tcpi_bytes_retrans: 0,
  tcpi_dsack_dups: 0,
  tcpi_reord_seen: 0,
  tcpi_rcv_ooopack: 0,
  tcpi_snd_wnd: 0,
  tcpi_rcv_wnd: 0,
  tcpi_rehash: 0,
  tcpi_total_rto: 0,
  tcpi_total_rto_recoveries: 0,
  tcpi_total_rto_time: 0,
  tcpi_received_ce: 0,
  tcpi_delivered_e1_bytes: 0,
  tcpi_delivered_e0_bytes: 0,
  tcpi_delivered_ce_bytes: 0,
  tcpi_received_e1_bytes: 0,
  tcpi_received_e0_bytes: 0,
  tcpi_received_ce_bytes: 0,
  tcpi_accecn_fail_mode: 0,
  tcpi_accecn_opt_seen: 0,
};

function blank({ settings }: Tcp): TcpInfo {
  const info = { ...BLANK };
  info.tcpi_rto = settings.rtoInitial * 1000;
  info.tcpi_snd_cwnd = settings.initialCwnd;
  return info;
}

/** Of a listener, which knows no more. */
export function listenerInfo(tcp: Tcp, listener: SocketStatus): TcpInfo {
  const info = blank(tcp);
  info.tcpi_state = STATES[State.LISTEN];
  info.tcpi_delivery_rate_app_limited = 0;
  info.tcpi_rto = info.tcpi_snd_mss = info.tcpi_rttvar = 0;
  info.tcpi_snd_ssthresh = info.tcpi_min_rtt = 0;
  info.tcpi_unacked = listener.waiting;
  info.tcpi_sacked = listener.backlog;
  return info;
}

/** Of a connection that is in the tables; null: of a socket that has none. */
export function tcpInfo(tcp: Tcp, c: Connection | null): TcpInfo {
  const info = blank(tcp);
  if (c === null || c.row < 0) return info;
  info.tcpi_state = STATES[c.state];
  tellHandshake(c, info);
  tellSender(tcp, c, info);
  tellReceiver(tcp, c, info);
  tellTotals(tcp, c, info);
  return info;
}

/** Of a connection that is about to leave the tables. */
export function closedInfo(tcp: Tcp, c: Connection): TcpInfo {
  const info = tcpInfo(tcp, c);
  info.tcpi_state = STATES[State.CLOSED];
  // As on Linux: nothing is sent again any more.
  info.tcpi_unacked = info.tcpi_backoff = 0;
  return info;
}

function tellHandshake(c: Connection, info: TcpInfo): void {
  const agreed = c.state !== State.SYN_SENT;
  if (agreed && c.has(Has.Timestamps)) info.tcpi_options |= InfoOption.Timestamps;
  if (agreed && c.has(Has.Sack)) info.tcpi_options |= InfoOption.Sack;
  if (agreed && c.has(Has.WindowScale)) info.tcpi_options |= InfoOption.WindowScale;
  if (agreed && c.has(Has.Ecn)) info.tcpi_options |= InfoOption.Ecn;
  if (c.has(Has.EcnSeen)) info.tcpi_options |= InfoOption.EcnSeen;
  info.tcpi_snd_wscale = c.sndScale;
  info.tcpi_rcv_wscale = c.rcvScale;
  info.tcpi_pmtu = c.pathMtu;
  const options = agreed && c.has(Has.Timestamps) ? TIMESTAMP_BYTES : 0;
  info.tcpi_advmss = c.advMss - options;
}

function tellSender(tcp: Tcp, c: Connection, info: TcpInfo): void {
  info.tcpi_ca_state = c.caState;
  info.tcpi_retransmits = c.retransmits;
  info.tcpi_probes = c.probes;
  info.tcpi_backoff = c.backoff;
  info.tcpi_rto = c.rto;
  info.tcpi_snd_mss = mssCache(c);
  const f = c.flight;
  // A SYN is in no queue.
  info.tcpi_unacked = f === null ? c.inFlight : f.count;
  if (f !== null) {
    info.tcpi_sacked = f.sackedOut;
    info.tcpi_lost = f.lostOut;
    info.tcpi_retrans = f.retransOut;
  }
  info.tcpi_reordering = c.reordering;
  info.tcpi_last_data_sent = elapsedMs(tcp.nowMs, c.lastSendMs);
  info.tcpi_rtt = c.srtt >> 3;
  if (c.srtt > 0) info.tcpi_rttvar = c.mdev >> 2;
  info.tcpi_snd_ssthresh = c.ssthresh;
  if (c.cwnd > 0) info.tcpi_snd_cwnd = c.cwnd;
  info.tcpi_pacing_rate = Math.floor(pacingRate(c, tcp.settings));
  if (c.options.maxPacingRate > 0) info.tcpi_max_pacing_rate = c.options.maxPacingRate;
  if (c.deliveryRate > 0) info.tcpi_delivery_rate_app_limited = Number(c.rateAppLimited);
  info.tcpi_delivery_rate = c.deliveryRate * 1000;
  info.tcpi_notsent_bytes = c.unsentNumbers;
  if (c.minRtt > 0) info.tcpi_min_rtt = c.minRtt;
  info.tcpi_snd_wnd = c.sndWnd;
}

/**
 * Payload of a full segment to the peer; in SYN-SENT what holds until it names its own (Linux:
 * mss_cache), bytes.
 */
export function mssCache(c: Readonly<Connection>): number {
  if (c.sndMss > 0) return c.sndMss;
  const { maxSegment } = c.options;
  const most = maxSegment === 0 ? DEFAULT_MSS : Math.min(maxSegment, DEFAULT_MSS);
  return most - (c.has(Has.Timestamps) ? TIMESTAMP_BYTES : 0);
}

function tellReceiver(tcp: Tcp, c: Connection, info: TcpInfo): void {
  info.tcpi_ato = c.atoMs * 1000;
  info.tcpi_rcv_mss = c.state === State.SYN_SENT ? LEAST_MSS : c.rcvMss;
  info.tcpi_last_data_recv = elapsedMs(tcp.nowMs, c.lastReceiveMs);
  info.tcpi_last_ack_recv = elapsedMs(tcp.nowMs, c.heardMs);
  info.tcpi_rcv_ssthresh = c.rcvSsthresh;
  info.tcpi_rcv_rtt = measuredRoundTrip(c);
  info.tcpi_rcv_space = readInRoundTrip(c);
  info.tcpi_rcv_wnd = c.rcvWnd;
}

function tellTotals(tcp: Tcp, c: Connection, info: TcpInfo): void {
  const { totals, nowMs } = tcp;
  const { row } = c;
  const rare = totals.rareOf(row);
  const sent = totals.sentBytes(row, c.sndUna - c.iss);
  info.tcpi_total_retrans = rare.totalRetrans;
  // As on Linux, whose SYN+ACK is not the connection's.
  info.tcpi_bytes_acked = Math.max(sent - (c.has(Has.Passive) ? 1 : 0), 0);
  if (c.state !== State.SYN_SENT) {
    info.tcpi_bytes_received = totals.receivedBytes(row, c.rcvNxt - c.irs) - 1;
  }
  info.tcpi_segs_out = totals.get(row, Total.SegsOut);
  info.tcpi_segs_in = totals.get(row, Total.SegsIn);
  info.tcpi_data_segs_in = totals.get(row, Total.DataSegsIn);
  info.tcpi_data_segs_out = totals.get(row, Total.DataSegsOut);
  info.tcpi_busy_time = totals.timeIn(row, Limit.Busy, nowMs) * 1000;
  info.tcpi_rwnd_limited = totals.timeIn(row, Limit.Window, nowMs) * 1000;
  info.tcpi_sndbuf_limited = totals.timeIn(row, Limit.SendBuffer, nowMs) * 1000;
  info.tcpi_bytes_sent = sent + c.inFlight - 1 - Number(finWasSent(c)) + rare.bytesRetrans;
  info.tcpi_bytes_retrans = rare.bytesRetrans;
  // The SYN, too, was delivered.
  info.tcpi_delivered = (c.delivered + (isSynchronized(c.state) ? 1 : 0)) >>> 0;
  info.tcpi_delivered_ce = rare.deliveredCe;
  info.tcpi_dsack_dups = rare.dsackDups;
  info.tcpi_reord_seen = rare.reordSeen;
  info.tcpi_rcv_ooopack = rare.rcvOoopack;
  info.tcpi_total_rto = rare.totalRto;
  info.tcpi_total_rto_recoveries = rare.totalRtoRecoveries;
  const running = rare.inRto ? elapsedMs(nowMs, rare.rtoStampMs) : 0;
  info.tcpi_total_rto_time = rare.totalRtoTime + running;
}

/** Whether SND.NXT lies behind our FIN. */
function finWasSent(c: Connection): boolean {
  if (c.state === State.SYN_SENT || c.state === State.SYN_RECEIVED) return false;
  // `Has.Fin` goes when it is acknowledged.
  return c.has(Has.Fin) ? c.sndNxt === ((c.sndEnd + 1) | 0) : hasEnded(c.state);
}

function hasEnded(state: State): boolean {
  return state !== State.ESTABLISHED && state !== State.CLOSE_WAIT;
}
