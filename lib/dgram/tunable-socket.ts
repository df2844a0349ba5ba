import { EventEmitter } from 'node:events';
import { Errno } from '../core/errno';
import type { IpAddress } from '../core/ip/address';
import { ANY4, ANY6, isIpv4, isMulticast, isWildcard, parseAddress } from '../core/ip/address';
import { DatagramOption } from '../core/socket/datagram-options';
import type { DatagramSocket } from '../core/socket/datagram-socket';
import type { Driver } from '../driver/driver';
import { systemError } from '../errors';
import { expectNumber, expectString } from './arguments';
import { badBufferSize, bufferSizeFailed, missingArgument, notRunning } from './errors';
import type { SocketEvents } from './types';

/** 'fe80::1%eth0' without the zone: a stack has one link. */
function parseScoped(text: string): IpAddress | null {
  return parseAddress(text.includes(':') ? text.replace(/%.*$/, '') : text);
}

/** The address that says by which interface; as in libuv of the group's family, else null. */
function parseInterface(text: unknown, group: IpAddress): IpAddress | null {
  if (text === undefined || text === null) return isIpv4(group) ? ANY4 : ANY6;
  const own = parseScoped(String(text));
  return own !== null && isIpv4(own) === isIpv4(group) ? own : null;
}

/** The part of node:dgram's `Socket` that sets options of a socket that is bound. */
export abstract class TunableSocket extends EventEmitter<SocketEvents> {
  /** @internal The stack's socket; null before it is bound. */
  protected abstract readonly stream: DatagramSocket | null;
  /** @internal */
  protected abstract readonly driver: Driver;
  /** @internal */
  protected abstract readonly isClosed: boolean;

  /** @internal As `stream`; one that isn't bound is, to a port that the stack chooses. */
  protected abstract bindForGroup(): DatagramSocket | number;

  /** @internal @throws Error ERR_SOCKET_DGRAM_NOT_RUNNING */
  protected expectRunning(): void {
    if (this.isClosed) throw notRunning();
  }

