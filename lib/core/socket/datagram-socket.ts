import type { Path } from '../environment';
import { Errno } from '../errno';
import { quotedSegment, type IcmpError } from '../icmp/icmp-error';
import {
  ANY4,
  ANY6,
  isIpv4,
  isMulticast,
  isUnicast,
  isWildcard,
  LOOPBACK4,
  LOOPBACK6,
  writeAddress,
  type IpAddress,
} from '../ip/address';
import { isBroadcast, isOurs } from '../ip/addresses';
import { truesize } from '../memory/truesize';
import type { DatagramInfo } from '../udp/datagram-info';
import { DatagramQueue } from '../udp/datagram-queue';
import { findWay, pathMtu } from '../udp/way';
import { Out, SendQueue } from '../udp/send-queue';
import type { Udp } from '../udp/udp';
import { countUdp } from '../udp/udp-counters';
import { SocketGroups } from './datagram-groups';
import {
  datagramOption,
  DatagramOption,
  DatagramOptions,
  setDatagramOption,
} from './datagram-options';
import { ErrorQueue, type QueuedError } from './error-queue';
import { Poll, Shut } from './socket-status';
import type { Shutdown } from './stream-socket';

/** Flags of `receive`, by Linux's values. */
export const enum Message {
  /** MSG_PEEK: the datagram stays. */
  Peek = 0x02,
  /** MSG_TRUNC: the length of the whole datagram is told. */
  Truncate = 0x20,
}

/** Bytes of UDP's header. */
const HEADER = 8;
/** The length field of UDP holds no more, bytes. */
const MAX_LENGTH = 0xffff;

/**
 * A UDP socket as the system calls know it, never blocking. Each call returns 0 or more, or minus
 * Linux's errno. `owner` is free for the layer above.
 */
export class DatagramSocket {
  owner: unknown = null;
  /** In the stack's queue of sockets with something to tell. */
  hasEvent = false;
  nextEvent: DatagramSocket | null = null;
  /** In UDP's queue of sockets with something to send. */
  isReady = false;
  nextReady: DatagramSocket | null = null;

  readonly options: DatagramOptions;
  readonly groups: SocketGroups;
  /** What waits to be sent, also after close(2). */
  readonly outgoing: SendQueue;
  /** Where bound, or the source that connect(2) has chosen; else a wildcard. */
  localAddress: IpAddress;
  /** 0: not bound, or to every port that no other is bound to. */
  localPort = 0;
  remoteAddress: IpAddress;
  remotePort = 0;
  isConnected = false;
  /** Datagrams for which the receive buffer had no room. */
  drops = 0;
  /** Identification of the last packet with DF, 16 bits. */
  ipId = 0;

  private readonly arrived: DatagramQueue;
  private closed = false;
  private shut = 0;
  private error = 0;
  /** For MSG_ERRQUEUE; null: none. */
  private errors: ErrorQueue | null = null;
  /** The address that the program has bound; null: the family's wildcard. */
  private bound: IpAddress | null = null;
  /** The program has chosen the port. */
  private isPortChosen = false;
  /** IP_MULTICAST_IF; null: as the routes have it. */
  private multicastSource: IpAddress | null = null;
  /** The options with which the port was taken. */
  private held: DatagramOptions | null = null;

  constructor(
    private readonly udp: Udp,
    readonly domain: 4 | 6,
  ) {
    this.options = new DatagramOptions(udp.settings.ttl);
    this.groups = new SocketGroups(udp.groups, this.options);
    this.arrived = new DatagramQueue(udp.arena);
    this.outgoing = new SendQueue(udp.pool);
    this.localAddress = this.remoteAddress = this.wildcard;
  }

  private get wildcard(): IpAddress {
    return this.domain === 4 ? ANY4 : ANY6;
  }

