import type { LookupFunction } from 'node:net';
import type { CongestionController } from '../core/tcp/congestion-controller';
import type { Socket } from './socket';

/** The congestion controllers that a stack has: RFC 9438, the default, and RFC 5681. */
export type CongestionControlName = 'cubic' | 'reno';

/**
 * What becomes of packets that are too large for a link on their way (IP_MTU_DISCOVER,
 * IPV6_MTU_DISCOVER). In IPv6 no router fragments, whatever is chosen.
 *
 * - 'want', the default: routers say so, and smaller ones are sent; they fragment where the path
 *   has room for less than is believed of any.
 * - 'do': routers never fragment.
 * - 'dont': routers fragment; nothing is sent again before its time.
 * - 'probe': routers fragment, and what they say is learned, for those who look for the path's
 *   MTU by themselves.
 * - 'interface', 'omit': routers fragment, and what they say counts for nothing.
 */
export type PathMtuDiscovery = 'dont' | 'want' | 'do' | 'probe' | 'interface' | 'omit';

/** Options of a socket that is not yet connected. */
export interface SocketOptions extends ConnectionOptions {
  /** Keep our side open when the peer has ended; default false: `end()` is called for us. */
  allowHalfOpen?: boolean;
  /** Destroys the socket with an AbortError. */
  signal?: AbortSignal;
  /** Bytes buffered in each direction above what the stack buffers. */
  highWaterMark?: number;
  readableHighWaterMark?: number;
  writableHighWaterMark?: number;
}

/** Options that a connection starts with. What is left out is as the stack's settings have it. */
export interface ConnectionOptions {
  /** Don't wait to make larger segments of small writes (TCP_NODELAY); default false. */
  noDelay?: boolean;
  /** Probe an idle connection (SO_KEEPALIVE); default false. */
  keepAlive?: boolean;
  /** ms of idleness before the first probe, whole seconds; 0: as it is (TCP_KEEPIDLE). */
  keepAliveInitialDelay?: number;
  /** ms between probes, whole seconds; 0: as it is (TCP_KEEPINTVL). */
  keepAliveInterval?: number;
  /** Probes without an answer before ETIMEDOUT, 1 to 127; 0: as it is (TCP_KEEPCNT). */
  keepAliveCount?: number;
  /** Only full segments leave, the last one when it is cleared (TCP_CORK); default false. */
  cork?: boolean;
  /**
   * Payload that the stack holds for the peer, bytes, 2048 to 2^30 (SO_SNDBUF); it grows with the
   * congestion window unless it is given.
   */
  sendBufferSize?: number;
  /**
   * Payload that the stack holds for the reader, bytes, 1024 to 2^30 (SO_RCVBUF); it grows with
   * what is read in a round trip unless it is given.
   */
  recvBufferSize?: number;
  /**
   * Unsent bytes from which on the stack takes no more, so that what is written late leaves soon:
   * the rest waits in the stream, whose 'drain' comes later; 0: `notSentLowWater` of the stack
   * (TCP_NOTSENT_LOWAT).
   */
  notsentLowat?: number;
  /** No segment has more payload, either way; bytes, 88 to 32767 (TCP_MAXSEG). */
  maxSegment?: number;
  /** Retransmissions of a SYN with backoff before ETIMEDOUT, 1 to 127 (TCP_SYNCNT). */
  synRetries?: number;
  /**
   * ms that something may stay unacknowledged before ETIMEDOUT, up to 2^31 - 1; 0: the stack's
   * limit of retransmissions holds (TCP_USER_TIMEOUT; RFC 9293 §3.9.1.7).
   */
  userTimeout?: number;
  /** Name of a congestion controller of the stack's, or one of one's own (TCP_CONGESTION). */
  congestionControl?: CongestionControlName | CongestionController;
  /**
   * Spreads what is sent, and bounds it: bytes of payload per second, up to 2^53 - 1; 0: no bound
   * (SO_MAX_PACING_RATE).
   */
  maxPacingRate?: number;
  /** Hops that a packet may make, 1 to 255 (IP_TTL, IPV6_UNICAST_HOPS). */
  ttl?: number;
  /** The traffic class, 0 to 255; its two ECN bits are TCP's own (IP_TOS, IPV6_TCLASS). */
  typeOfService?: number;
  /** An urgent byte stays in the stream (SO_OOBINLINE; see `Socket.atMark`); default false. */
  oobInline?: boolean;
  /** How the connection is closed: ms, 0 to 2^31 - 1, or false, the default; see `setLinger`. */
  linger?: number | false;
  /** See `PathMtuDiscovery`; default 'want'. */
  pathMtuDiscovery?: PathMtuDiscovery;
  /** What ICMP says of the connection is told at once, by 'softError'; see `setReceiveErrors`. */
  receiveErrors?: boolean;
}

