import { parsePacket } from '../codec/parse';
import { ParseResult } from '../codec/result';
import { Word } from '../core/segment/layout';
import type { LossReason, Wire, Witness } from './engine/node';
import type { Packet } from './engine/packet';
import { decrementHopLimit } from './ip-header';
import type { Routes } from './routes';

/** What has happened to the packets that came to a router. */
export interface RouterCounters {
  forwarded: number;
  /** Lost here, by reason: those that there have been. */
  lost: { [reason in LossReason]?: number };
}

const NO_KEY = new Int32Array(2);
/** The results of parsing that don't speak of the IP header. */
const READABLE: ReadonlySet<ParseResult> = new Set([
  ParseResult.Ok,
  ParseResult.Fragment,
  ParseResult.NotTcp,
  ParseResult.BadTcpHeader,
]);

/**
 * Forwards packets between its cables, the shortest way (RFC 1812 §5). Takes no time for that; what
 * waits for a cable waits in that cable's queue.
 */
export class Router {
  private isDown = false;
  private readonly counts: RouterCounters = { forwarded: 0, lost: {} };
  private readonly scratch = new Int32Array(Word.Stride);

  /** @internal Made by `network.router`. */
  constructor(
    readonly name: string,
    private readonly routes: Pick<Routes, 'next'>,
    private readonly witness: Witness,
  ) {}

  /** What it is able to do now. */
  get state(): 'up' | 'crashed' {
    return this.isDown ? 'crashed' : 'up';
  }

  /** A copy of what was counted. */
  get counters(): RouterCounters {
    return { ...this.counts, lost: { ...this.counts.lost } };
  }

  /** From now on it is silent: what comes is lost. Nobody is told, and no route changes. */
  crash(): void {
    if (this.isDown) return;
    this.isDown = true;
    this.witness.noted(`crash ${this.name}`);
  }

  /** Forwards again. */
  reboot(): void {
    this.isDown = false;
    this.witness.noted(`reboot ${this.name}`);
  }

  /** @internal */
  attach(): void {
    // The routes know its cables.
  }

  /** @internal */
  arrive(packet: Packet): void {
    if (this.isDown) {
      this.lose(packet, 'down');
      return;
    }
    const words = packet.spoilt === null ? packet.words : this.header(packet.spoilt);
    if (words === null) {
      this.lose(packet, 'invalid');
      return;
    }
    const out: Wire | null = this.routes.next(this, words, Word.Destination);
    if (out === null) this.lose(packet, 'unroutable');
    else if (!decrementHopLimit(packet)) this.lose(packet, 'ttl');
    else {
      this.counts.forwarded++;
      out.send(packet);
    }
  }

  /** The IP header of a corrupted packet as it reads now; null: it is wrong (RFC 1812 §5.2.2). */
  private header(bytes: Uint8Array): Int32Array | null {
    const result = parsePacket(bytes, 0, 0, bytes.length, this.scratch, 0, NO_KEY);
    return READABLE.has(result) ? this.scratch : null;
  }

  private lose(packet: Packet, reason: LossReason): void {
    const { lost } = this.counts;
    lost[reason] = (lost[reason] ?? 0) + 1;
    this.witness.lost(packet, this.name, reason);
  }
}
