import { SocketOption } from '../../lib/core/socket/options';
import { RealClock, VirtualClock, type Clock } from './clock';
import { EpollSet } from './epoll';
import { DatagramFile, FileTable, isSocket, type AnySocketFile } from './files';
import { Host, type HostOptions } from './host';
import { findOperation } from './operations';
import { flagWords, hostOptions } from './options';
import { Blocked, CallError, Request, type Outcome, type Reply } from './request';

/** A call that waits to be answered. */
interface Waiting {
  readonly id: unknown;
  readonly blocked: Blocked;
  readonly file: AnySocketFile | null;
}

/** Told of every message, in order. */
export type Send = (message: Readonly<Record<string, unknown>>) => void;

const OK: Reply = { ret: 0 };

/** One connection of the driver: one program on one fresh stack. */
export class Session {
  readonly files = new FileTable();
  /** Told when the program says bye. */
  onEnd: (() => void) | null = null;
  private stack: Host | null = null;
  private time: Clock | null = null;
  private waiting: Waiting[] = [];
  private timer: NodeJS.Timeout | null = null;
  private emitted = 0;
  private over = false;

  constructor(
    private readonly options: HostOptions,
    private readonly send: Send,
  ) {}

  get host(): Host {
    if (this.stack === null) throw new CallError('EINVAL');
    return this.stack;
  }

  private get clock(): Clock {
    if (this.time === null) throw new CallError('EINVAL');
    return this.time;
  }

  /** µs of the stack's clock. */
  get now(): number {
    return this.clock.now;
  }

  /** Takes one line of the driver. */
  receive(line: string): void {
    if (this.over) return;
    let id: unknown = null;
    try {
      const members = parse(line);
      const given = members.id;
      if (typeof given === 'number' || typeof given === 'string') id = given;
      this.process(id, new Request(members));
    } catch (error) {
      this.fail(id, error);
    }
  }

  /** Drops everything; nothing is sent any more. */
  end(): void {
    this.over = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.waiting = [];
    this.stack = null;
  }

  private process(id: unknown, request: Request): void {
    const { op } = request;
    const t = request.time('t');
    if (this.stack === null) this.begin(request, t);
    const before = this.emitted;
    if (t !== null && this.clock instanceof VirtualClock) this.passTo(this.clock.fromStamp(t));
    else this.passTo(this.now);
    switch (op) {
      case 'hello':
      case 'tick':
        this.reply(id, OK);
        return;
      case 'run':
        this.run(id, request, before);
        return;
      case 'bye':
        this.reply(id, OK);
        this.end();
        this.onEnd?.();
        return;
      case 'pkt':
        this.host.arrive(request.bytes('data'), this.now);
        this.settle();
        this.reply(id, OK);
        return;
      default:
        this.call(id, request);
    }
  }

  /** The first request makes the stack; a driver that says no hello gets the clock it uses. */
  private begin(request: Request, t: number | null): void {
    const isVirtual = request.has('vtime') ? request.flag('vtime') : t !== null;
    const flags = request.op === 'hello' ? request.text('flags', '') : '';
    const options = hostOptions(flagWords(flags), this.options);
    this.time = isVirtual ? new VirtualClock(t ?? 0) : new RealClock();
    this.stack = new Host(options);
  }

  private call(id: unknown, request: Request): void {
    const operation = findOperation(this, request);
    if (operation === undefined) throw new CallError('ENOSYS');
    let outcome: Outcome;
    try {
      this.host.core.advance(this.now);
      outcome = operation(this, request);
    } finally {
      // A call that fails may have sent something all the same.
      this.settle();
    }
    if (outcome instanceof Blocked) this.block(id, request, outcome);
    else this.reply(id, outcome);
  }

  private block(id: unknown, request: Request, blocked: Blocked): void {
    const file = request.has('fd') ? this.files.find(request.int('fd')) : undefined;
    const held = isSocket(file) ? file : null;
    if (held !== null) held.users++;
    this.waiting.push({ id, blocked, file: held });
    this.settle();
  }

  private run(id: unknown, request: Request, before: number): void {
    const { clock } = this;
    const max = request.time('max');
    if (!(clock instanceof VirtualClock) || max === null) throw new CallError('EINVAL');
    const until = clock.fromStamp(max);
    while (this.emitted === before) {
      const next = this.nextDeadline();
      if (next > until) {
        clock.now = Math.max(clock.now, until);
        break;
      }
      this.passTo(next);
    }
    this.reply(id, OK);
  }

