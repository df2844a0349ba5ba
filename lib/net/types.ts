import type { LookupFunction } from 'node:net';
import type { Socket } from './socket';

/** Options of a socket that is not yet connected. */
export interface SocketOptions {
  /** Keep our side open when the peer has ended; default false: `end()` is called for us. */
  allowHalfOpen?: boolean;
  /** Destroys the socket with an AbortError. */
  signal?: AbortSignal;
  /** Bytes buffered in each direction above what the stack buffers. */
  highWaterMark?: number;
  readableHighWaterMark?: number;
  writableHighWaterMark?: number;
}

/** Options that a connection starts with. */
export interface ConnectionOptions {
  /** Don't wait to make larger segments of small writes (TCP_NODELAY); default false. */
  noDelay?: boolean;
  /** Probe an idle connection; default false. */
  keepAlive?: boolean;
  /** ms of idleness before the first probe, whole seconds; 0 means the stack's setting. */
  keepAliveInitialDelay?: number;
}

/** Options of `connect`: node:net's for TCP. */
export interface ConnectOptions extends SocketOptions, ConnectionOptions {
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
  /** 0 or absent: the stack chooses one. */
  port?: number | string | null;
  /** Name or address; default: every address of the stack. */
  host?: string | null;
  /** Connections that may wait to be accepted; default 511. */
  backlog?: number;
  /** Accepted and without effect: a stack belongs to one process. */
  exclusive?: boolean;
  /** With '::', leave IPv4 out; default false. */
  ipv6Only?: boolean;
  /** Closes the server. */
  signal?: AbortSignal;
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