/** Options of `connect`: node:net's for TCP. */
export interface ConnectOptions extends SocketOptions {
  /** A number, or the name of a service: 'http'. */
  port?: number | string | null;
  /** Name or address; default 'localhost'. */
  host?: string | null;
  localAddress?: string;
  localPort?: number;
  /** 4, 6, or 0 for both. */
  family?: number | string;
  /** As of `dns.lookup`. */
  hints?: number;
  /** Instead of `dns.lookup`. */
  lookup?: LookupFunction | null;
  /** ms without traffic before 'timeout' is emitted; 0 means never. */
  timeout?: number;
  /** Try all addresses of a name in turn; default true. */
  autoSelectFamily?: boolean;
  /** ms for each of them but the last, at least 10; default 250. */
  autoSelectFamilyAttemptTimeout?: number;
}

/** Options of a server, which its connections start with. */
export interface ServerOptions extends ConnectionOptions {
  allowHalfOpen?: boolean;
  /** Don't read from a new connection before it is resumed; default false. */
  pauseOnConnect?: boolean;
  /** Bytes buffered in each direction above what the stack buffers. */
  highWaterMark?: number;
}

/** Options of `listen`: node:net's for TCP. */
export interface ListenOptions {
  /** A number, or the name of a service: 'redis'; 0 or absent: the stack chooses one. */
  port?: number | string | null;
  /** Name or address; default: every address of the stack. */
  host?: string | null;
  /**
   * On every port that no other server listens on, instead of `port`: `address().port` is 0, and
   * the `localPort` of a connection is that which the peer has asked for. Not on a raw link, which
   * shares its ports with the kernel. Default false.
   */
  anyPort?: boolean;
  /** Connections that may wait to be accepted; default 511. */
  backlog?: number;
  /** Accepted and without effect: a stack belongs to one process. */
  exclusive?: boolean;
  /**
   * SO_REUSEPORT: several servers may listen there, if all say so; each connection goes to one of
   * them, by its endpoints. As node:net's since Node.js 23. Default false.
   */
  reusePort?: boolean;
  /** With '::', leave IPv4 out; default false. */
  ipv6Only?: boolean;
  /** Closes the server. */
  signal?: AbortSignal;
}

/** What `setKeepAlive` takes as an object: see `ConnectionOptions`. */
export interface KeepAliveOptions {
  /** Default false. */
  enable?: boolean;
  /** ms, whole seconds; 0: as it is. */
  initialDelay?: number;
  /** ms, whole seconds; 0: as it is. */
  interval?: number;
  /** 1 to 127; 0: as it is. */
  count?: number;
}

/** An end of a connection, as `address()` gives it. */
export interface AddressInfo {
  address: string;
  family: 'IPv4' | 'IPv6';
  port: number;
}

/** What a server that refuses a connection for being full tells of it. */
export interface DropInfo {
  localAddress: string;
  localPort: number;
  localFamily: 'IPv4' | 'IPv6';
  remoteAddress: string;
  remotePort: number;
  remoteFamily: 'IPv4' | 'IPv6';
}

export type ConnectionListener = (socket: Socket) => void;

/** A listener whose arguments are of no interest: what node:http passes fits as well. */
export type Listener = (...args: never[]) => void;

export type ServerArguments = [options?: ServerOptions | Listener | null, listener?: Listener];
