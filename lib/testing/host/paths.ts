import type { Path, Paths } from '../../core/environment';
import { Errno } from '../../core/errno';
import { isLoopback, type IpAddress, type Prefix } from '../../core/ip/address';
import { AddressPaths } from '../../core/ip/paths';

/** As that of Linux's `lo`, bytes. */
const LOOPBACK_MTU = 65_536;

/** The ways of a simulated host: itself, and all others through its one cable, if it has one. */
export class HostPaths implements Paths {
  private readonly paths: AddressPaths;
  private wire: { readonly mtu: number } | null = null;

  constructor(prefixes: readonly Prefix[]) {
    this.paths = new AddressPaths(prefixes, LOOPBACK_MTU, LOOPBACK_MTU);
  }

  /** A cable was connected; its MTU may change. */
  connect(wire: { readonly mtu: number }): void {
    this.wire = wire;
  }

  /** Of the way to others, bytes. */
  get mtu(): number {
    return this.wire === null ? LOOPBACK_MTU : this.wire.mtu;
  }

  isLocal(address: IpAddress): boolean {
    return this.paths.isLocal(address);
  }

  /** `isLocal` of the address in four words from `at`. */
  isLocalAt(words: Int32Array, at: number): boolean {
    return this.paths.isLocalAt(words, at);
  }

  isBroadcast(address: IpAddress): boolean {
    return this.paths.isBroadcast(address);
  }

  route(remote: IpAddress, local: IpAddress | null): Path | number {
    this.paths.mtu = this.mtu;
    const path = this.paths.route(remote, local);
    return this.wire !== null || this.isLocal(remote) || typeof path === 'number'
      ? path
      : Errno.ENETUNREACH;
  }
  routeToMany(group: IpAddress, local: IpAddress | null): Path | number {
    this.paths.mtu = this.mtu;
    const path = this.paths.routeToMany(group, local);
    if (this.wire !== null || typeof path === 'number') return path;
    return isLoopback(path.source) ? path : Errno.ENETUNREACH;
  }
}
