import { Errno } from '../errno';
import { quotedSegment, type IcmpError } from '../icmp/icmp-error';
import { ANY4, ANY6, type IpAddress } from '../ip/address';
import type { CongestionController } from '../tcp/congestion-controller';
import { changeControl } from '../tcp/controllers';
import { armKeepAlive, keepIdleChanged } from '../tcp/keepalive';
import { setQuickAck } from '../tcp/delayed-ack';
import { noteFragmentation, syncPathMtu } from '../tcp/path-mtu';
import { Has, type Connection } from '../tcp/connection';
import { isSilent } from '../tcp/silence';
import { canSend, isClosing, State } from '../tcp/state';
import { isWritable, withinUnsentLimit } from '../tcp/send-space';
import type { Tcp } from '../tcp/tcp';
import { listenerInfo, tcpInfo, type TcpInfo } from '../tcp/tcp-info';
import { bufferOptionChanged, grownSize, isReadable } from '../tcp/buffer-options';
import { releaseHeld } from '../tcp/user-calls';
import { available, bytesToMark, hasUrgentByte, isAtMark, takeUrgentNews } from '../tcp/urgent';
import { ErrorQueue, type QueuedError } from './error-queue';
import type { Listening } from './listening';
import {
  optionValue,
  SocketOption,
  withCongestion,
  withOption,
  type SocketOptions,
} from './options';

/** Linux's bits of poll(2). */
export const enum Poll {
  IN = 0x001,
  /** An urgent byte can be read. */
  PRI = 0x002,
  OUT = 0x004,
  ERR = 0x008,
  HUP = 0x010,
  RDHUP = 0x2000,
}

/** Bits of `shut` (Linux: sk_shutdown): `Shutdown` plus one. */
export const enum Shut {
  Receive = 1,
  Send = 2,
  Both = 3,
}

/** What a socket is, and tells: options, addresses, queues, errors. */
export class SocketStatus {
  options: SocketOptions;
  localPort = 0;
  remotePort = 0;
  /** While in LISTEN. */
  listening: Listening | null = null;

  protected connection: Connection | null = null;
  protected closed = false;
  /** `Shut` bits: directions that the program has ended, both when the connection is over. */
  protected shut = 0;
  protected error = 0;
  /** Where bound, and of a connection that is over; one that lives has its four-tuple. */
  protected local: IpAddress;
  protected remote: IpAddress;
  /** TCP_INFO of the connection that is over. */
  protected lastInfo: TcpInfo | null = null;
  /** Linux: sk_error_queue; null: nothing is in it. */
  private errors: ErrorQueue | null = null;

  constructor(
    protected readonly tcp: Tcp,
    readonly domain: 4 | 6,
  ) {
    this.options = tcp.defaultOptions;
    this.local = domain === 4 ? ANY4 : ANY6;
    this.remote = this.local;
  }

  get localAddress(): IpAddress {
    const c = this.connection;
    return c !== null && c.row >= 0 ? this.tcp.tuples.local(c.tuple) : this.local;
  }

  get remoteAddress(): IpAddress {
    const c = this.connection;
    return c !== null && c.row >= 0 ? this.tcp.tuples.remote(c.tuple) : this.remote;
  }

  get state(): State {
    if (this.listening !== null) return State.LISTEN;
    return this.connection === null ? State.CLOSED : this.connection.state;
  }

  /** The control block, to be read (RFC 9293 §3.10.6, STATUS); null before there is one. */
  get status(): Readonly<Connection> | null {
    return this.connection;
  }

  /** A dual-stack listener (domain 6 without IPV6_V6ONLY) takes IPv4 too. */
  get acceptsIpv4(): boolean {
    return this.domain === 4 || this.options.ipv6Only === 0;
  }

  /** As listen(2) has granted it; 0 where nobody listens. */
  get backlog(): number {
    return this.listening?.backlog ?? 0;
  }

  /** Connections that wait to be accepted. */
  get waiting(): number {
    return this.listening?.queue.length ?? 0;
  }

