import { once } from 'node:events';
import type { Socket } from '../../lib/net/socket';
import type { Host } from '../../lib/testing';
import type { Chance } from './chance';
import { Content, LONGEST } from './content';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One end of a connection: a program over a stream of `Host.net`. */
export class StreamEnd {
  socket: Socket | null = null;
  sent = 0;
  received = 0;
  ended = false;
  told = false;
  rude = false;
  /** The host or the program has gone: it hears nothing any more. */
  lost = false;
  /** Settles when it is over. */
  readonly over: Promise<void>;
  private finish: () => void = () => undefined;
  private readonly own: Content;
  private readonly others: Content;
  private hurried = false;

  constructor(
    readonly id: number,
    readonly host: Host,
    private readonly chance: Chance,
    private readonly fail: (error: unknown) => void,
  ) {
    this.own = new Content(id);
    this.others = new Content(id ^ 1);
    this.over = new Promise((resolve) => (this.finish = resolve));
  }

  get name(): string {
    return `${this.host.name}#${this.id}`;
  }

  begin(socket: Socket): void {
    this.socket = socket;
    socket.on('data', (piece: Buffer) => this.take(piece));
    socket.on('end', () => (this.ended = true));
    socket.on('error', () => (this.told = true));
    socket.on('close', () => this.finish());
    if (this.chance.percent(30)) socket.setNoDelay(true);
    if (this.hurried) this.hurry();
    this.write(socket).catch(this.fail);
  }

  hurry(): void {
    this.hurried = true;
    this.socket?.setKeepAlive(true, 5000);
    this.socket?.resume();
  }

  /** Data has come. */
  take(piece: Buffer): void {
    if (!this.others.matches(this.received, piece)) {
      this.fail(new Error(`${this.name} got wrong bytes from ${this.received} on`));
    }
    this.received += piece.length;
    const { chance, socket } = this;
    if (this.hurried || !chance.percent(5)) return;
    socket?.pause();
    setTimeout(() => socket?.resume(), chance.below(500));
  }

  /** Writes as much as it likes, in the pace that the stream allows, and ends. */
  private async write(socket: Socket): Promise<void> {
    const { chance } = this;
    const limit = chance.pick([0, 10, 5000, 50_000, chance.below(LONGEST / 4)]);
    const chunk = 1 + chance.below(chance.pick([1000, 20_000, 100_000]));
    const leave = chance.pick(['end', 'end', 'end', 'end', 'destroy', 'reset'] as const);
    while (this.sent < limit && socket.writable && !this.lost) {
      const next = Math.min(limit, this.sent + chunk);
      const more = socket.write(this.own.bytes.subarray(this.sent, next));
      this.sent = next;
      if (!more && !(await this.drained(socket))) return;
      if (!this.hurried && limit / chunk < 100 && chance.percent(20))
        await sleep(chance.below(300));
    }
    if (this.lost || socket.destroyed) return;
    if (leave === 'end' || this.hurried) {
      socket.end();
      return;
    }
    this.rude = true;
    if (leave === 'reset') socket.resetAndDestroy();
    else socket.destroy();
  }

  private async drained(socket: Socket): Promise<boolean> {
    const over = this.over.then(() => false);
    return Promise.race([
      once(socket, 'drain').then(
        () => true,
        () => false,
      ),
      over,
    ]);
  }

  vanish(): void {
    if (this.socket === null) return;
    this.lost = true;
    this.finish();
  }
}