  /** Takes IPv4 too: domain 6 without IPV6_V6ONLY does. */
  get acceptsIpv4(): boolean {
    return this.domain === 4 || this.options.ipv6Only === 0;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** bind(2). Port 0 takes an ephemeral port; the address may be a group or a broadcast address. */
  bind(address: IpAddress, port: number): number {
    const refused = this.mayBind(address);
    if (refused < 0) return refused;
    const taken = this.takePort(address, port);
    if (taken < 0) return taken;
    if (!isWildcard(address)) this.bound = address;
    this.isPortChosen = port !== 0;
    return 0;
  }

  /**
   * bind(2) to every port that no other socket is bound to, for datagrams to this host alone.
   * `DatagramInfo` tells to whom each was sent; `sendFrom` answers from there. -EOPNOTSUPP where
   * the link shares its ports.
   */
  bindAnyPort(address: IpAddress): number {
    const refused = this.mayBind(address);
    if (refused < 0) return refused;
    const taken = this.udp.ports.bindAnyPort(this.domain, address, this.options);
    if (taken < 0) return taken;
    if (!isWildcard(address)) this.bound = address;
    this.isPortChosen = true;
    return this.hold(address, 0);
  }

  private mayBind(address: IpAddress): number {
    if (this.closed) return -Errno.EBADF;
    if (!this.fits(address)) return -Errno.EAFNOSUPPORT;
    const { paths } = this.udp.environment;
    const known = isWildcard(address) || isMulticast(address) || isOurs(paths, address);
    if (!known && !isBroadcast(paths, address)) return -Errno.EADDRNOTAVAIL;
    return this.isBound ? -Errno.EINVAL : 0;
  }

  /** It has a port, or any. */
  get isBound(): boolean {
    return this.held !== null;
  }

  private get isOnAnyPort(): boolean {
    return this.held !== null && this.localPort === 0;
  }

  private takePort(address: IpAddress, port: number): number {
    const taken = this.udp.ports.bind(this.domain, address, port, this.options);
    return taken < 0 ? taken : this.hold(address, taken);
  }

  private hold(address: IpAddress, taken: number): number {
    this.held = { ...this.options };
    this.localAddress = address;
    this.localPort = taken;
    this.udp.table.add(this);
    return 0;
  }

  /** Before the first datagram; -EAGAIN where no port is left, as Linux has it. */
  private autobind(): number {
    if (this.isBound) return 0;
    const taken = this.takePort(this.bound ?? this.wildcard, 0);
    return taken === -Errno.EADDRINUSE ? -Errno.EAGAIN : taken;
  }

  private releasePort(): void {
    if (this.held === null) return;
    this.udp.table.remove(this);
    this.udp.ports.unbind(this.domain, this.bound ?? this.wildcard, this.localPort, this.held);
    this.held = null;
    this.localPort = 0;
  }

  /**
   * connect(2): the peer, from whom alone datagrams come, and to whom `send` goes. It may be called
   * again.
   */
  connect(address: IpAddress, port: number): number {
    if (this.closed) return -Errno.EBADF;
    if (!this.fits(address)) return -Errno.EAFNOSUPPORT;
    if (this.isOnAnyPort) return -Errno.EINVAL;
    const taken = this.autobind();
    if (taken < 0) return taken;
    const remote = this.meant(address);
    if (isIpv4(remote) && !this.acceptsIpv4) return -Errno.ENETUNREACH;
    const path = this.route(remote, this.localAddress);
    if (typeof path === 'number') return -path;
    if (this.isForbidden(remote)) return -Errno.EACCES;
    this.udp.table.remove(this);
    if (!isUnicast(this.localAddress)) this.localAddress = path.source;
    this.setRemote(remote, port, true);
    return 0;
  }

  /** connect(2) with AF_UNSPEC: there is no peer any more, nor what connect has chosen. */
  disconnect(): number {
    if (this.closed) return -Errno.EBADF;
    if (!this.isBound || this.isOnAnyPort) return 0;
    this.udp.table.remove(this);
    this.localAddress = this.bound ?? this.wildcard;
    this.setRemote(this.wildcard, 0, false);
    if (!this.isPortChosen) this.releasePort();
    return 0;
  }

  private setRemote(remote: IpAddress, port: number, isConnected: boolean): void {
    this.remoteAddress = remote;
    this.remotePort = port;
    this.isConnected = isConnected;
    this.udp.table.add(this);
  }

  /**
   * sendto(2): takes one datagram, which is copied.
   * @param to null: the peer of `connect`
   * @returns its length; -EAGAIN: the send buffer is full (then `poll` tells when it isn't)
   */
  send(
    bytes: Uint8Array,
    offset: number,
    length: number,
    to: IpAddress | null = null,
    port = 0,
  ): number {
    const refused = this.begin(length, to, port);
    if (refused < 0) return refused;
    this.outgoing.append(bytes, offset, length);
    this.udp.markReady(this);
    return length;
  }

  /**
   * Answers from the end that a datagram was sent to, for a socket on any port: -EINVAL for others,
   * and for port 0; -EADDRNOTAVAIL for an address that isn't the stack's.
   */
  sendFrom(
    from: IpAddress,
    fromPort: number,
    parts: readonly Uint8Array[],
    to: IpAddress,
    port: number,
  ): number {
    if (!this.isOnAnyPort) return this.closed ? -Errno.EBADF : -Errno.EINVAL;
    const length = lengthOf(parts);
    const refused = this.begin(length, to, port, from, fromPort);
    return refused < 0 ? refused : this.finish(parts, length);
  }

  /** sendmsg(2): the same with a datagram in several parts. */
  sendParts(parts: readonly Uint8Array[], to: IpAddress | null = null, port = 0): number {
    const length = lengthOf(parts);
    const refused = this.begin(length, to, port);
    return refused < 0 ? refused : this.finish(parts, length);
  }

  /** Brings the bytes of what `begin` has taken. */
  private finish(parts: readonly Uint8Array[], length: number): number {
    for (const part of parts) this.outgoing.append(part, 0, part.length);
    this.udp.markReady(this);
    return length;
  }

  /** Looks whether a datagram may be sent, and puts all but its bytes into the queue. */
  private begin(
    length: number,
    to: IpAddress | null,
    port: number,
    from: IpAddress | null = null,
    fromPort = 0,
  ): number {
    if (this.closed) return -Errno.EBADF;
    if (fromPort === 0 && this.isOnAnyPort) return -Errno.EINVAL;
    if (length > MAX_LENGTH) return -Errno.EMSGSIZE;
    if (to !== null && !this.fits(to)) return -Errno.EAFNOSUPPORT;
    if (to !== null && port === 0) return -Errno.EINVAL;
    if (to === null && !this.isConnected) return -Errno.EDESTADDRREQ;
    const taken = this.autobind();
    if (taken < 0) return taken;
    const remote = to === null ? this.remoteAddress : this.meant(to);
    if (isIpv4(remote) && !this.acceptsIpv4) return -Errno.ENETUNREACH;
    const path = this.route(remote, from ?? this.localAddress);
    if (typeof path === 'number') return this.udp.noRoute(isIpv4(remote), path);
    if (this.isForbidden(remote)) return -Errno.EACCES;
    const tooLong = findWay(this.udp, this.options, path, remote, length);
    if (tooLong !== 0) return tooLong;
    if (this.error !== 0) return -this.takeError();
    if ((this.shut & Shut.Send) !== 0) return -Errno.EPIPE;
    if (this.outgoing.held >= this.options.sendBuffer) {
      countUdp(this.udp.counters, isIpv4(remote), 'sndbufErrors');
      return -Errno.EAGAIN;
    }
    const row = this.outgoing.push(length);
    const { words } = this.outgoing.rows;
    writeAddress(path.source, words, row + Out.Source);
    writeAddress(remote, words, row + Out.Destination);
    words[row + Out.SourcePort] = fromPort === 0 ? this.localPort : fromPort;
    words[row + Out.DestinationPort] = to === null ? this.remotePort : port;
    words[row + Out.Header] = this.udp.way.hopLimit | (this.options.trafficClass << 8);
    words[row + Out.Flags] = this.udp.way.flags;
    words[row + Out.Mtu] = this.udp.way.mtu;
    return 0;
  }

  /** The way to a peer, a group, or all hosts; an errno. */
  private route(remote: IpAddress, from: IpAddress): Path | number {
    const { paths } = this.udp.environment;
    const local = isUnicast(from) ? from : null;
    const isGroup = isMulticast(remote);
    if (!isGroup && !isBroadcast(paths, remote)) return paths.route(remote, local);
    const source = local ?? (isGroup ? this.multicastSource : null);
    return paths.routeToMany?.(remote, source) ?? paths.route(remote, source);
  }

  /** The address of no host stands for this one, as BSD has it. */
  private meant(address: IpAddress): IpAddress {
    if (!isWildcard(address)) return address;
    if (!isIpv4(address)) return LOOPBACK6;
    return isUnicast(this.localAddress) ? this.localAddress : LOOPBACK4;
  }

  /** All hosts are only for who has SO_BROADCAST. */
  private isForbidden(remote: IpAddress): boolean {
    return this.options.broadcast === 0 && isBroadcast(this.udp.environment.paths, remote);
  }

  /**
   * recvmsg(2): copies the oldest datagram, as far as there is room; the rest of it is lost.
   * @param flags `Message` bits
   * @param info told of the datagram, if given
   * @returns bytes copied; with `Message.Truncate` the length of the whole datagram
   */
  receive(
    into: Uint8Array,
    offset: number,
    length: number,
    flags = 0,
    info: DatagramInfo | null = null,
  ): number {
    const refused = this.beforeReading(info);
    if (refused !== 0) return refused;
    const whole = this.arrived.nextLength;
    const bytes = this.arrived.peek(into, offset, length);
    if (info !== null) info.truncated = bytes < whole;
    if ((flags & Message.Peek) === 0) {
      this.countRead();
      this.arrived.shift();
    }
    return (flags & Message.Truncate) !== 0 ? whole : bytes;
  }

  /** The oldest datagram without a copy: it is the caller's now. */
  take(info: DatagramInfo | null = null): Uint8Array | number {
    const refused = this.beforeReading(info);
    if (refused !== 0) return refused;
    if (info !== null) info.truncated = false;
    this.countRead();
    return this.arrived.take();
  }

  private beforeReading(info: DatagramInfo | null): number {
    if (this.closed) return -Errno.EBADF;
    if (this.error !== 0) return -this.takeError();
    if (this.arrived.count === 0) return -Errno.EAGAIN;
    if (info !== null) this.arrived.describe(info);
    return 0;
  }

  /** As on Linux a datagram counts when it is read. */
  private countRead(): void {
    countUdp(this.udp.counters, this.arrived.isIpv4, 'inDatagrams');
  }

  /** FIONREAD: bytes of the oldest datagram; 0 also where there is none. */
  get inQueue(): number {
    return this.arrived.nextLength;
  }

  /** Memory of what can be read, as Linux counts it (SK_MEMINFO_RMEM_ALLOC), bytes. */
  get receiveMemory(): number {
    return this.arrived.held;
  }

  /** Datagrams that can be read. */
  get waiting(): number {
    return this.arrived.count;
  }

  /** poll(2). */
  poll(): number {
    let mask = this.error !== 0 || this.errors !== null ? Poll.ERR : 0;
    if ((this.shut & Shut.Receive) !== 0) mask |= Poll.IN | Poll.RDHUP;
    if (this.shut === Shut.Both) mask |= Poll.HUP;
    if (this.arrived.count > 0) mask |= Poll.IN;
    if (this.isWritable) mask |= Poll.OUT;
    return mask;
  }

  /** Less than half of the send buffer is full. */
  get isWritable(): boolean {
    return this.outgoing.held < this.options.sendBuffer >> 1;
  }

  /** SO_ERROR: what ICMP has said, once; 0. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }

  /**
   * recvmsg(2) with MSG_ERRQUEUE, where IP_RECVERR is on: the oldest error that is kept, or
   * -EAGAIN. Then `takeError` tells of the next one, or nothing.
   */
  takeKeptError(): QueuedError | number {
    if (this.closed) return -Errno.EBADF;
    const first = this.errors?.shift() ?? null;
    if (first === null) return -Errno.EAGAIN;
    this.error = this.errors?.errno ?? 0;
    if (this.error === 0) this.errors = null;
    return first;
  }

  /** IP_MTU: of the way to the peer, with what routers have said of it, bytes; -ENOTCONN. */
  get pathMtu(): number {
    if (!this.isConnected) return -Errno.ENOTCONN;
    const path = this.route(this.remoteAddress, this.localAddress);
    return typeof path === 'number' ? -path : pathMtu(this.udp, path, this.remoteAddress);
  }

  /** shutdown(2): without a peer it is noted, and fails. */
  shutdown(how: Shutdown): number {
    if (this.closed) return -Errno.EBADF;
    this.shut |= how + 1;
    this.udp.notify(this);
    return this.isConnected ? 0 : -Errno.ENOTCONN;
  }

  /** close(2): what was sent still leaves. */
  close(): number {
    if (this.closed) return -Errno.EBADF;
    this.closed = true;
    this.groups.leaveAll();
    this.releasePort();
    this.arrived.clear();
    return 0;
  }

  setOption(option: DatagramOption, value: number): number {
    if (this.closed) return -Errno.EBADF;
    // Linux: the family is chosen before a port is.
    if (option === DatagramOption.Ipv6Only && this.isBound) return -Errno.EINVAL;
    if (option === DatagramOption.ReceiveErrors && value === 0) this.errors = null;
    return setDatagramOption(this.options, option, value) ? 0 : -Errno.EINVAL;
  }

  getOption(option: DatagramOption): number {
    return datagramOption(this.options, option);
  }

  /** IP_MULTICAST_IF: by which of our addresses groups are reached; a wildcard: by any. */
  setMulticastInterface(address: IpAddress): number {
    if (this.closed) return -Errno.EBADF;
    const isAny = isWildcard(address);
    if (!isAny && !isOurs(this.udp.environment.paths, address)) return -Errno.EADDRNOTAVAIL;
    this.multicastSource = isAny ? null : address;
    return 0;
  }

  /** Called by UDP: a datagram for this socket. Whether there was room. */
  arrives(words: Int32Array, base: number, bytes: Uint8Array, at: number, length: number): boolean {
    const { held } = this.arrived;
    if (held > 0 && held + truesize(length) > this.options.receiveBuffer) {
      this.drops++;
      return false;
    }
    this.arrived.push(words, base, bytes, at, length);
    this.udp.notify(this);
    return true;
  }

  /** Called by UDP: ICMP has something to say of what this socket has sent. */
  report(error: number): void {
    this.error = error;
    this.udp.notify(this);
  }

  /** Called by UDP: the program may read what ICMP says, beside being told of the error. */
  keepError(error: IcmpError, errno: number): void {
    this.errors ??= new ErrorQueue();
    const told = quotedSegment(error).subarray(HEADER);
    this.errors.add(error, errno, told, this.options.receiveBuffer);
    if (this.errors.errno === 0) this.errors = null;
  }

  private fits(address: IpAddress): boolean {
    return this.domain === 6 || isIpv4(address);
  }
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}
