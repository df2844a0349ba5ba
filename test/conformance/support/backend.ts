import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { StackCore } from '../../../lib/core/stack/stack-core';
import type { HostOptions } from '../host';
import { Session } from '../session';

export type Message = Record<string, unknown>;

/** A packet that left, and when: µs of the backend's clock. */
export interface Emitted {
  us: number;
  bytes: Buffer;
}

/** A stack behind the line protocol. */
export interface Backend {
  readonly name: string;
  readonly packets: Emitted[];
  /** µs of the clock that packets are stamped with. */
  now(): number;
  /** Sends a request; its reply when it comes, with `us`, the time at which the call completed. */
  request(op: string, members: Message): Promise<Message>;
  /** Lets time pass. */
  pass(us: number): Promise<void>;
  /** Waits until `count` packets have left in all, where that takes time. */
  settle(count: number): Promise<void>;
  end(): Promise<void>;
}

interface Pending {
  resolve(reply: Message): void;
}

abstract class Requests {
  readonly packets: Emitted[] = [];
  protected readonly pending = new Map<number, Pending>();
  protected lastId = 0;

  protected take(message: Message, us: number): void {
    if (message.ev === 'pkt') {
      const bytes = Buffer.from(message.data as string, 'base64');
      this.packets.push({ us: message.us as number, bytes });
      return;
    }
    const waiting = this.pending.get(message.id as number);
    this.pending.delete(message.id as number);
    waiting?.resolve({ ...message, us });
  }

  protected expect(id: number): Promise<Message> {
    return new Promise((resolve) => this.pending.set(id, { resolve }));
  }
}

/** Our stack under virtual time, in this process. */
export class Ours extends Requests implements Backend {
  readonly name = 'ours';
  private time = 1_000_000;
  private readonly session: Session;

  constructor(options: HostOptions) {
    super();
    this.session = new Session(options, (message) => {
      this.take(JSON.parse(JSON.stringify(message)) as Message, (message.t as number) ?? 0);
    });
  }

  now(): number {
    return this.time;
  }

  request(op: string, members: Message): Promise<Message> {
    const id = ++this.lastId;
    const reply = this.expect(id);
    const clock = op === 'hello' ? { vtime: 1 } : {};
    this.session.receive(JSON.stringify({ id, op, t: this.time, ...members, ...clock }));
    return reply;
  }

  async pass(us: number): Promise<void> {
    this.time += us;
    await this.request('tick', {});
  }

  async settle(): Promise<void> {
    // All has happened already.
  }

  get core(): StackCore {
    return this.session.host.core;
  }

  async end(): Promise<void> {
    await this.request('bye', {});
  }
}

/** Longest wait for a packet that ours sent and the kernel may not, ms. */
const PATIENCE = 700;
/** How long to listen for packets that ours didn't send, ms. */
const GRACE = 6;

/** The kernel's stack behind kernel_reference.py, on the machine's time. */
export class Kernel extends Requests implements Backend {
  readonly name = 'kernel';
  private line = '';

  private constructor(
    private readonly socket: net.Socket,
    private readonly isOurs: (packet: Buffer) => boolean,
  ) {
    super();
    socket.setEncoding('utf8').on('data', (chunk: string) => this.read(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { resolve } of this.pending.values()) resolve({ ret: -1, errno: 'DISCONNECTED' });
    });
  }

  /** @param isOurs which packets count: the kernel has others of its own, and old connections */
  static async connect(path: string, isOurs: (packet: Buffer) => boolean): Promise<Kernel> {
    const socket = net.connect(path);
    await once(socket, 'connect');
    return new Kernel(socket, isOurs);
  }

  private read(chunk: string): void {
    const lines = (this.line + chunk).split('\n');
    this.line = lines.pop() ?? '';
    for (const line of lines) this.take(JSON.parse(line) as Message, this.now());
  }

  protected override take(message: Message, us: number): void {
    if (message.ev === 'pkt' && !this.isOurs(Buffer.from(message.data as string, 'base64'))) return;
    super.take(message, us);
  }

  now(): number {
    return Math.floor((performance.timeOrigin + performance.now()) * 1000);
  }

  request(op: string, members: Message): Promise<Message> {
    const id = ++this.lastId;
    const reply = this.expect(id);
    this.socket.write(`${JSON.stringify({ id, op, ...members })}\n`);
    return reply;
  }

  async pass(us: number): Promise<void> {
    await delay(us / 1000);
  }

  async settle(count: number): Promise<void> {
    const until = performance.now() + PATIENCE;
    while (this.packets.length < count && performance.now() < until) await delay(1);
    await delay(GRACE);
  }

  async end(): Promise<void> {
    await this.request('bye', {});
    this.socket.destroy();
  }
}
