import type { CongestionControl } from '../tcp/congestion';
import type { Settings } from '../tcp/settings';

/** Options of a stream socket; Linux's name in the comment. Times are ms, sizes bytes. */
export const enum SocketOption {
  /** TCP_NODELAY: small segments don't wait for acknowledgments. */
  NoDelay = 0,
  /** TCP_CORK: only full segments leave. */
  Cork = 1,
  /** SO_KEEPALIVE. */
  KeepAlive = 2,
  /** TCP_KEEPIDLE. */
  KeepIdle = 3,
  /** TCP_KEEPINTVL. */
  KeepInterval = 4,
  /** TCP_KEEPCNT. */
  KeepCount = 5,
  /** SO_SNDBUF: payload; what Linux tells, twice what it is told. */
  SendBuffer = 6,
  /** SO_RCVBUF: payload, half of what Linux tells. */
  ReceiveBuffer = 7,
  /** SO_REUSEADDR. */
  ReuseAddress = 8,
  /** IPV6_V6ONLY. */
  Ipv6Only = 9,
  /** TCP_MAXSEG: 0, or an upper bound of both directions' segment size. */
  MaxSegment = 10,
  /** TCP_SYNCNT: 0 means the stack's setting. */
  SynCount = 11,
  /** TCP_USER_TIMEOUT: 0 means the stack's retransmission limit. */
  UserTimeout = 12,
  /** IP_TTL and IPV6_UNICAST_HOPS. */
  Ttl = 13,
  /** IP_TOS and IPV6_TCLASS; the two ECN bits are TCP's own. */
  TrafficClass = 14,
  /** IP_MTU_DISCOVER: a `MtuDiscover`. */
  MtuDiscover = 15,
  /** IP_RECVERR: an ICMP error is told at once (SO_ERROR), and ends nothing. */
  ReceiveErrors = 16,
  /** TCP_DEFER_ACCEPT: SYN+ACK timeouts that a connection without data may take; 0: none. */
  DeferAccept = 17,
  /** SO_OOBINLINE: the urgent byte is read like any other. */
  OobInline = 18,
  /** SO_REUSEPORT: several listeners on one endpoint; each connection goes to one of them. */
  ReusePort = 19,
  /** SO_LINGER: -1 is off; 0: close(2) resets; else how long it waits, for who blocks. */
  Linger = 20,
  /** TCP_LINGER2: FIN-WAIT-2 after close; 0: as the stack has it; -1: none. */
  Linger2 = 21,
  /** TCP_NOTSENT_LOWAT: unsent bytes from which on nothing is taken; 0: the stack's setting. */
  NotSentLowWater = 22,
  /** SO_RCVLOWAT: bytes from which on a socket is readable. */
  ReceiveLowWater = 23,
  /** TCP_WINDOW_CLAMP: the widest window that is offered; 0: what the buffer has room for. */
  WindowClamp = 24,
  /** SO_MAX_PACING_RATE, bytes per second; 0: none. */
  MaxPacingRate = 25,
  /** IP_BIND_ADDRESS_NO_PORT: `BindNoPort` bits. */
  BindNoPort = 26,
  /** IP_LOCAL_PORT_RANGE: the ephemeral ports, from the low 16 bits to the high; 0: no bound. */
  LocalPortRange = 27,
  /** IPV6_MTU_DISCOVER: a `MtuDiscover`. */
  MtuDiscover6 = 28,
  /** IPV6_RECVERR. */
  ReceiveErrors6 = 29,
}

/** Bits of `SocketOption.BindNoPort`. */
export const enum BindNoPort {
  /** bind(2) with port 0 leaves the port to connect(2), which knows the peer. */
  Asked = 1,
  /** It has done so: the address is bound, and no port. */
  Bound = 2,
}

/** What becomes of packets that may be too large for the path: Linux's IP_PMTUDISC_ values. */
export const enum MtuDiscover {
  /** DF is clear, and nothing is sent again before its time. */
  Dont = 0,
  /** DF is set, unless the path has room for less than is believed. */
  Want = 1,
  /** DF is set always. */
  Do = 2,
  /** DF is clear: for those who probe the path by themselves. */
  Probe = 3,
  /** DF is clear; what routers say counts for nothing. */
  Interface = 4,
  Omit = 5,
}

/** The values of one socket's options. Sockets share an object until one of them changes. */
export class SocketOptions {
  noDelay = 0;
  cork = 0;
  keepAlive = 0;
  keepIdle: number;
  keepInterval: number;
  keepCount: number;
  sendBuffer: number;
  receiveBuffer: number;
  /** The program chose `receiveBuffer`: it will not grow (Linux: SOCK_RCVBUF_LOCK). */
  receiveBufferFixed = 0;
  /** The program chose `sendBuffer`: it will not grow (Linux: SOCK_SNDBUF_LOCK). */
  sendBufferFixed = 0;
  reuseAddress = 0;
  ipv6Only = 0;
  maxSegment = 0;
  synCount = 0;
  userTimeout = 0;
  ttl: number;
  trafficClass = 0;
  mtuDiscover: number;
  receiveErrors = 0;
  deferAccept = 0;
  oobInline = 0;
  reusePort = 0;
  linger = -1;
  linger2 = 0;
  notSentLowWater = 0;
  receiveLowWater = 1;
  windowClamp = 0;
  maxPacingRate = 0;
  bindNoPort = 0;
  localPortRange = 0;
  mtuDiscover6: number = MtuDiscover.Want;
  receiveErrors6 = 0;

