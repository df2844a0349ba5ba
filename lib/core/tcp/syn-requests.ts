import { Icmp4, Icmp6, Unreachable4, Unreachable6 } from '../icmp/icmp-error';
import { isIpv4, readAddress, type IpAddress } from '../ip/address';
import { Word } from '../segment/layout';
import type { Segment } from '../segment/segment';
import type { StreamSocket } from '../socket/stream-socket';
import type { Connection } from './connection';
import type { Tcp } from './tcp';
import { answerUndecided, forgetUndecided, refuseUndecided } from './undecided';

/** What is kept of a SYN for ICMP to quote, bytes: the headers. */
const MAX_QUOTE = 128;

/** Why a peer can't be connected: codes of ICMP's and ICMPv6's destination unreachable. */
export const enum Unreachable {
  Host = 0,
  Network = 1,
  /** A filter doesn't let it. */
  Prohibited = 2,
}

const KINDS4: readonly number[] = [
  Unreachable4.Host,
  Unreachable4.Net,
  Unreachable4.Prohibited,
].map((code) => (Icmp4.Unreachable << 8) | code);
const KINDS6: readonly number[] = [
  Unreachable6.Address,
  Unreachable6.NoRoute,
  Unreachable6.Prohibited,
].map((code) => (Icmp6.Unreachable << 8) | code);

/**
 * A SYN that is not answered before the program has decided. It waits in the SYN table like any
 * handshake, as long as one and among no more of them. `owner` is free for the layer above.
 */
export class SynRequest {
  owner: unknown = null;
  /** The handshake is over, though the program has not ended it: the peer doesn't wait any more. */
  isLost = false;
  /** The program has decided. */
  isDecided = false;
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  /** The SYN from its IP header on. */
  private readonly quote: Uint8Array;

  /** @param row of the SYN table; -1 when the handshake is over, one way or the other */
  constructor(
    private readonly tcp: Tcp,
    readonly requests: SynRequests,
    public row: number,
    { words, base }: Segment,
  ) {
    this.localAddress = readAddress(words, base + Word.Destination);
    this.localPort = words[base + Word.DestinationPort];
    this.remoteAddress = readAddress(words, base + Word.Source);
    this.remotePort = words[base + Word.SourcePort];
    const at = words[base + Word.PacketOffset];
    const length = Math.min(words[base + Word.PacketLength], MAX_QUOTE);
    this.quote = tcp.slabs.slabs[words[base + Word.Slab]].slice(at, at + length);
  }

  /** Answers with SYN and ACK. Each of these says whether the decision came first, and in time. */
  accept(): boolean {
    if (!this.decide()) return false;
    answerUndecided(this.tcp, this.row);
    return true;
  }

  /** Answers with RST, as a closed port does. */
  reset(): boolean {
    if (!this.end()) return false;
    refuseUndecided(this.tcp, this.row);
    this.row = -1;
    return true;
  }

  /** Answers with ICMP's destination unreachable, as far as the limits of its rate allow it. */
  unreachable(why: Unreachable): boolean {
    if (!this.drop()) return false;
    const kinds = isIpv4(this.localAddress) ? KINDS4 : KINDS6;
    this.tcp.complain?.(this.quote, kinds[why]);
    return true;
  }

  /** Answers with nothing: the peer will ask again. */
  drop(): boolean {
    if (!this.end()) return false;
    forgetUndecided(this.tcp, this.row);
    this.row = -1;
    return true;
  }

  /** From now on nobody needs to be told that it is lost. */
  private end(): boolean {
    if (!this.decide()) return false;
    this.requests.forget(this);
    return true;
  }

  private decide(): boolean {
    if (this.isDecided || this.row < 0) return false;
    this.isDecided = true;
    return true;
  }
}

/** The SYNs of one listener that its program is asked about, and those that it has taken. */
export class SynRequests {
  private readonly byRow = new Map<number, SynRequest>();
  /** Handshakes that are over, until the connection is accepted. */
  private readonly connected = new Map<Connection, SynRequest>();
  /** To be told: new ones, and lost ones that the program knows. */
  private readonly news = new Set<SynRequest>();

  /** @param asks whether the program wants to be asked about a SYN that has come now */
  constructor(
    private readonly tcp: Tcp,
    readonly asks: () => boolean,
  ) {}

  /** A SYN has come; `row` of the SYN table is that of its handshake. */
  ask(listener: StreamSocket, row: number, seg: Segment): void {
    const request = new SynRequest(this.tcp, this, row, seg);
    this.byRow.set(row, request);
    this.news.add(request);
    this.tcp.notify(listener);
  }

  /** The next one that the program doesn't know of, or doesn't know to be lost; null: none. */
  next(): SynRequest | null {
    for (const request of this.news) {
      this.news.delete(request);
      return request;
    }
    return null;
  }

  /** The handshake of a row has failed. */
  lost(listener: StreamSocket, row: number): void {
    const request = this.byRow.get(row);
    if (request === undefined) return;
    this.byRow.delete(row);
    request.row = -1;
    request.isLost = true;
    // Of what nobody has been told nobody needs to hear the end.
    if (this.news.delete(request)) return;
    this.news.add(request);
    this.tcp.notify(listener);
  }

  /** The handshake of a row has become a connection. */
  succeeded(row: number, c: Connection): void {
    const request = this.byRow.get(row);
    if (request === undefined) return;
    this.byRow.delete(row);
    request.row = -1;
    this.connected.set(c, request);
  }

  /** What the connection, which is accepted now, was asked for by; null: nobody was asked. */
  take(c: Connection): SynRequest | null {
    const request = this.connected.get(c) ?? null;
    this.connected.delete(c);
    return request;
  }

  /** The program knows how it ends. */
  forget(request: SynRequest): void {
    this.byRow.delete(request.row);
    this.news.delete(request);
  }

  /** Those that the program knows, whose connections it has not got. */
  get open(): SynRequest[] {
    const all = [...this.byRow.values(), ...this.connected.values()];
    return all.filter((request) => !this.news.has(request));
  }
}
