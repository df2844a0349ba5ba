import { performance } from 'node:perf_hooks';
import type { Path, Paths } from '../core/environment';
import { Errno } from '../core/errno';
import {
  ANY4,
  type IpAddress,
  isIpv4,
  isMulticast,
  isWildcard,
  readAddress,
  sameAddress,
  writeAddress,
} from '../core/ip/address';
import { isAt } from '../core/ip/groups';
import { AddressKind, type NativeAddon, type NativeMonitor, type NativeRoutes } from './native';

// Taken at import, so that fake timers that are installed later don't reach the links.
const milliseconds = performance.now.bind(performance);

/** Places of a cache, a power of two. */
const PLACES = 256;

/** How long an answer holds at most, ms: a path's MTU changes without notice. */
const LIFETIME = 1000;

interface Answer<T> {
  generation: number;
  remote: IpAddress;
  /** ANY4 when it wasn't given. */
  local: IpAddress;
  value: T;
}

/**
 * Which addresses are the host's, and its routes, as the kernel says. Answers are kept until links,
 * addresses or routes change, and a second at most.
 */
export class HostPaths implements Paths {
  /** How often the kernel has told of changes. */
  changes = 0;
  private readonly routes: NativeRoutes;
  private readonly monitor: NativeMonitor;
  private readonly words = new Int32Array(9);
  private readonly address = new Int32Array(4);
  private readonly kinds: (Answer<AddressKind> | undefined)[] = new Array(PLACES).fill(undefined);
  private readonly paths: (Answer<Path | number> | undefined)[] = new Array(PLACES).fill(undefined);
  private generation = 1;
  private until = 0;

  /**
   * @param device interface that everything goes through; '': any
   * @param onChange called when the kernel has told of changes
   */
  constructor(
    addon: NativeAddon,
    device: string,
    private readonly onChange: () => void,
  ) {
    this.routes = new addon.Routes(device);
    this.monitor = new addon.Monitor(() => this.forget());
    // Without it (a sandbox, perhaps) answers still grow old.
    this.monitor.open();
  }

  isLocal(address: IpAddress): boolean {
    writeAddress(address, this.address, 0);
    return this.kindAt(this.address, 0) === AddressKind.Local;
  }

  isLocalAt(words: Int32Array, at: number): boolean {
    return this.kindAt(words, at) === AddressKind.Local;
  }

  isBroadcast(address: IpAddress): boolean {
    if (!isIpv4(address)) return false;
    writeAddress(address, this.address, 0);
    return this.kindAt(this.address, 0) === AddressKind.Broadcast;
  }

  route(remote: IpAddress, local: IpAddress | null): Path | number {
    if (isMulticast(remote)) return Errno.ENETUNREACH;
    const path = this.routeToMany(remote, local);
    return typeof path !== 'number' && this.isBroadcast(remote) ? Errno.ENETUNREACH : path;
  }

  routeToMany(remote: IpAddress, local: IpAddress | null): Path | number {
    this.age();
    const from = local === null || isWildcard(local) ? ANY4 : local;
    const place = placeOf(remote, from);
    const known = this.paths[place];
    if (
      known?.generation === this.generation &&
      sameAddress(known.remote, remote) &&
      sameAddress(known.local, from)
    ) {
      return known.value;
    }
    const value = this.find(remote, from);
    this.paths[place] = { generation: this.generation, remote, local: from, value };
    return value;
  }

  doubt(): void {
    this.generation++;
  }

  /** Index of the interface that has the address in four words; 0: none has. */
  interfaceOf(words: Int32Array): number {
    return this.routes.interfaceOf(words);
  }

  close(): void {
    this.monitor.close();
    this.routes.close();
  }

  /** An errno says nothing of the address: it is foreign then. */
  private kindAt(words: Int32Array, at: number): AddressKind {
    this.age();
    const place = placeOfWords(words, at);
    const known = this.kinds[place];
    if (known?.generation === this.generation && isAt(known.remote, words, at)) return known.value;
    const remote = readAddress(words, at);
    writeAddress(remote, this.address, 0);
    const value = Math.max(AddressKind.Foreign, this.routes.kindOf(this.address));
    this.kinds[place] = { generation: this.generation, remote, local: ANY4, value };
    return value;
  }

  private find(remote: IpAddress, local: IpAddress): Path | number {
    const { words } = this;
    writeAddress(remote, words, 0);
    writeAddress(local, words, 4);
    const failed = this.routes.find(words, local !== ANY4);
    return failed < 0 ? -failed : { source: readAddress(words, 4), mtu: words[8] };
  }

  private forget(): void {
    this.changes++;
    this.generation++;
    this.onChange();
  }

  private age(): void {
    const now = milliseconds();
    if (now < this.until) return;
    this.until = now + LIFETIME;
    this.generation++;
  }
}

function placeOfWords(words: Int32Array, at: number): number {
  const mixed = words[at] ^ words[at + 1] ^ words[at + 3];
  return (Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) >>> 13) & (PLACES - 1);
}

function placeOf(remote: IpAddress, local: IpAddress): number {
  const mixed = remote.w0 ^ remote.w1 ^ remote.w3 ^ Math.imul(local.w3 ^ local.w1, 0x9e3779b1);
  const folded = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return (folded >>> 13) & (PLACES - 1);
}