  /** @param congestion TCP_CONGESTION */
  constructor(
    settings: Settings,
    public congestion: CongestionControl,
  ) {
    this.keepIdle = settings.keepAliveTime;
    this.keepInterval = settings.keepAliveInterval;
    this.keepCount = settings.keepAliveProbes;
    this.sendBuffer = settings.sendBuffer;
    this.receiveBuffer = settings.receiveBuffer;
    this.ttl = settings.ttl;
    this.mtuDiscover = settings.noPathMtuDiscovery === 0 ? MtuDiscover.Want : MtuDiscover.Dont;
  }
}

type OptionKey = Exclude<keyof SocketOptions, 'congestion'>;

/** Where each option is kept, and its range; the index is the `SocketOption`. */
const RANGES: readonly (readonly [OptionKey, number, number])[] = [
  ['noDelay', 0, 1],
  ['cork', 0, 1],
  ['keepAlive', 0, 1],
  ['keepIdle', 1, 32_767_000],
  ['keepInterval', 1, 32_767_000],
  ['keepCount', 1, 127],
  ['sendBuffer', 2048, 2 ** 30],
  ['receiveBuffer', 1024, 2 ** 30],
  ['reuseAddress', 0, 1],
  ['ipv6Only', 0, 1],
  ['maxSegment', 0, 32_767],
  ['synCount', 0, 127],
  ['userTimeout', 0, 0x7fffffff],
  ['ttl', 1, 255],
  ['trafficClass', 0, 255],
  ['mtuDiscover', MtuDiscover.Dont, MtuDiscover.Omit],
  ['receiveErrors', 0, 1],
  ['deferAccept', 0, 255],
  ['oobInline', 0, 1],
  ['reusePort', 0, 1],
  ['linger', -1, 0x7fffffff],
  ['linger2', -1, 120_000],
  ['notSentLowWater', 0, 0xffff_ffff],
  ['receiveLowWater', 1, 0x7fffffff],
  ['windowClamp', 0, 0x7fffffff],
  ['maxPacingRate', 0, Number.MAX_SAFE_INTEGER],
  ['bindNoPort', 0, BindNoPort.Asked | BindNoPort.Bound],
  ['localPortRange', 0, 0xffff_ffff],
  ['mtuDiscover6', MtuDiscover.Dont, MtuDiscover.Omit],
  ['receiveErrors6', 0, 1],
];

/** The least and the largest value that an option takes. */
export function optionRange(option: SocketOption): readonly [min: number, max: number] {
  const [, min, max] = RANGES[option];
  return [min, max];
}

/**
 * `options` with one value changed, as a new object unless it is the value that they have; null
 * when the value is out of range.
 */
export function withOption(
  options: SocketOptions,
  option: SocketOption,
  value: number,
): SocketOptions | null {
  const [key, min, max] = RANGES[option];
  if (!Number.isInteger(value) || value < min || value > max) return null;
  const size = option === SocketOption.ReceiveBuffer || option === SocketOption.SendBuffer;
  if (options[key] === value && !size) return options;
  const changed = Object.assign(Object.create(SocketOptions.prototype), options) as SocketOptions;
  changed[key] = value;
  if (option === SocketOption.ReceiveBuffer) changed.receiveBufferFixed = 1;
  if (option === SocketOption.SendBuffer) changed.sendBufferFixed = 1;
  return changed;
}

/** `options` with another congestion controller, as a new object. */
export function withCongestion(
  options: SocketOptions,
  congestion: CongestionControl,
): SocketOptions {
  const changed = Object.assign(Object.create(SocketOptions.prototype), options) as SocketOptions;
  changed.congestion = congestion;
  return changed;
}

/** The receive buffer as the handshake tells of it, bytes, with TCP_WINDOW_CLAMP. */
export function firstReceiveBuffer({ receiveBuffer, windowClamp }: SocketOptions): number {
  return windowClamp === 0 ? receiveBuffer : Math.min(receiveBuffer, windowClamp);
}

/** What the receive buffer may become, bytes: the window's scale is chosen for it. */
export function largestReceiveBuffer(options: SocketOptions, settings: Settings): number {
  const { receiveBuffer, receiveBufferFixed, windowClamp } = options;
  const largest =
    receiveBufferFixed === 1 ? receiveBuffer : Math.max(receiveBuffer, settings.receiveBufferMax);
  return windowClamp === 0 ? largest : Math.min(largest, windowClamp);
}

export function optionValue(options: SocketOptions, option: SocketOption): number {
  return options[RANGES[option][0]];
}