  #set(call: string, option: DatagramOption, value: number): void {
    this.expectRunning();
    this.driver.enter();
    const result = this.stream?.setOption(option, value) ?? -Errno.EBADF;
    if (result < 0) throw systemError(-result, call);
  }

  /**
   * Allows sending to all hosts (SO_BROADCAST).
   * @throws Error EBADF when it isn't bound, ERR_SOCKET_DGRAM_NOT_RUNNING, as all of these setters
   */
  setBroadcast(flag: boolean): void {
    this.#set('setBroadcast', DatagramOption.Broadcast, flag ? 1 : 0);
  }

  /** Hops that a packet may make, 1 to 255; returns it. @throws Error EINVAL */
  setTTL(ttl: number): number {
    expectNumber('ttl', ttl);
    this.#setHops('setTTL', DatagramOption.Ttl, 1, ttl | 0);
    return ttl;
  }

  /** Hops of a packet to a group, 0 to 255; 0: to none but this stack. @throws Error EINVAL */
  setMulticastTTL(ttl: number): number {
    expectNumber('ttl', ttl);
    this.#setHops('setMulticastTTL', DatagramOption.MulticastTtl, 0, ttl | 0);
    return ttl;
  }

  /** As libuv: what there can't be is told first, on a socket that isn't bound, too. */
  #setHops(call: string, option: DatagramOption, least: number, hops: number): void {
    this.expectRunning();
    if (hops < least || hops > 255) throw systemError(Errno.EINVAL, call);
    this.#set(call, option, hops);
  }

  /** Whether what is sent to a group comes to sockets of this stack, too: the default. */
  setMulticastLoopback(flag: boolean): boolean {
    this.#set('setMulticastLoopback', DatagramOption.MulticastLoop, flag ? 1 : 0);
    return flag;
  }

  /**
   * By which of our addresses groups are reached; '0.0.0.0' or '::' leaves it to the routes.
   * @throws Error EINVAL, EADDRNOTAVAIL, ENOPROTOOPT for an IPv6 address where the type is 'udp4'
   */
  setMulticastInterface(interfaceAddress: string): void {
    this.expectRunning();
    expectString('interfaceAddress', interfaceAddress);
    this.driver.enter();
    const result = this.#setInterface(interfaceAddress);
    if (result < 0) throw systemError(-result, 'setMulticastInterface');
  }

  #setInterface(text: string): number {
    const address = parseScoped(text);
    if (address === null) return -Errno.EINVAL;
    const { stream } = this;
    if (stream === null) return -Errno.EBADF;
    if (stream.domain === 4 && !isIpv4(address)) return -Errno.ENOPROTOOPT;
    return stream.setMulticastInterface(address);
  }

  /**
   * Joins a group (IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP); binds a socket that isn't bound.
   * @param multicastInterface one of our addresses, which says by which interface of the host where
   *   the link is a raw one; else it has no effect
   * @throws TypeError ERR_MISSING_ARGS; Error EINVAL, ENODEV, EADDRINUSE when it is in it,
   *   ENOBUFS beyond 20 groups
   */
  addMembership(multicastAddress: string, multicastInterface?: string): void {
    this.#changeMembership('addMembership', multicastAddress, multicastInterface);
  }

  /** Leaves it. @throws Error EADDRNOTAVAIL when it isn't in it */
  dropMembership(multicastAddress: string, multicastInterface?: string): void {
    this.#changeMembership('dropMembership', multicastAddress, multicastInterface);
  }

  #changeMembership(
    call: 'addMembership' | 'dropMembership',
    group: string,
    at: string | undefined,
  ): void {
    this.expectRunning();
    if (!group) throw missingArgument('multicastAddress');
    this.driver.enter();
    const result = this.#membership(call, parseScoped(String(group)), at);
    if (result < 0) throw systemError(-result, call);
  }

  #membership(call: string, group: IpAddress | null, at: string | undefined): number {
    if (group === null) return -Errno.EINVAL;
    const own = parseInterface(at, group);
    if (own === null) return -Errno.EINVAL;
    const stream = this.bindForGroup();
    if (typeof stream === 'number') return stream;
    const isFour = isIpv4(group);
    if (stream.domain === 4 && !isFour) return -Errno.ENOPROTOOPT;
    const isOurs = isWildcard(own) || this.driver.environment.paths.isLocal(own);
    // As on Linux an IPv6 address, without a zone, doesn't say by which interface.
    const local = isWildcard(own) || !(isOurs || isFour) ? null : own;
    if (call === 'addMembership') {
      const isMissing = isFour && !isOurs && isMulticast(group);
      return isMissing ? -Errno.ENODEV : stream.groups.join(group, local);
    }
    const left = stream.groups.leave(group, local);
    // As on Linux a group that one isn't in isn't looked at.
    return left === -Errno.EINVAL ? -Errno.EADDRNOTAVAIL : left;
  }

  /**
   * A stack has no filters by source.
   * @throws Error ENOPROTOOPT, EINVAL for what is no address or no group; TypeError
   *   ERR_INVALID_ARG_TYPE
   */
  addSourceSpecificMembership(
    sourceAddress: string,
    groupAddress: string,
    multicastInterface?: string,
  ): void;
  addSourceSpecificMembership(sourceAddress: string, groupAddress: string): void {
    this.#refuseSource('addSourceSpecificMembership', sourceAddress, groupAddress);
  }

  /** As `addSourceSpecificMembership`. */
  dropSourceSpecificMembership(
    sourceAddress: string,
    groupAddress: string,
    multicastInterface?: string,
  ): void;
  dropSourceSpecificMembership(sourceAddress: string, groupAddress: string): void {
    this.#refuseSource('dropSourceSpecificMembership', sourceAddress, groupAddress);
  }

  #refuseSource(call: string, source: string, group: string): void {
    this.expectRunning();
    expectString('sourceAddress', source);
    expectString('groupAddress', group);
    const [from, to] = [parseScoped(source), parseScoped(group)];
    const isRight = from !== null && to !== null && isIpv4(from) === isIpv4(to) && isMulticast(to);
    throw systemError(isRight ? Errno.ENOPROTOOPT : Errno.EINVAL, call);
  }

  /**
   * SO_RCVBUF, bytes, as Linux tells it: with a packet's overhead.
   * @throws Error ERR_SOCKET_BUFFER_SIZE when it isn't bound
   */
  getRecvBufferSize(): number {
    return this.#bufferSize('recv', 0);
  }

  /** SO_SNDBUF, likewise. */
  getSendBufferSize(): number {
    return this.#bufferSize('send', 0);
  }

  /**
   * @param size bytes; what the buffer gets is twice that, 2304 at least, 425984 at most; 0: no
   *   change
   * @throws TypeError ERR_SOCKET_BAD_BUFFER_SIZE; Error ERR_SOCKET_BUFFER_SIZE
   */
  setRecvBufferSize(size: number): void {
    this.#bufferSize('recv', size);
  }

  /** @param size bytes; likewise, and 4608 at least */
  setSendBufferSize(size: number): void {
    this.#bufferSize('send', size);
  }

  #bufferSize(which: 'recv' | 'send', size: number): number {
    if (size >>> 0 !== size) throw badBufferSize();
    this.expectRunning();
    const { stream } = this;
    if (stream === null) throw bufferSizeFailed(Errno.EBADF, which);
    if (size > 0x7fffffff) throw bufferSizeFailed(Errno.EINVAL, which);
    const option = which === 'recv' ? DatagramOption.ReceiveBuffer : DatagramOption.SendBuffer;
    if (size > 0) stream.setOption(option, size);
    return stream.getOption(option);
  }
}
