import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';

import { Pattern } from './pattern';

/** What one end of a connection does. JSON. */
export interface Plan {
  /** Bytes of the pattern to be written. */
  send?: number;
  /** The pattern's; default 1. */
  seed?: number;
  /** Give back what comes instead. */
  echo?: boolean;
  /** When our side is ended: after what is sent (default), after the peer's end (the default of an
   * echo), or when told. */
  end?: 'sent' | 'peer' | 'told';
  /** Stop reading after so many bytes, until told to go on. */
  stopAfter?: number;
}

/** How a conversation went so far. JSON. */
export interface Report {
  sent: number;
  received: number;
  /** SHA-256 of what was received, hexadecimal. */
  digest: string;
  /** The first 64 bytes of what was received, as Latin-1. */
  text: string;
  /** 'connect', 'end', 'finish', the code of an error, 'close'. */
  events: string[];
  /** From the beginning to 'close', or to now; ms. */
  ms: number;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/** Of node:net and of ours. */
export interface AnySocket extends Duplex {
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly connecting: boolean;
  setNoDelay(on: boolean): unknown;
  resetAndDestroy(): unknown;
}

const TEXT = 64;

export function endOf(plan: Plan): 'sent' | 'peer' | 'told' {
  return plan.end ?? (plan.echo === true ? 'peer' : 'sent');
}

/** One end of a connection that follows a plan and keeps a record. */
export class Conversation {
  readonly closed: Promise<void>;
  readonly opened: Promise<void>;
  private readonly hash = createHash('sha256');
  private readonly events: string[] = [];
  private readonly started = performance.now();
  private ended = 0;
  private sent = 0;
  private received = 0;
  private text = '';
  private localPort = 0;
  private remoteAddress = '';
  private remotePort = 0;

  constructor(
    readonly socket: AnySocket,
    private readonly plan: Plan,
  ) {
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    this.opened = this.begin();
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.events.push(error.code ?? error.message);
    });
    socket.on('end', () => {
      this.events.push('end');
      if (endOf(plan) === 'peer') socket.end();
    });
    socket.on('finish', () => this.events.push('finish'));
    socket.on('close', () => {
      this.ended = performance.now();
      this.events.push('close');
    });
    socket.on('data', (piece: Buffer) => this.take(piece));
    if (plan.stopAfter === 0) socket.pause();
  }

  private async begin(): Promise<void> {
    const { socket, plan } = this;
    if (socket.connecting) {
      await Promise.race([new Promise((done) => socket.once('connect', done)), this.closed]);
      if (socket.destroyed) return;
    }
    this.events.push('connect');
    this.localPort = socket.localPort ?? 0;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    void this.send(plan.send ?? 0);
  }

  private async send(bytes: number): Promise<void> {
    const { socket, plan } = this;
    const pattern = new Pattern(plan.seed ?? 1);
    while (this.sent < bytes && socket.writable) {
      const piece = pattern.next(bytes - this.sent);
      const room = socket.write(piece);
      this.sent += piece.length;
      if (room) continue;
      await Promise.race([new Promise((done) => socket.once('drain', done)), this.closed]);
    }
    if (endOf(plan) === 'sent' && socket.writable) socket.end();
  }

  private take(piece: Buffer): void {
    const { stopAfter = Infinity } = this.plan;
    if (this.received < stopAfter && this.received + piece.length >= stopAfter) this.socket.pause();
    this.received += piece.length;
    this.hash.update(piece);
    if (this.text.length < TEXT) this.text += piece.toString('latin1', 0, TEXT - this.text.length);
    if (this.plan.echo !== true) return;
    this.sent += piece.length;
    if (this.socket.write(piece)) return;
    this.socket.pause();
    this.socket.once('drain', () => this.socket.resume());
  }

  report(): Report {
    const { sent, received, text, localPort, remoteAddress, remotePort } = this;
    const ms = Math.round((this.ended || performance.now()) - this.started);
    const digest = this.hash.copy().digest('hex');
    const events = [...this.events];
    return { sent, received, digest, text, events, ms, localPort, remoteAddress, remotePort };
  }
}
