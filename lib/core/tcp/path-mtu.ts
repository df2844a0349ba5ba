import { Errno } from '../errno';
import type { IcmpError } from '../icmp/icmp-error';
import { isIpv4 } from '../ip/address';
import { MtuDiscover, type SocketOptions } from '../socket/options';
import { CaState, Has, type Connection } from './connection';
import { currentSsthresh } from './cwnd-validation';
import { resetDuplicates } from './dup-threshold';
import { headerBytes, setSendMss } from './establish';
import { isSynchronized } from './state';
import type { Tcp } from './tcp';

// Path MTU discovery (RFC 1191, RFC 8201), as Linux does it: `Tcp.pathMtus` knows what routers have
// said of the ways to others, and each connection looks there before it sends.

/** The least MTU of IPv6 (RFC 8200 §5): what says less is no news, or a lie. */
const MIN_MTU6 = 1280;
/** Values of `noPathMtuDiscovery` (Linux: ip_no_pmtu_disc). */
const enum Discovery {
  On = 0,
  /** What a router says counts as the least MTU. */
  Off = 1,
  /** It counts for nothing. */
  Deaf = 2,
}

/** How large packets to the remote end of `tuple` may be, where the route has room for `mtu`. */
export function knownMtu(tcp: Tcp, tuple: number, mtu: number): number {
  if (tcp.pathMtus.count === 0) return mtu;
  const { tuples } = tcp;
  const known = tcp.pathMtus.find(tuples.words, tuples.remoteAt(tuple), tcp.nowMs);
  return known === 0 ? mtu : Math.min(known, mtu);
}

/** The connection begins, with an MTU by `knownMtu`. */
export function startPathMtu(tcp: Tcp, c: Connection): void {
  noteFragmentation(tcp, c);
  // So that it grows again when nothing is known any more.
  if (tcp.pathMtus.count > 0) c.set(Has.PathMtu);
}

/** Ways, or their MTUs, may be others: each connection looks before it sends (Linux: dst_check). */
export function pathsChanged(tcp: Tcp): void {
  tcp.forEachConnection((c) => c.set(Has.PathMtu));
}

/** Whether routers may not fragment what is sent with these options (Linux: ip_dont_fragment). */
function dontFragment(tcp: Tcp, tuple: number, options: SocketOptions): boolean {
  if (options.mtuDiscover === MtuDiscover.Do) return true;
  if (options.mtuDiscover !== MtuDiscover.Want) return false;
  if (tcp.pathMtus.count === 0) return true;
  const { tuples } = tcp;
  return !tcp.pathMtus.isLocked(tuples.words, tuples.remoteAt(tuple), tcp.nowMs);
}

/**
 * Before something is sent, or the MTU asked for: takes over what has become known of the path
 * since, through other connections too, and forgets what is too old (Linux: tcp_current_mss).
 */
export function syncPathMtu(tcp: Tcp, c: Connection): void {
  if (tcp.pathMtus.count === 0 && !c.has(Has.PathMtu)) return;
  const { tuples, pathMtus } = tcp;
  const known = pathMtus.find(tuples.words, tuples.remoteAt(c.tuple), tcp.nowMs);
  if (known === 0 && !c.has(Has.PathMtu)) return;
  if (known === 0) c.unset(Has.PathMtu);
  else c.set(Has.PathMtu);
  noteFragmentation(tcp, c);
  if (known === c.pathMtu) return;
  const path = tcp.environment.paths.route(tuples.remote(c.tuple), tuples.local(c.tuple));
  const most = typeof path === 'number' ? c.pathMtu : path.mtu;
  setPathMtu(tcp, c, known === 0 ? most : Math.min(known, most));
}

/** The option, or what is known of the path, has changed. */
export function noteFragmentation(tcp: Tcp, c: Connection): void {
  if (dontFragment(tcp, c.tuple, c.options)) c.unset(Has.MayFragment);
  else c.set(Has.MayFragment);
}

