import { Errno, errnoName } from '../../lib/core/errno';
import { SocketOption } from '../../lib/core/socket/options';
import { Shutdown, type StreamSocket } from '../../lib/core/socket/stream-socket';
import { State } from '../../lib/core/tcp/state';
import type { Host } from '../../lib/testing';
import type { Chance } from './chance';
import { Content, LONGEST } from './content';
import { erratic } from './controller';
import { SECOND, Task } from './task';

const INTO = new Uint8Array(LONGEST);

/** How a program ends its connection. */
type Plan =
  /** Sends all, says so, reads to the end, closes. */
  | 'orderly'
  /** Closes when it has sent all. */
  | 'careless'
  /** Closes, or resets, at some time. */
  | 'early'
  | 'abort';

const PLANS: readonly Plan[] = [...Array<Plan>(7).fill('orderly'), 'careless', 'early', 'abort'];

/** One end of a connection, and the program that uses it: it does what it likes. */
export class End {
  socket: StreamSocket | null = null;
  sent = 0;
  received = 0;
  /** All was read up to the peer's FIN. */
  ended = false;
  /** What a call has returned, or SO_ERROR. */
  error = 0;
  closed = false;
  /** Closed in a way that may lose what the peer has sent, or what it has sent itself. */
  rude = false;
  /** The host or the program has gone. */
  lost = false;
  private shut = false;
  /** It wants to be done: no pauses any more. */
  private hurried = false;
  /** Bytes that it would send. */
  readonly limit: number;
  private readonly plan: Plan;
  private readonly chunk: number;
  private readonly piece: number;
  /** Longest pauses between calls, µs. */
  private readonly writePause: number;
  private readonly readPause: number;
  private writeAt = 0;
  private readAt = 0;
  private readonly own: Content;
  private readonly others: Content;
  private readonly wake: Task;

  /** @param onError told of what a call of the driver must not throw */
  constructor(
    readonly id: number,
    readonly host: Host,
    private readonly chance: Chance,
    private readonly onError: (error: unknown) => void,
  ) {
    const { simulation } = host;
    this.own = new Content(id);
    this.others = new Content(id ^ 1);
    this.limit = chance.pick([0, 1, 10, 1000, 5000, 20_000, 60_000, chance.below(LONGEST / 2)]);
    this.plan = chance.pick(PLANS);
    this.chunk = 1 + chance.below(chance.pick([10, 2000, 20_000, LONGEST]));
    this.piece = 1 + chance.below(chance.pick([100, 3000, 65_536, 65_536]));
    const many = this.limit / this.chunk > 400;
    this.writePause = many ? 0 : chance.pick([0, 0, 10_000, 300_000]);
    this.readPause = chance.pick([0, 0, 0, 10_000, 300_000]);
    this.wake = new Task(simulation, () => this.run());
  }

  get name(): string {
    return `${this.host.name}#${this.id}`;
  }

  /** The socket is there: options, and the time at which a program loses patience. */
  begin(socket: StreamSocket): void {
    const { chance } = this;
    this.socket = socket;
    socket.owner = this;
    if (chance.percent(30)) socket.setOption(SocketOption.NoDelay, 1);
    if (chance.percent(10))
      socket.setOption(SocketOption.ReceiveBuffer, 1024 + chance.below(60_000));
    if (chance.percent(10)) socket.setOption(SocketOption.SendBuffer, 2048 + chance.below(60_000));
    if (chance.percent(50)) socket.setCongestion(chance.pick(['reno', 'cubic']));
    if (chance.percent(12))
      socket.setCongestion(erratic(chance, () => this.hurried || this.closed));
    if (chance.percent(5)) socket.setOption(SocketOption.Cork, 1);
    if (chance.percent(10)) socket.setOption(SocketOption.MaxSegment, 88 + chance.below(1400));
    if (chance.percent(5)) socket.setOption(SocketOption.TrafficClass, chance.below(256));
    if (chance.percent(20)) this.keepAlive(chance.pick([1000, 30_000]));
    if (chance.percent(5)) socket.setOption(SocketOption.UserTimeout, 5000 + chance.below(60_000));
    if (this.plan === 'early' || this.plan === 'abort') {
      new Task(this.host.simulation, () => this.leave()).after(chance.below(20 * SECOND));
    }
    this.wake.after(0);
  }

  private keepAlive(idle: number): void {
    this.socket?.setOption(SocketOption.KeepIdle, idle);
    this.socket?.setOption(SocketOption.KeepInterval, 1000);
    this.socket?.setOption(SocketOption.KeepAlive, 1);
  }