  /** Whether there is a connection that is not over. */
  protected get isLive(): boolean {
    return this.connection !== null && this.connection.row >= 0;
  }

  /** Whether an urgent byte lies ahead of the reader, or behind what it read last. */
  get hasUrgent(): boolean {
    return (this.connection?.receiveBuffer?.urgent ?? 0) !== 0;
  }

  /** sockatmark(3): what was read last ends before the urgent byte. */
  get atMark(): boolean {
    return this.connection !== null && isAtMark(this.connection);
  }

  /** Whether an urgent pointer has come since the last call: what SIGURG tells. */
  takeUrgentNews(): boolean {
    const c = this.connection;
    return c !== null && takeUrgentNews(c);
  }

  /** The peer has not answered R1 retransmissions (RFC 9293 §3.8.3), nor anything since. */
  get isSilent(): boolean {
    return this.connection !== null && isSilent(this.tcp, this.connection);
  }

  /**
   * After close(2) with SO_LINGER: data or the FIN is unacknowledged, and a blocking call would
   * wait (at most as long as the option says).
   */
  get lingers(): boolean {
    const c = this.connection;
    return this.closed && this.options.linger > 0 && c !== null && isClosing(c.state);
  }

  /** poll(2). */
  poll(): number {
    if (this.listening !== null) return this.waiting > 0 ? Poll.IN : 0;
    const c = this.connection;
    const ended = c !== null && c.has(Has.EndOfStream);
    const shut = ended ? this.shut | Shut.Receive : this.shut;
    let mask = this.error !== 0 || this.errors !== null ? Poll.ERR : 0;
    if (shut === Shut.Both || !this.isLive) mask |= Poll.HUP;
    if ((shut & Shut.Receive) !== 0) mask |= Poll.IN | Poll.RDHUP;
    if (c?.state === State.SYN_SENT || c?.state === State.SYN_RECEIVED) return mask;
    if (c !== null && isReadable(c, this.available)) mask |= Poll.IN;
    if (c !== null && hasUrgentByte(c)) mask |= Poll.PRI;
    if ((shut & Shut.Send) !== 0 || c === null || isWritable(this.tcp, c)) mask |= Poll.OUT;
    return mask;
  }

  /** Why the connection ended, once; 0. */
  takeError(): number {
    const error = this.error;
    this.error = 0;
    return error;
  }

  /** SO_ERROR: the same; without one what ICMP has said of a connection that goes on, once. */
  takeSoError(): number {
    const error = this.takeError();
    const c = this.connection;
    if (error !== 0 || c === null) return error;
    const soft = c.softError;
    c.softError = 0;
    return soft;
  }

  /** Called by TCP: the program may read what ICMP says, beside being told of the error. */
  keepError(error: IcmpError, errno: number): void {
    this.errors ??= new ErrorQueue();
    this.errors.add(error, errno, quotedSegment(error), 2 * this.options.receiveBuffer);
    if (this.errors.errno === 0) this.errors = null;
  }

  /**
   * recvmsg(2) with MSG_ERRQUEUE, which never waits: the oldest error that is kept, or -EAGAIN.
   * Then `takeError` tells of the next one, or nothing.
   */
  takeKeptError(): QueuedError | number {
    if (this.closed) return -Errno.EBADF;
    const first = this.errors?.shift() ?? null;
    if (first === null) return -Errno.EAGAIN;
    this.error = this.errors?.errno ?? 0;
    if (this.error === 0) this.errors = null;
    return first;
  }

  /** What `takeError` would tell, and it stays. */
  get pendingError(): number {
    return this.error;
  }

  /** Bytes that have come in order, and wait. */
  protected get readable(): number {
    return this.connection?.receiveBuffer?.readable ?? 0;
  }

  /** Those that `receive` can give, by more than one call where urgent data is ahead. */
  get available(): number {
    return this.connection === null ? 0 : available(this.connection);
  }

