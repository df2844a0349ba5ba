import type { Environment } from '../environment';
import { BuildWord, MAY_FRAGMENT, Word } from '../segment/layout';
import { isIpv4, isMulticast, writeAddress, type IpAddress } from './address';
import { isBroadcast } from './addresses';
import type { Identification } from './identification';
import type { OwnPackets } from './own-packets';
import type { PathMtus } from './path-mtus';

/** What the stack's own packets take from it. */
export interface OutputParts {
  readonly environment: Environment;
  readonly own: OwnPackets;
  readonly pathMtus: PathMtus;
  readonly identification: Identification;
  readonly settings: { readonly ttl: number };
  /** ms of the stack's clock, modulo 2^32. */
  readonly nowMs: () => number;
}

/** Sends packets of the stack itself on the way that the routes say, in fragments if need be. */
export class IpOutput {
  constructor(private readonly parts: OutputParts) {}

  /**
   * Adds a packet to the stack's own (see `OwnPackets`), with all that IP's header says but the
   * traffic class: from there on as after `OwnPackets.push`.
   * @param source null: as the route has it
   * @param header of the transport, bytes
   * @param length of the payload behind that, bytes
   * @returns first word of the descriptor; -1: no way there, or no room
   */
  begin(
    protocol: number,
    source: IpAddress | null,
    destination: IpAddress,
    header: number,
    length: number,
  ): number {
    const { environment, own, settings } = this.parts;
    const { paths } = environment;
    const many = isMulticast(destination) || isBroadcast(paths, destination);
    const path = many
      ? (paths.routeToMany?.(destination, source) ?? 0)
      : paths.route(destination, source);
    if (typeof path === 'number') return -1;
    const base = own.push(length);
    if (base < 0) return -1;
    const { words } = own;
    const is4 = isIpv4(destination);
    words[base + Word.Family] = is4 ? 4 : 6;
    words[base + Word.Protocol] = protocol;
    words[base + Word.HopLimit] = settings.ttl;
    writeAddress(path.source, words, base + Word.Source);
    writeAddress(destination, words, base + Word.Destination);
    this.identify(words, base, protocol, path.mtu, header + length);
    return base;
  }

  /** The identification, and how long a packet may be. Routers may split IPv4's, too. */
  private identify(
    words: Int32Array,
    base: number,
    protocol: number,
    mtu: number,
    length: number,
  ): void {
    const { identification, pathMtus } = this.parts;
    const nowMs = this.parts.nowMs();
    const known = pathMtus.count === 0 ? 0 : pathMtus.find(words, base + Word.Destination, nowMs);
    const most = known === 0 ? mtu : Math.min(known, mtu);
    words[base + Word.Fragment] = most;
    if (words[base + Word.Family] === 4) {
      const id = identification.next4(words, base + Word.Source, protocol, 1, nowMs);
      words[base + Word.Identification] = id | MAY_FRAGMENT;
    } else if (40 + length > most) {
      words[base + BuildWord.FragmentId] = identification.next6();
    }
  }
}
