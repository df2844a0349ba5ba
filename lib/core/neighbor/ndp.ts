import { isMulticast, isWildcard, readAddress, sameAddress, type IpAddress } from '../ip/address';
import { Checksum, IcmpWord, IpProtocol, Word } from '../segment/layout';
import { isHostHardware, isLinkLocal6, type HardwareAddress } from './hardware-address';
import type { Host } from './host';
import { ALL_NODES, NaFlag, Ndp, NDP_HOP_LIMIT, sendAdvertisement } from './messages';
import { NeighborState } from './neighbor';
import { addressAt, readNdpOptions, type NdpOptions } from './ndp-options';
import type { OwnHostAddresses } from './own-addresses';
import type { Redirects } from './redirects';
import type { RouterDiscovery } from './router-discovery';

/** Bytes behind the first eight of a message, before its options. */
const FIXED: Readonly<Record<number, number>> = {
  [Ndp.RouterSolicitation]: 0,
  [Ndp.RouterAdvertisement]: 8,
  [Ndp.NeighborSolicitation]: 16,
  [Ndp.NeighborAdvertisement]: 16,
  [Ndp.Redirect]: 32,
};

/** Whether the message, ICMPv6 that is whole, is one of neighbour discovery. */
export function isNdp(words: Int32Array, base: number): boolean {
  const type = words[base + IcmpWord.Kind] >>> 8;
  if (words[base + Word.Protocol] !== IpProtocol.Icmp6) return false;
  return type >= Ndp.RouterSolicitation && type <= Ndp.Redirect;
}

/** Whether it is ARP, or neighbour discovery. */
export function isNeighborly(words: Int32Array, base: number): boolean {
  return words[base + Word.Protocol] === IpProtocol.Arp || isNdp(words, base);
}

/** A message that has passed the checks. */
interface Message {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** The word behind the checksum, and what follows it. */
  readonly rest: number;
  readonly bytes: Uint8Array;
  readonly options: NdpOptions;
}

/** Neighbour discovery as a host hears it (RFC 4861; Linux: net/ipv6/ndisc.c). */
export class NeighborDiscovery {
  constructor(
    private readonly host: Host,
    private readonly addresses: OwnHostAddresses,
    private readonly discovery: RouterDiscovery,
    private readonly redirects: Redirects,
    /** The next hop to an address, as routes and redirects have it. */
    private readonly nextHop: (destination: IpAddress) => IpAddress | null,
  ) {}

  /** What isn't in order is dropped (RFC 4861 §6.1, §7.1, §8.1). */
  arrives(words: Int32Array, base: number, now: number): void {
    const kind = words[base + IcmpWord.Kind];
    const fixed = FIXED[kind >>> 8];
    const isWhole =
      words[base + Word.HopLimit] === NDP_HOP_LIMIT &&
      words[base + Word.Checksum] !== Checksum.Bad &&
      (kind & 0xff) === 0 &&
      words[base + Word.PayloadLength] >= fixed;
    if (!isWhole) return;
    const at = words[base + Word.PayloadOffset];
    const slab = this.host.slabs.slabs[words[base + Word.Slab]];
    const bytes = slab.subarray(at, at + words[base + Word.PayloadLength]);
    const options = readNdpOptions(bytes, fixed);
    if (options === null || isNonsense(options.source) || isNonsense(options.target)) return;
    const message = {
      source: readAddress(words, base + Word.Source),
      destination: readAddress(words, base + Word.Destination),
      rest: words[base + IcmpWord.Rest],
      bytes,
      options,
    };
    const type: Ndp = kind >>> 8;
    if (type === Ndp.NeighborSolicitation) this.solicited(message, now);
    else if (type === Ndp.NeighborAdvertisement) this.advertised(message, now);
    else if (type === Ndp.RouterAdvertisement) {
      this.discovery.advertised(message.source, message.rest, bytes, options, now);
    } else if (type === Ndp.Redirect) this.redirected(message, now);
  }

