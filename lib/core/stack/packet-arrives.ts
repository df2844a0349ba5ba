import { Icmp4, Icmp6, readIcmpError, Unreachable4, Unreachable6 } from '../icmp/icmp-error';
import { isUnicast, isWildcard, readAddress } from '../ip/address';
import { Destination, destinationAt, isBroadcast } from '../ip/addresses';
import { readOptions, SOUND, SOURCE_ROUTE } from '../ip/ip4-options';
import type { SegmentBatch } from '../segment/batch';
import { isFragment, isIcmp, isTcp, isUdp, quotesTcp, quotesUdp } from '../segment/kind';
import { IcmpWord, IpProtocol, Word } from '../segment/layout';
import { icmpArrives } from '../tcp/icmp-arrives';
import type { Tcp } from '../tcp/tcp';
import { Arrival, type Udp } from '../udp/udp';
import type { Counters } from './counters';
import type { IpLayer } from './ip-layer';

const IPV4_HEADER = 20;

const PORT_UNREACHABLE4 = (Icmp4.Unreachable << 8) | Unreachable4.Port;
const PORT_UNREACHABLE6 = (Icmp6.Unreachable << 8) | Unreachable6.Port;
const PROTOCOL_UNREACHABLE = (Icmp4.Unreachable << 8) | Unreachable4.Protocol;
const PARAMETER_PROBLEM4 = Icmp4.ParameterProblem << 8;
const UNKNOWN_NEXT_HEADER = (Icmp6.ParameterProblem << 8) | 1;

/** To whom packets go. */
interface Protocols {
  readonly tcp: Tcp;
  readonly udp: Udp;
  readonly ip: IpLayer;
}

/**
 * A packet goes to whom it is for: TCP, UDP, ICMP, or who sent what ICMP quotes; a fragment waits
 * for the others. Who has sent what nobody takes is told so.
 */
export function packetArrives(stack: Protocols, batch: SegmentBatch, index: number): void {
  const { tcp } = stack;
  const { words } = batch;
  const base = batch.base(index);
  const { counters } = tcp;
  const is4 = words[base + Word.Family] === 4;
  if (is4) counters.IpInReceives++;
  else counters.Ip6InReceives++;
  const header = words[base + Word.TransportOffset] - words[base + Word.PacketOffset];
  if (is4 && header > IPV4_HEADER && !areOptionsRight(stack, words, base, header)) return;
  if (isTcp(words, base)) {
    countDelivery(counters, is4);
    tcp.onSegment(batch, index);
  } else {
    otherArrives(stack, batch, index);
  }
}

function countDelivery(counters: Counters, is4: boolean): void {
  if (is4) counters.IpInDelivers++;
  else counters.Ip6InDelivers++;
}

/** IPv4's options: what is wrong there is told to the sender, a source route leads nowhere. */
function areOptionsRight(
  { tcp, ip }: Protocols,
  words: Int32Array,
  base: number,
  header: number,
): boolean {
  const slab = tcp.slabs.slabs[words[base + Word.Slab]];
  const found = readOptions(slab, words[base + Word.PacketOffset], header);
  if (found === SOUND) return true;
  tcp.counters.IpInHdrErrors++;
  if (found !== SOURCE_ROUTE) ip.icmp.complain(words, base, PARAMETER_PROBLEM4, found << 24);
  return false;
}

/** What isn't a TCP segment. */
function otherArrives(stack: Protocols, batch: SegmentBatch, index: number): void {
  const { tcp, ip } = stack;
  const { words } = batch;
  const { counters, environment } = tcp;
  const base = batch.base(index);
  const is4 = words[base + Word.Family] === 4;
  const destination = destinationAt(environment.paths, words, base + Word.Destination);
  const isForUs =
    destination === Destination.Multicast
      ? ip.groups.hasAt(words, base + Word.Destination)
      : destination !== Destination.Foreign;
  if (!isForUs) {
    counters[is4 ? 'IpInAddrErrors' : 'Ip6InAddrErrors']++;
  } else if (isMartian(stack, words, base, destination)) {
    counters.NetlandMartianSources++;
  } else if (isFragment(words, base)) {
    const whole = ip.fragments(is4 ? 4 : 6).take(words, base, tcp.now);
    if (whole !== null) wholeArrives(stack, whole, destination);
  } else {
    deliver(stack, batch, index, destination);
  }
}

