import type { AddressInfo } from '../net/types';

export type SocketType = 'udp4' | 'udp6';

/**
 * Instead of `dns.lookup`: calls back with an error, or with an address of that family.
 * @param family 4 for 'udp4', 6 for 'udp6'
 */
export type Lookup = (
  hostname: string,
  family: 4 | 6,
  callback: (error: Error | null, address: string, family: number) => void,
) => void;

/** Options of `createSocket`: node:dgram's. */
export interface SocketOptions {
  type: SocketType;
  /** Several sockets may be bound to one endpoint (SO_REUSEADDR); default false. */
  reuseAddr?: boolean;
  /** The same, and what comes from one sender goes to one of them (SO_REUSEPORT); default false. */
  reusePort?: boolean;
  /** With 'udp6', leave IPv4 out; default false. */
  ipv6Only?: boolean;
  /** SO_RCVBUF, bytes; Linux doubles it, and counts a packet's overhead. Default 212992 in all. */
  recvBufferSize?: number;
  /** SO_SNDBUF, likewise. */
  sendBufferSize?: number;
  /** Default `dns.lookup`, which isn't asked for addresses and 'localhost'. */
  lookup?: Lookup;
  /** Closes the socket. */
  signal?: AbortSignal;
}

/** Options of `bind`. */
export interface BindOptions {
  /** A number, or the name of a service: 'tftp'; 0 or absent: the stack chooses one. */
  port?: number | string | null;
  /** Name or address; default: every address of the stack. */
  address?: string;
  /**
   * To every port that no other socket is bound to, instead of `port`, for what is sent to this
   * host alone: `sender.localAddress` and `localPort` of 'message' say to whom, and `reply` answers
   * from there. Not on a raw link, which shares its ports with the kernel. Default false.
   */
  anyPort?: boolean;
  /** Accepted and without effect: a stack belongs to one process. */
  exclusive?: boolean;
}

/** Who has sent a datagram. */
export interface RemoteInfo extends AddressInfo {
  /** Bytes of the datagram. */
  size: number;
  /** To whom it was sent, where the socket is on any port. */
  localAddress?: string;
  localPort?: number;
}

/** Something that has bytes, or text, which is sent as UTF-8. */
export type Message = string | NodeJS.ArrayBufferView;

/** Called with `(null, bytes)` when the stack has taken a datagram, or with an error. */
export type SendCallback = (error: Error | null, bytes: number) => void;

/** The events of a socket, and what their listeners are called with. */
export interface SocketEvents {
  close: [];
  connect: [];
  error: [error: Error];
  listening: [];
  message: [message: Buffer, sender: RemoteInfo];
}