function setPathMtu(tcp: Tcp, c: Connection, mtu: number): void {
  if (c.pathMtu === mtu) return;
  c.pathMtu = mtu;
  // Once the peer's SYN has come, which both may have sent at once.
  if (c.sndMss > 0) setSendMss(c, c.peerMss, familyOf(tcp, c));
}

function familyOf(tcp: Tcp, c: Connection): 4 | 6 {
  return isIpv4(tcp.tuples.remote(c.tuple)) ? 4 : 6;
}

/**
 * A router says that a segment of ours was too large for what comes behind it. What it says counts
 * for all connections to that address, until it is too old. Less than the least MTU that there can
 * be is not believed (RFC 5927 §7, RFC 8201 §4): in IPv4 DF is no longer set then, and routers
 * fragment.
 */
export function packetTooBig(tcp: Tcp, c: Connection, error: IcmpError): void {
  syncPathMtu(tcp, c);
  const mtuDiscover = error.family === 4 ? c.options.mtuDiscover : c.options.mtuDiscover6;
  const accepts = mtuDiscover !== MtuDiscover.Interface && mtuDiscover !== MtuDiscover.Omit;
  const before = c.pathMtu;
  if (error.family === 6) {
    if (!accepts || error.mtu < MIN_MTU6 || error.mtu >= before) return;
    // Where full segments are small all the same, nothing was learned.
    const fits = error.mtu - headerBytes(6) - (c.has(Has.Timestamps) ? 12 : 0);
    if (isSynchronized(c.state) && fits >= c.sndMss) return;
    learn(tcp, c, error.mtu, false);
  } else {
    const { noPathMtuDiscovery, minPathMtu } = tcp.settings;
    if (noPathMtuDiscovery === Discovery.Deaf) return;
    const mtu = noPathMtuDiscovery === Discovery.Off ? 0 : error.mtu;
    const locked = mtu < minPathMtu;
    if (mtu <= before && !isLocked(tcp, c)) {
      learn(tcp, c, locked ? Math.min(before, minPathMtu) : mtu, locked);
    }
    syncFragmentation(tcp, c, mtu);
    if (mtuDiscover === MtuDiscover.Dont || !accepts) return;
  }
  syncPathMtu(tcp, c);
  if (c.pathMtu < before) pathMtuReduced(tcp, c);
}

function isLocked(tcp: Tcp, c: Connection): boolean {
  const { tuples, pathMtus } = tcp;
  return pathMtus.isLocked(tuples.words, tuples.remoteAt(c.tuple), tcp.nowMs);
}

function learn(tcp: Tcp, c: Connection, mtu: number, locked: boolean): void {
  const { tuples, pathMtus, settings } = tcp;
  const at = tuples.remoteAt(c.tuple);
  pathMtus.learn(tuples.words, at, mtu, locked, tcp.nowMs, settings.pathMtuExpires);
}

/** What won't fit, and may not be fragmented, is lost: if it comes to that, this is why. */
function syncFragmentation(tcp: Tcp, c: Connection, mtu: number): void {
  noteFragmentation(tcp, c);
  if (mtu < knownMtu(tcp, c.tuple, c.pathMtu) && !c.has(Has.MayFragment)) {
    c.softError = Errno.EMSGSIZE;
  }
}

/**
 * Segments in flight are larger than the path takes: they are sent again at once, in smaller ones.
 * No sign of congestion, so that the window stays (Linux: tcp_simple_retransmit).
 */
function pathMtuReduced(tcp: Tcp, c: Connection): void {
  const f = c.flight;
  if (f === null || f.count === 0) return;
  const { lostOut } = f;
  f.resegment(c.sndMss, c.sndEnd);
  if (f.lostOut === lostOut) return;
  if (!c.has(Has.Sack)) resetDuplicates(f);
  if (c.caState !== CaState.Loss) {
    c.ssthresh = currentSsthresh(c);
    c.caState = CaState.Loss;
    f.highSeq = c.sndNxt;
    f.priorSsthresh = 0;
    f.undoable = f.frto = f.frtoNew = false;
  }
  tcp.markReady(c);
}
