import { Errno } from '../core/errno';
import type { GroupAuthority } from '../core/environment';
import { type IpAddress, formatAddress, isIpv4, writeAddress } from '../core/ip/address';
import { GuardPorts, type GuardPortsOptions, rangesOf } from './guard-ports';
import { GuardForm, type NativeAddon, type NativeDevice } from './native';

export type DatagramDevice = Pick<NativeDevice, 'setPorts' | 'openDatagrams'>;

/** One membership of the system's for us, and how often it was asked for. */
interface Membership {
  readonly number: number;
  members: number;
}

/**
 * UDP's local ports on the host's own addresses, and its multicast groups. Each port that is bound
 * has a guard of its own, also an ephemeral one: it is any free port of tens of thousands, as a
 * guess at it has to be hard where there is no sequence number (RFC 5452 §9.2). The raw sockets for
 * UDP are opened with the first port.
 */
export class DatagramPorts extends GuardPorts implements GroupAuthority {
  private readonly candidates: readonly number[];
  private readonly memberships = new Map<string, Membership>();

  /** @param interfaceOf index of the interface that has an address; 0: none has */
  constructor(
    addon: NativeAddon,
    private readonly datagrams: DatagramDevice,
    options: Omit<GuardPortsOptions, 'form' | 'protocol' | 'block' | 'max'>,
    private readonly interfaceOf: (words: Int32Array) => number,
  ) {
    const all = { ...options, form: GuardForm.Datagram, protocol: 17, block: 1, max: 0 } as const;
    super(addon, datagrams, all);
    this.candidates = rangesOf(all).flatMap(([first, last]) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i),
    );
  }

  override reserve(local: IpAddress, port: number): number {
    const family = isIpv4(local) ? 4 : 6;
    const { families, device } = this.options;
    if (!families.includes(family)) return Errno.EAFNOSUPPORT;
    const failed = this.datagrams.openDatagrams(family, device);
    return failed < 0 ? -failed : super.reserve(local, port);
  }

  override ephemeralCount(family: 4 | 6): number {
    return this.options.families.includes(family) ? this.candidates.length : 0;
  }

  override ephemeralPort(_family: 4 | 6, index: number): number {
    return this.candidates[index];
  }

  override growEphemeral(): boolean {
    return false;
  }

  join(group: IpAddress, local: IpAddress | null): number {
    const key = keyOf(group, local);
    const known = this.memberships.get(key);
    if (known !== undefined) {
      known.members++;
      return 0;
    }
    const index = local === null ? 0 : this.interfaceOf(wordsOf(local));
    if (local !== null && index === 0) return Errno.EADDRNOTAVAIL;
    const number = this.guards.join(wordsOf(group), index);
    if (number < 0) return -number;
    this.memberships.set(key, { number, members: 1 });
    return 0;
  }

  leave(group: IpAddress, local: IpAddress | null): void {
    const key = keyOf(group, local);
    const known = this.memberships.get(key);
    if (known === undefined || --known.members > 0) return;
    this.memberships.delete(key);
    this.guards.close(known.number);
  }

  override close(): void {
    this.memberships.clear();
    super.close();
  }
}

function keyOf(group: IpAddress, local: IpAddress | null): string {
  return `${formatAddress(group)} ${local === null ? '' : formatAddress(local)}`;
}

function wordsOf(address: IpAddress): Int32Array {
  const words = new Int32Array(4);
  writeAddress(address, words, 0);
  return words;
}
