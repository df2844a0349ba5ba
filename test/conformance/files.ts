import type { DatagramSocket } from '../../lib/core/socket/datagram-socket';
import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import type { EpollSet } from './epoll';
import { O_NONBLOCK, O_RDWR } from './linux';
import { CallError } from './request';

/** What a program has of a socket beside the stack's own. */
abstract class OpenSocket {
  nonblock: boolean;
  /** SO_RCVTIMEO and SO_SNDTIMEO, µs; Infinity: none. */
  receiveTimeout = Infinity;
  sendTimeout = Infinity;
  /** Calls that are blocked on it: the socket lives as long as one of them. */
  users = 0;
  closed = false;

  constructor(nonblock: boolean) {
    this.nonblock = nonblock;
  }

  abstract readonly socket: StreamSocket | DatagramSocket;

  /** What F_GETFL says. */
  get flags(): number {
    return O_RDWR | (this.nonblock ? O_NONBLOCK : 0);
  }
}

/** A TCP socket. */
export class SocketFile extends OpenSocket {
  /** TCP_INQ: recvmsg(2) tells how much is left. */
  tellsQueue = 0;

  constructor(
    readonly socket: StreamSocket,
    nonblock: boolean,
  ) {
    super(nonblock);
  }

  /** Whether the socket has a connection that is not over. */
  get isConnected(): boolean {
    return (this.socket.status?.row ?? -1) >= 0;
  }
}

/** What recvmsg(2) tells of a datagram beside its bytes. */
export const enum Told {
  /** IP_RECVTTL, IPV6_RECVHOPLIMIT. */
  HopLimit = 1,
  /** IP_RECVTOS, IPV6_RECVTCLASS. */
  TrafficClass = 2,
}

/** A UDP socket. */
export class DatagramFile extends OpenSocket {
  /** `Told` bits: of IPv4's datagrams, and of IPv6's. */
  told4 = 0;
  told6 = 0;

  constructor(
    readonly socket: DatagramSocket,
    nonblock: boolean,
  ) {
    super(nonblock);
  }
}

/** A socket of either kind. */
export type AnySocketFile = SocketFile | DatagramFile;

export function isSocket(file: File | undefined): file is AnySocketFile {
  return file instanceof OpenSocket;
}

export type File = AnySocketFile | EpollSet;

/** More than any test opens, and less than would hurt. */
const MAX_FILES = 65_536;
/** A program has 0, 1 and 2 already. */
const FIRST = 3;

/** The descriptors of one program: the lowest free number is the next. */
export class FileTable {
  private readonly files = new Map<number, File>();
  private lowest = FIRST;

  add(file: File): number {
    if (this.files.size >= MAX_FILES) throw new CallError('EMFILE');
    while (this.files.has(this.lowest)) this.lowest++;
    this.files.set(this.lowest, file);
    return this.lowest;
  }

  find(fd: number): File | undefined {
    return this.files.get(fd);
  }

  remove(fd: number): File {
    const file = this.files.get(fd);
    if (file === undefined) throw new CallError('EBADF');
    this.files.delete(fd);
    this.lowest = Math.min(this.lowest, fd);
    return file;
  }

  get(fd: number): File {
    const file = this.files.get(fd);
    if (file === undefined) throw new CallError('EBADF');
    return file;
  }

  /** A TCP socket: for calls that UDP has none of. */
  socket(fd: number): SocketFile {
    const file = this.get(fd);
    if (file instanceof DatagramFile) throw new CallError('EOPNOTSUPP');
    if (!(file instanceof SocketFile)) throw new CallError('ENOTSOCK');
    return file;
  }

  all(): Iterable<File> {
    return this.files.values();
  }
}