  /** Moves the clock, and fires on the way every timer that is due, each at its own time. */
  private passTo(until: number): void {
    const { clock } = this;
    for (;;) {
      const next = this.nextDeadline();
      if (next > until) break;
      if (clock instanceof VirtualClock) clock.now = Math.max(clock.now, next);
      this.host.core.onTimer(this.now);
      this.settle();
    }
    if (clock instanceof VirtualClock) clock.now = Math.max(clock.now, until);
  }

  private nextDeadline(): number {
    let next = this.host.core.nextDeadline();
    for (const { blocked } of this.waiting) next = Math.min(next, blocked.deadline);
    return next;
  }

  /** Sends what is to be sent and answers every call that is now complete, until nothing moves. */
  private settle(): void {
    if (this.stack === null) return;
    do {
      this.flush();
      while (this.host.core.pollEvent() !== null);
      for (const file of this.files.all()) if (file instanceof EpollSet) file.observe();
    } while (this.answerOne());
    this.wake();
  }

  /** Sends what is to be sent. @returns whether there was something */
  private flush(): boolean {
    return this.host.flush(this.now, (packet) => this.emit(packet));
  }

  /** Answers the oldest blocked call that is complete or out of time; false: nothing moves. */
  private answerOne(): boolean {
    for (const waiting of this.waiting) {
      const reply = this.complete(waiting.blocked);
      if (reply === null) {
        // A write that is not complete may have gone on.
        if (this.flush()) return true;
        continue;
      }
      this.waiting = this.waiting.filter((other) => other !== waiting);
      if (waiting.file !== null) {
        waiting.file.users--;
        this.release(waiting.file);
      }
      this.flush();
      this.reply(waiting.id, reply);
      return true;
    }
    return false;
  }

  private complete({ attempt, deadline, timedOut }: Blocked): Reply | null {
    try {
      return attempt() ?? (deadline <= this.now ? timedOut() : null);
    } catch (error) {
      return failure(error);
    }
  }

  /** The program lets go of a file; a call that is blocked on it holds it a little longer. */
  closeFile(file: AnySocketFile): Reply | Blocked {
    file.closed = true;
    this.release(file);
    if (file instanceof DatagramFile) return OK;
    const { socket } = file;
    // Also where calls don't block, as on Linux.
    if (!socket.lingers) return OK;
    const attempt = (): Reply | null => (socket.lingers ? null : OK);
    const wait = socket.getOption(SocketOption.Linger) * 1000;
    return new Blocked(attempt, this.now + wait, () => OK);
  }

  /** Closes the socket of a file that no descriptor and no call has any more. */
  private release({ closed, users, socket }: AnySocketFile): void {
    if (closed && users === 0) socket.close();
  }

  private emit(packet: Uint8Array): void {
    this.emitted++;
    const { buffer, byteOffset, length } = packet;
    const data = Buffer.from(buffer, byteOffset, length).toString('base64');
    this.send({ ev: 'pkt', us: this.clock.stamp, data });
  }

  private reply(id: unknown, reply: Reply): void {
    const time = this.time?.isVirtual === true ? { t: this.time.stamp } : {};
    this.send({ id, ...reply, ...time });
  }

  private fail(id: unknown, error: unknown): void {
    this.reply(id, failure(error));
  }

  /** On a real clock the next deadline comes by itself. */
  private wake(): void {
    if (this.clock.isVirtual || this.over) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const next = this.nextDeadline();
    if (next === Infinity) return;
    const wait = Math.min(Math.max((next - this.now) / 1000, 0), 2 ** 31 - 1);
    this.timer = setTimeout(() => this.onTime(), wait);
  }

  private onTime(): void {
    this.timer = null;
    try {
      this.passTo(this.now);
      this.wake();
    } catch (error) {
      failure(error);
    }
  }
}

function failure(error: unknown): Reply {
  if (error instanceof CallError) return { ret: -1, errno: error.errno };
  // A defect of ours: it is told, and the other calls go on.
  process.stderr.write(`conformance: ${error instanceof Error ? error.stack : String(error)}\n`);
  return { ret: -1, errno: 'EIO' };
}

function parse(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new CallError('EINVAL');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CallError('EINVAL');
  }
  return value as Record<string, unknown>;
}