  /** From now on it does what is left as fast as it can, and doesn't wait for a dead peer. */
  hurry(): void {
    if (this.hurried || this.closed) return;
    this.hurried = true;
    this.readAt = this.writeAt = 0;
    this.keepAlive(5000);
    this.wake.after(0);
  }

  /** The driver says that something may have changed. */
  ready(): void {
    try {
      this.act();
    } catch (error) {
      this.onError(error);
    }
  }

  /** Calls from outside of the driver. */
  private run(): void {
    if (this.closed || this.lost) return;
    if (this.host.state !== 'up') {
      this.wake.after(SECOND / 10);
      return;
    }
    this.host.enter();
    this.act();
    this.host.flush();
  }

  /** What `early` and `abort` do. */
  private leave(): void {
    if (this.closed || this.lost || this.hurried || this.socket === null) return;
    if (this.host.state !== 'up') return;
    this.host.enter();
    this.close(this.plan === 'abort');
    this.host.flush();
  }

  private act(): void {
    const { socket } = this;
    if (socket === null || this.closed) return;
    this.read(socket);
    if (this.error === 0) this.write(socket);
    this.error ||= socket.takeError();
    if (this.error !== 0 || socket.state === State.CLOSED) {
      this.readAt = 0;
      this.read(socket, true);
      this.close(false);
      return;
    }
    const all = this.sent === this.limit;
    if (this.plan === 'careless' && all && !this.hurried) this.close(false);
    else if (all && !this.shut && socket.state >= State.ESTABLISHED) {
      this.shut = true;
      socket.shutdown(Shutdown.WR);
    }
    if (this.ended && this.shut) this.close(false);
  }

  private read(socket: StreamSocket, rest = false): void {
    const { now } = this.host.simulation;
    while (!this.ended && this.readAt <= now) {
      const got = this.take(socket);
      if (typeof got === 'number') {
        if (got === 0 && this.error === 0) this.ended = true;
        else if (got !== -Errno.EAGAIN) this.error ||= -got;
        return;
      }
      if (!this.others.matches(this.received, got)) {
        throw new Error(`${this.name} got wrong bytes from ${this.received} on`);
      }
      this.received += got.length;
      if (this.readPause > 0 && !this.hurried && !rest) {
        this.readAt = now + this.chance.below(this.readPause);
        this.wakeAt(this.readAt);
      }
    }
  }

  private take(socket: StreamSocket): Uint8Array | number {
    if (this.chance.percent(50)) return socket.take(this.piece);
    const got = socket.receive(INTO, 0, this.piece);
    return got > 0 ? INTO.subarray(0, got) : got;
  }

  private write(socket: StreamSocket): void {
    const { now } = this.host.simulation;
    while (this.sent < this.limit && this.writeAt <= now) {
      const length = Math.min(this.chunk, this.limit - this.sent);
      const taken = socket.send(this.own.bytes, this.sent, length);
      if (taken < 0) {
        if (taken !== -Errno.EAGAIN) this.error ||= -taken;
        return;
      }
      this.sent += taken;
      if (this.writePause > 0 && !this.hurried) {
        this.writeAt = now + this.chance.below(this.writePause);
        this.wakeAt(this.writeAt);
      }
    }
  }

  private wakeAt(time: number): void {
    if (time < this.wake.at) this.wake.after(time - this.host.simulation.now);
  }

  private close(abort: boolean): void {
    this.rude ||= abort || !this.ended || this.sent < this.limit;
    this.closed = true;
    this.wake.after(Infinity);
    if (abort) this.socket?.abort();
    else this.socket?.close();
  }

  /** The program has ended: the system closes its socket. */
  kill(): void {
    if (this.closed || this.socket === null) return;
    this.close(false);
    this.lost = true;
  }

  /** The host has lost its memory. */
  vanish(): void {
    if (this.closed || this.socket === null) return;
    this.lost = true;
    this.closed = true;
    this.wake.after(Infinity);
  }

  /** Why it stopped, for messages. */
  toString(): string {
    const error = this.error === 0 ? '' : `, ${errnoName(this.error)}`;
    const closed = this.lost ? 'lost' : this.rude ? 'closed early' : 'closed';
    const how = this.closed ? closed : 'open';
    const counts = `sent ${this.sent}/${this.limit}, got ${this.received}`;
    const end = this.ended ? ' to the end' : '';
    return `${this.name} (${this.plan}) ${counts}${end}, ${how}${error}`;
  }
}
