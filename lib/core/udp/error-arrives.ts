import { countIcmp } from '../icmp/icmp-counters';
import { Icmp4, Icmp6, type IcmpError } from '../icmp/icmp-error';
import { icmpErrno, isTooBig } from '../icmp/icmp-errno';
import { isIpv4, writeAddress } from '../ip/address';
import { Word } from '../segment/layout';
import { endpointsHash } from '../random/half-sip-hash';
import type { DatagramSocket } from '../socket/datagram-socket';
import { MtuDiscover } from '../socket/options';
import type { Udp } from './udp';

/** The least MTU of IPv6 (RFC 8200 §5): what says less is no news, or a lie. */
const MIN_MTU6 = 1280;

/** Codes of unreachable that a repetition doesn't mend (Linux: `fatal`), a bit for each. */
const HARD4 = bits(2, 3, 6, 7, 8, 9, 10, 13, 14, 15);
const HARD6 = bits(1, 4, 5, 6);

function bits(...codes: number[]): number {
  return codes.reduce((set, code) => set | (1 << code), 0);
}

/**
 * An ICMP error quotes a datagram (RFC 1122 §4.1.3.3; Linux: udp_err, udpv6_err). It is for the
 * socket that could have sent it. One with a peer is told of what won't mend by itself; one with
 * IP_RECVERR of everything.
 */
export function errorArrives(udp: Udp, error: IcmpError): void {
  const { family, type, intact } = error;
  const { counters } = udp;
  if (!countIcmp(counters, family, type, intact)) return;
  const socket = senderOf(udp, error);
  if (socket === null) {
    if (family === 4) counters.IcmpInErrors++;
    else counters.Icmp6InErrors++;
    return;
  }
  const { mtuDiscover, receiveErrors } = socket.options;
  let isHard = isHardError(error);
  if (isTooBig(error)) {
    const isDeaf = mtuDiscover === MtuDiscover.Interface || mtuDiscover === MtuDiscover.Omit;
    if (!isDeaf) learnMtu(udp, error);
    isHard = mtuDiscover !== MtuDiscover.Dont;
    if (family === 4 ? !isHard : isDeaf) return;
  }
  const errno = icmpErrno(error);
  if (errno === 0) return;
  if (receiveErrors === 1) socket.keepError(error, errno);
  if (receiveErrors === 1 || (isHard && socket.isConnected)) socket.report(errno);
}

/** Whether it won't mend by itself. */
function isHardError({ family, type, code }: IcmpError): boolean {
  if (family === 4) {
    if (type === Icmp4.ParameterProblem) return true;
    return type === Icmp4.Unreachable && (HARD4 & (1 << code)) !== 0 && code < 16;
  }
  if (type === Icmp6.ParameterProblem) return true;
  return type === Icmp6.Unreachable && (HARD6 & (1 << code)) !== 0 && code < 7;
}

/** The socket to which an answer would go from whom the datagram was sent to. */
function senderOf(udp: Udp, error: IcmpError): DatagramSocket | null {
  const words = udp.question;
  const { local, localPort, remote, remotePort } = error;
  words[Word.Family] = isIpv4(local) ? 4 : 6;
  writeAddress(remote, words, Word.Source);
  writeAddress(local, words, Word.Destination);
  words[Word.SourcePort] = remotePort;
  words[Word.DestinationPort] = localPort;
  words[Word.Hash] = endpointsHash(udp.hashKey, local, localPort, remote, remotePort);
  return udp.table.find(words, 0);
}

/** A router says how long packets may be (RFC 1191, RFC 8201); less than can be is not believed. */
function learnMtu(udp: Udp, { family, mtu, remote, local }: IcmpError): void {
  const { pathMtus, settings, address } = udp;
  const { noPathMtuDiscovery, minPathMtu, pathMtuExpires } = settings;
  const path = udp.environment.paths.route(remote, local);
  const most = typeof path === 'number' ? 0 : path.mtu;
  writeAddress(remote, address, 0);
  const now = udp.nowMs();
  const known = pathMtus.find(address, 0, now) || most;
  if (family === 6) {
    if (mtu < MIN_MTU6 || mtu >= known) return;
    pathMtus.learn(address, 0, mtu, false, now, pathMtuExpires);
    return;
  }
  if (noPathMtuDiscovery === 2) return;
  // Linux's ip_no_pmtu_disc 1: what a router says counts as the least MTU.
  const stated = noPathMtuDiscovery === 1 ? 0 : mtu;
  if (stated >= known) return;
  const isLocked = stated < minPathMtu;
  const least = isLocked ? Math.min(known, minPathMtu) : stated;
  pathMtus.learn(address, 0, least, isLocked, now, pathMtuExpires);
}
