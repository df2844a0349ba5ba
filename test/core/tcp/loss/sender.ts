import type { StreamSocket } from '../../../../lib/core/socket/stream-socket';
import type { Connection } from '../../../../lib/core/tcp/connection';
import type { Flight } from '../../../../lib/core/tcp/flight';
import { pattern } from '../../../support/lab';
import { Peer, type PeerOptions, type Say } from '../../../support/peer';

export const MSS = 1000;
export const MS = 1000;
/** The round trip of the handshake, µs. */
export const RTT = 100 * MS;

/** From segment `from` to the one before `to`, which may be parts of segments. */
export type Block = readonly [from: number, to: number];

/** The first number of a segment: 0 is the first of the connection. */
export function at(segment: number): number {
  return 1 + Math.round(segment * MSS);
}

/**
 * A sender whose peer takes segments of 1000 bytes, SACK permitted, and has a window of 8 MB. The
 * round trip of the handshake was 100 ms; the window begins with ten segments.
 */
export class Sender {
  readonly peer: Peer;
  readonly socket: StreamSocket;

  constructor(options: PeerOptions = {}) {
    this.peer = new Peer({
      syn: { mss: options.timestamps === true ? MSS + 12 : MSS, scale: 7, sackPermitted: true },
      ...options,
      tcp: { sendBuffer: 8_000_000, ...options.tcp },
    });
    const socket = this.peer.dial();
    this.peer.pass(RTT);
    this.socket = this.peer.answer(socket);
    // The window of the SYN was not scaled: this is the real one.
    this.peer.say('.');
    this.peer.heard();
  }

  get c(): Connection {
    return this.peer.host.core.tcp.connection(0);
  }

  get f(): Flight {
    const { flight } = this.c;
    if (flight === null) throw new Error('nothing is in flight');
    return flight;
  }

  get counters(): Readonly<Record<string, number>> {
    return this.peer.host.core.tcp.counters as unknown as Readonly<Record<string, number>>;
  }

  /** The program writes so many segments. */
  write(segments: number): void {
    const bytes = pattern(Math.round(segments * MSS));
    let done = 0;
    while (done < bytes.length) done += this.socket.send(bytes, done, bytes.length - done);
    this.peer.listen();
  }

  /** The peer acknowledges all before segment `una`, and SACKs these. */
  ack(una: number, ...blocks: readonly Block[]): this {
    this.tell({ ack: at(una) }, blocks);
    return this;
  }

  /** The same with other fields. */
  tell(say: Say, blocks: readonly Block[] = []): void {
    const sack = blocks.map(([from, to]) => [at(from), at(to)] as const);
    this.peer.say('.', sack.length > 0 ? { ...say, sack } : say);
  }

  /** Lets time pass, ms. */
  pass(ms: number): this {
    this.peer.pass(ms * MS);
    return this;
  }

  /** The segments of data that have left since the last call, by number. */
  sent(): number[] {
    const data = this.peer.heard().filter(({ length }) => length > 0);
    return data.map(({ seq }) => (seq - 1) / MSS);
  }

  /** The same with times, ms since `since`. */
  times(since: number): string[] {
    const data = this.peer.heard().filter(({ length }) => length > 0);
    return data.map(({ seq, at }) => `${(at - since) / MS} ms ${(seq - 1) / MSS}`);
  }

  /** Now, as `times` counts. */
  get now(): number {
    return this.peer.now;
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