  /** SIOCINQ: bytes that can be read, up to the urgent one. */
  get inQueue(): number {
    return this.connection === null ? 0 : bytesToMark(this.connection);
  }

  /** SIOCOUTQ: bytes that the peer has not acknowledged. */
  get outQueue(): number {
    return this.connection?.queued ?? 0;
  }

  /** SIOCOUTQNSD: bytes not yet sent. */
  get outQueueUnsent(): number {
    const c = this.connection;
    return c === null || c.row < 0 ? 0 : c.unsent;
  }

  /** Bytes that `send` takes now. */
  get sendSpace(): number {
    const c = this.connection;
    if (c === null || !canSend(c.state)) return 0;
    return Math.max(c.sndBuf - c.queued, 0);
  }

  /**
   * How many of `length` bytes to be sent keep SocketOption.NotSentLowWater, which `send` exceeds
   * by a packet, as Linux does. Where it isn't all of them, `Poll.OUT` comes as after -EAGAIN.
   */
  withinUnsentLimit(length: number): number {
    const c = this.connection;
    return c === null || !canSend(c.state) ? length : withinUnsentLimit(this.tcp, c, length);
  }

  /** TCP_INFO; of a connection that is over its last values. */
  tcpInfo(): TcpInfo {
    if (this.listening !== null) return listenerInfo(this.tcp, this);
    return this.isLive
      ? tcpInfo(this.tcp, this.connection)
      : (this.lastInfo ?? tcpInfo(this.tcp, null));
  }

  setOption(option: SocketOption, value: number): number {
    if (this.closed) return -Errno.EBADF;
    const changed = withOption(this.options, option, value);
    if (changed === null) return -Errno.EINVAL;
    const isNew = changed !== this.options;
    this.options = changed;
    const isErrors =
      option === SocketOption.ReceiveErrors || option === SocketOption.ReceiveErrors6;
    if (isErrors && value === 0) this.errors = null;
    const c = this.connection;
    if (c === null || c.row < 0) return 0;
    c.options = changed;
    if (option === SocketOption.KeepAlive && isNew) armKeepAlive(this.tcp, c);
    if (option === SocketOption.KeepIdle) keepIdleChanged(this.tcp, c);
    bufferOptionChanged(this.tcp, c, option);
    if (option === SocketOption.MtuDiscover) noteFragmentation(this.tcp, c);
    releaseHeld(c, option);
    this.tcp.markReady(c);
    return 0;
  }

  /** Of the buffers' sizes what they have grown to. */
  getOption(option: SocketOption): number {
    return grownSize(this.connection, option) ?? optionValue(this.options, option);
  }

  /**
   * IP_MTU and IPV6_MTU: the largest packet that the path takes, bytes, or took when the connection
   * ended; -errno.
   */
  get pathMtu(): number {
    const c = this.connection;
    if (c === null || c.row < 0) return this.lastInfo?.tcpi_pmtu ?? -Errno.ENOTCONN;
    syncPathMtu(this.tcp, c);
    return c.pathMtu;
  }

  /** TCP_CONGESTION: the controller of that name, or the program's; -ENOENT: there is none. */
  setCongestion(which: string | CongestionController): number {
    if (this.closed) return -Errno.EBADF;
    const control = this.tcp.controllers.find(which);
    if (control === null) return -Errno.ENOENT;
    this.options = withCongestion(this.options, control);
    const c = this.connection;
    if (c === null || c.row < 0) return 0;
    c.options = this.options;
    if (c.congestion !== control) changeControl(c, control);
    return 0;
  }

  /** TCP_CONGESTION: the name of the controller. */
  get congestion(): string {
    return (this.connection ?? this.options).congestion.name;
  }

  /**
   * TCP_QUICKACK: what waits to be acknowledged is, now; not a lasting choice, as on Linux.
   * Deviation: before there is a connection it changes nothing.
   */
  setQuickAck(value: number): number {
    if (this.isLive) setQuickAck(this.tcp, this.connection as Connection, value);
    return this.closed ? -Errno.EBADF : 0;
  }
}
