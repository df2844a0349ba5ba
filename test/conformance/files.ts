import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import type { EpollSet } from './epoll';
import { O_NONBLOCK, O_RDWR } from './linux';
import { CallError } from './request';

/** What the stack's socket has and the program's calls see beside it. */
export class SocketFile {
  nonblock: boolean;
  /** SO_RCVTIMEO and SO_SNDTIMEO, µs; Infinity: none. */
  receiveTimeout = Infinity;
  sendTimeout = Infinity;
  /** TCP_INQ: recvmsg(2) tells how much is left. */
  tellsQueue = 0;
  /** Calls that are blocked on it: the socket lives as long as one of them. */
  users = 0;
  closed = false;

  constructor(
    readonly socket: StreamSocket,
    nonblock: boolean,
  ) {
    this.nonblock = nonblock;
  }

  /** Whether the socket has a connection that is not over. */
  get isConnected(): boolean {
    return (this.socket.status?.row ?? -1) >= 0;
  }

  /** What F_GETFL says. */
  get flags(): number {
    return O_RDWR | (this.nonblock ? O_NONBLOCK : 0);
  }
}

export type File = SocketFile | EpollSet;

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

  socket(fd: number): SocketFile {
    const file = this.get(fd);
    if (!(file instanceof SocketFile)) throw new CallError('ENOTSOCK');
    return file;
  }

  all(): Iterable<File> {
    return this.files.values();
  }
}