  /** RFC 4861 §7.2.3, RFC 4862 §5.4.3. */
  private solicited({ source, destination, bytes, options }: Message, now: number): void {
    const target = addressAt(bytes, 0);
    const isProbe = isWildcard(source);
    if (isMulticast(target)) return;
    if (isProbe && (!isSolicitedNode(destination) || options.source !== null)) return;
    const own = this.addresses.find(target);
    if (own === null || own.is4) return;
    if (own.isTentative) {
      if (isProbe) this.addresses.duplicate(own, now);
      return;
    }
    if (isProbe) {
      sendAdvertisement(this.host, target, ALL_NODES, NaFlag.Override, true);
      return;
    }
    if (isMulticast(source) || this.host.paths.isLocal(source)) return;
    const toGroup = isMulticast(destination);
    const { ndp } = this.host;
    const mayMake = !toGroup || options.source !== null;
    const neighbor = mayMake ? ndp.make(source, now) : ndp.find(source);
    if (neighbor !== null && options.source !== null) {
      const state = NeighborState.Stale;
      const news = { hardware: options.source, state, override: true, weakOverride: true };
      ndp.learn(neighbor, { ...news, state }, now);
    }
    const flags = NaFlag.Solicited | (toGroup ? NaFlag.Override : 0);
    sendAdvertisement(this.host, target, source, flags, toGroup);
  }

  /** RFC 4861 §7.2.5, RFC 4862 §5.4.4. */
  private advertised({ destination, rest, bytes, options }: Message, now: number): void {
    const target = addressAt(bytes, 0);
    const isSolicited = (rest & NaFlag.Solicited) !== 0;
    if (isMulticast(target) || (isSolicited && isMulticast(destination))) return;
    const own = this.addresses.find(target);
    if (own !== null) {
      if (!own.is4) this.addresses.duplicate(own, now);
      return;
    }
    const { ndp } = this.host;
    const neighbor = ndp.find(target);
    if (neighbor === null || neighbor.state === NeighborState.Failed) return;
    const wasRouter = neighbor.isRouter;
    ndp.learn(
      neighbor,
      {
        hardware: options.target,
        state: isSolicited ? NeighborState.Reachable : NeighborState.Stale,
        override: (rest & NaFlag.Override) !== 0,
        weakOverride: true,
        isRouter: (rest & NaFlag.Router) !== 0,
      },
      now,
    );
    if (!wasRouter || neighbor.isRouter) return;
    // RFC 4861 §7.3.3: it has become a host.
    this.discovery.routers.remove(target);
    this.redirects.forget(target);
    this.host.changed();
  }

  /** RFC 4861 §8: a router knows a better first hop. */
  private redirected({ source, bytes, options }: Message, now: number): void {
    if (!this.host.settings.acceptRedirects || !isLinkLocal6(source)) return;
    const target = addressAt(bytes, 0);
    const destination = addressAt(bytes, 16);
    const isOnLink = sameAddress(target, destination);
    if (isMulticast(destination) || (!isOnLink && !isLinkLocal6(target))) return;
    if (this.host.paths.isLocal(target) || this.host.paths.isLocal(destination)) return;
    const hop = this.nextHop(destination);
    if (hop === null || !sameAddress(hop, source)) return;
    const { ndp } = this.host;
    const neighbor = ndp.make(target, now);
    if (neighbor === null) return;
    if (options.target !== null) {
      const state = NeighborState.Stale;
      const news = { hardware: options.target, override: true, weakOverride: true };
      const isRouter = isOnLink ? undefined : true;
      ndp.learn(neighbor, { ...news, state, isRouter }, now);
    }
    this.redirects.learn(destination, target);
    this.host.changed();
  }
}

/** Nobody can have it. */
function isNonsense(hardware: HardwareAddress | null): boolean {
  return hardware !== null && !isHostHardware(hardware);
}

/** ff02::1:ff00:0/104 */
function isSolicitedNode(a: IpAddress): boolean {
  return a.w0 === (0xff020000 | 0) && a.w1 === 0 && a.w2 === 1 && a.w3 >>> 24 === 0xff;
}
