import { Option, Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import { firstReceiveBuffer, largestReceiveBuffer } from '../socket/options';
import { Has, Timer, type Connection } from './connection';
import { armKeepAlive } from './keepalive';
import {
  initialWindow,
  MAX_SCALE,
  TIMESTAMP_BYTES,
  windowClamp,
  windowScaleFor,
} from './receive-window';
import { setRto } from './rtt';
import { expandSendBuffer } from './send-space';
import { State } from './state';
import type { Tcp } from './tcp';

/** What a peer that names no MSS takes (RFC 9293 §3.7.1). */
export const DEFAULT_MSS_V4 = 536;
const DEFAULT_MSS_V6 = 1220;
/**
 * The least MSS that is believed (Linux: tcp_min_snd_mss). Deviation: RFC 9293 §3.7.1 would have us
 * send segments of a byte to whoever asks for it.
 */
const MIN_SND_MSS = 48;
/** The timeout where the handshake gave no round trip, since its SYN was lost, µs. */
const RTO_FALLBACK = 3_000_000;

/** IP and TCP header without options, bytes. */
export function headerBytes(family: number): number {
  return family === 4 ? 40 : 60;
}

/** The MSS to announce on a path (RFC 9293 §3.7.1, RFC 6691), bytes. */
export function announcedMss(mtu: number, family: number, maxSegment: number): number {
  // IPv4 counts its header in a length of 16 bits, IPv6 doesn't.
  const longest = family === 4 ? 65_535 : 65_535 + 40;
  const mss = Math.min(mtu, longest) - headerBytes(family);
  return maxSegment > 0 ? Math.min(mss, maxSegment) : mss;
}

/** The peer's MSS as its SYN states it, or what holds where it doesn't. */
export function peerMss(seg: Segment): number {
  if ((seg.options & Option.Mss) === 0) {
    return seg.words[seg.base + Word.Family] === 4 ? DEFAULT_MSS_V4 : DEFAULT_MSS_V6;
  }
  return Math.max(seg.words[seg.base + Word.Mss], MIN_SND_MSS);
}

/** The peer's window scale (RFC 7323 §2.3: more than 14 means 14); 0 where it has none. */
export function peerScale(seg: Segment): number {
  if ((seg.options & Option.WindowScale) === 0) return 0;
  return Math.min(seg.words[seg.base + Word.WindowScale], MAX_SCALE);
}

/** The scale of our windows, if the peer agrees. */
export function scaleToOffer({ settings }: Tcp, { options }: Connection): number {
  return windowScaleFor(largestReceiveBuffer(options, settings));
}

/** Our side of a handshake: MSS, window, scale, before the peer's SYN is known. */
export function prepareHandshake(tcp: Tcp, c: Connection, mtu: number, family: number): void {
  c.pathMtu = mtu;
  c.advMss = announcedMss(mtu, family, c.options.maxSegment);
  c.rcvMss = Math.min(c.advMss, DEFAULT_MSS_V4);
  c.rcvScale = scaleToOffer(tcp, c);
  // Whose endpoints had timestamps before reckons with them now (Linux: tcp_connect_init).
  const stamps = c.tsRecent === 0 ? 0 : TIMESTAMP_BYTES;
  c.rcvWnd = initialWindow(firstReceiveBuffer(c.options), c.advMss - stamps);
  c.rcvSsthresh = c.rcvWnd;
  setRto(c, tcp.settings);
}

/** Takes the peer's SYN: what both have offered holds from now on. */
export function agreeOnOptions(c: Connection, seg: Segment): void {
  const agreed =
    (seg.hasTimestamps ? Has.Timestamps : 0) |
    ((seg.options & Option.SackPermitted) !== 0 ? Has.Sack : 0) |
    ((seg.options & Option.WindowScale) !== 0 ? Has.WindowScale : 0);
  c.flags &= ~(Has.Timestamps | Has.Sack | Has.WindowScale) | agreed;
  c.sndScale = c.has(Has.WindowScale) ? peerScale(seg) : 0;
  if (!c.has(Has.WindowScale)) c.rcvScale = 0;
  setSendMss(c, peerMss(seg), seg.words[seg.base + Word.Family]);
}

/** Eff.snd.MSS (RFC 9293 §3.7.1): the peer's, the path's and the user's limit less the options. */
export function setSendMss(c: Connection, mss: number, family: number): void {
  c.peerMss = mss;
  const most = announcedMss(c.pathMtu, family, c.options.maxSegment);
  const options = c.has(Has.Timestamps) ? TIMESTAMP_BYTES : 0;
  const fitsPath = Math.max(announcedMss(c.pathMtu, family, 0) - options, 1);
  c.sndMss = Math.max(Math.min(mss, most) - options, Math.min(MIN_SND_MSS - options, fitsPath));
}

/** The handshake is over: ESTABLISHED, with the initial congestion window (RFC 6928). */
export function established(tcp: Tcp, c: Connection): void {
  tcp.timers.cancel(c.row, Timer.Retransmit);
  tcp.setState(c, State.ESTABLISHED);
  if (c.has(Has.Fin)) tcp.setState(c, State.FIN_WAIT_1);
  // RFC 5681 §3.1: after a lost SYN the window starts with one segment.
  c.cwnd = c.retransmits > 1 ? 1 : tcp.settings.initialCwnd;
  c.retransmits = 0;
  // RFC 6298 §5.7.
  if (c.srtt === 0) c.rto = Math.min(RTO_FALLBACK, tcp.settings.rtoMax * 1000);
  c.unset(Has.Timing | Has.SynPending);
  c.rcvSsthresh = Math.min(c.rcvSsthresh, windowClamp(c));
  c.reordering = tcp.settings.reordering;
  c.cwndStampMs = tcp.nowMs;
  expandSendBuffer(tcp, c);
  c.congestion.init(c);
  c.lastReceiveMs = tcp.nowMs;
  c.heardMs = tcp.nowMs;
  c.lastSendMs = tcp.nowMs;
  armKeepAlive(tcp, c);
  tcp.markReady(c);
  if (c.socket !== null) tcp.notify(c.socket);
}
