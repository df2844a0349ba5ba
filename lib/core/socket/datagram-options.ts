import { MtuDiscover } from './options';

/** Options of a datagram socket; Linux's name in the comment. Sizes are bytes. */
export const enum DatagramOption {
  /** SO_REUSEADDR. */
  ReuseAddress = 0,
  /** SO_REUSEPORT: several sockets on one endpoint; those from one sender go to one of them. */
  ReusePort = 1,
  /** IPV6_V6ONLY. */
  Ipv6Only = 2,
  /** SO_BROADCAST: sending to all hosts is allowed. */
  Broadcast = 3,
  /** SO_RCVBUF, as Linux tells it: twice what it is told, and counted with a packet's overhead. */
  ReceiveBuffer = 4,
  /** SO_SNDBUF, likewise. */
  SendBuffer = 5,
  /** IP_TTL and IPV6_UNICAST_HOPS. */
  Ttl = 6,
  /** IP_TOS and IPV6_TCLASS. */
  TrafficClass = 7,
  /** IP_MULTICAST_TTL and IPV6_MULTICAST_HOPS; 0: it doesn't leave the stack. */
  MulticastTtl = 8,
  /** IP_MULTICAST_LOOP and IPV6_MULTICAST_LOOP: what goes to a group comes to our own sockets. */
  MulticastLoop = 9,
  /** IP_MULTICAST_ALL and IPV6_MULTICAST_ALL: also of groups that only others here are in. */
  MulticastAll = 10,
  /** IP_MTU_DISCOVER and IPV6_MTU_DISCOVER: a `MtuDiscover`. */
  MtuDiscover = 11,
  /** IP_RECVERR and IPV6_RECVERR: every ICMP error is told, to sockets without a peer, too. */
  ReceiveErrors = 12,
  /** SO_NO_CHECK: IPv4 without a checksum. */
  NoCheck = 13,
}

/** net.core.rmem_default and rmem_max, wmem_default and wmem_max. */
const BUFFER_DEFAULT = 212_992;
const BUFFER_MAX = 212_992;
/** SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF. */
const MIN_RECEIVE = 2304;
const MIN_SEND = 4608;

/** The values of one socket's options. */
export class DatagramOptions {
  reuseAddress = 0;
  reusePort = 0;
  ipv6Only = 0;
  broadcast = 0;
  receiveBuffer = BUFFER_DEFAULT;
  sendBuffer = BUFFER_DEFAULT;
  trafficClass = 0;
  multicastTtl = 1;
  multicastLoop = 1;
  multicastAll = 1;
  mtuDiscover: number = MtuDiscover.Want;
  receiveErrors = 0;
  noCheck = 0;

  /** @param ttl net.ipv4.ip_default_ttl */
  constructor(public ttl: number) {}
}

/** Where each option is kept, and its range; the index is the `DatagramOption`. */
const RANGES: readonly (readonly [keyof DatagramOptions, number, number])[] = [
  ['reuseAddress', 0, 1],
  ['reusePort', 0, 1],
  ['ipv6Only', 0, 1],
  ['broadcast', 0, 1],
  ['receiveBuffer', 0, 0x7fffffff],
  ['sendBuffer', 0, 0x7fffffff],
  ['ttl', 1, 255],
  ['trafficClass', 0, 255],
  ['multicastTtl', 0, 255],
  ['multicastLoop', 0, 1],
  ['multicastAll', 0, 1],
  ['mtuDiscover', MtuDiscover.Dont, MtuDiscover.Omit],
  ['receiveErrors', 0, 1],
  ['noCheck', 0, 1],
];

/** The least and the largest value that an option takes. */
export function datagramOptionRange(option: DatagramOption): readonly [min: number, max: number] {
  const [, min, max] = RANGES[option];
  return [min, max];
}

/** Sets an option; whether the value is in its range. A buffer becomes what Linux makes of it. */
export function setDatagramOption(
  options: DatagramOptions,
  option: DatagramOption,
  value: number,
): boolean {
  const [key, min, max] = RANGES[option];
  if (!Number.isInteger(value) || value < min || value > max) return false;
  options[key] = value;
  if (option === DatagramOption.ReceiveBuffer) options[key] = doubled(value, MIN_RECEIVE);
  if (option === DatagramOption.SendBuffer) options[key] = doubled(value, MIN_SEND);
  return true;
}

function doubled(value: number, least: number): number {
  return Math.max(2 * Math.min(value, BUFFER_MAX), least);
}

export function datagramOption(options: DatagramOptions, option: DatagramOption): number {
  return options[RANGES[option][0]];
}