/**
 * No host can have the address. Only who has none yet may send from 0.0.0.0 or ::, and to many
 * (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2).
 */
function isMartian(
  { tcp }: Protocols,
  words: Int32Array,
  base: number,
  destination: Destination,
): boolean {
  const source = readAddress(words, base + Word.Source);
  if (isWildcard(source)) return destination === Destination.Own;
  return !isUnicast(source) || isBroadcast(tcp.environment.paths, source);
}

/** What was put together from fragments. */
function wholeArrives(stack: Protocols, batch: SegmentBatch, destination: Destination): void {
  const { tcp } = stack;
  if (!isTcp(batch.words, 0)) {
    deliver(stack, batch, 0, destination);
    return;
  }
  countDelivery(tcp.counters, batch.words[Word.Family] === 4);
  tcp.onSegment(batch, 0);
}

/** To the protocol that a whole packet, which is for us, is of. */
function deliver(
  stack: Protocols,
  batch: SegmentBatch,
  index: number,
  destination: Destination,
): void {
  const { tcp, ip } = stack;
  const { words } = batch;
  const { counters } = tcp;
  const base = batch.base(index);
  const is4 = words[base + Word.Family] === 4;
  if (isUdp(words, base)) {
    countDelivery(counters, is4);
    if (stack.udp.arrives(batch, index, destination) === Arrival.NoPort) {
      ip.icmp.complain(words, base, is4 ? PORT_UNREACHABLE4 : PORT_UNREACHABLE6);
    }
  } else if (isIcmp(words, base)) {
    countDelivery(counters, is4);
    icmpDelivered(stack, batch, index, destination);
  } else if (is4 && words[base + Word.Protocol] === (IpProtocol.Igmp as number)) {
    counters.IpInDelivers++;
    ip.groupMessageArrives(words, base);
  } else {
    refuse(counters, ip, words, base, is4);
  }
}

function icmpDelivered(
  stack: Protocols,
  batch: SegmentBatch,
  index: number,
  destination: Destination,
): void {
  const { tcp, ip } = stack;
  const { words } = batch;
  const base = batch.base(index);
  if (quotesTcp(words, base)) {
    icmpArrives(tcp, readIcmpError(words, base, tcp.slabs.slabs));
  } else if (quotesUdp(words, base)) {
    stack.udp.onError(readIcmpError(words, base, tcp.slabs.slabs));
  } else if (ip.icmp.arrives(batch, index, destination)) {
    const type = words[base + IcmpWord.Kind] >>> 8;
    const isGroups = type === Icmp6.MulticastQuery || type === Icmp6.MulticastReport1;
    if (isGroups && words[base + Word.Family] === 6) ip.groupMessageArrives(words, base);
  }
}

/** Nobody here knows the protocol, or a header says what isn't possible. */
function refuse(
  counters: Counters,
  { icmp }: IpLayer,
  words: Int32Array,
  base: number,
  is4: boolean,
): void {
  const kind = words[base + IcmpWord.Kind];
  const rest = words[base + IcmpWord.Rest];
  if (is4) {
    counters.IpInUnknownProtos++;
    icmp.complain(words, base, PROTOCOL_UNREACHABLE);
  } else if (words[base + Word.Protocol] !== (IpProtocol.None as number)) {
    counters.Ip6InUnknownProtos++;
    icmp.complain(words, base, UNKNOWN_NEXT_HEADER, rest);
  } else if (kind !== 0) {
    counters.Ip6InHdrErrors++;
    icmp.complain(words, base, kind, rest);
  } else {
    counters.Ip6InDelivers++;
  }
}
