import { Errno } from '../../lib/core/errno';
import { Xoshiro } from '../../lib/core/random/xoshiro';
import { Checksum, Direction, Word } from '../../lib/core/segment/layout';
import { SocketOption } from '../../lib/core/socket/options';
import type { StreamSocket } from '../../lib/core/socket/stream-socket';
import type { Connection } from '../../lib/core/tcp/connection';
import { State } from '../../lib/core/tcp/state';
import { Checks } from '../../lib/testing/check/checks';
import { Attacker, type Target } from './hostile';
import { expectOk, Lab, LabHost, leftovers, type LabOptions } from './lab';

const SECOND = 1_000_000;
const PORT = 80;
const SHUT_WR = 1;
const POLL_RDHUP = 0x2000;

/** Byte `index` of the stream that `id` sends. */
function byteAt(id: number, index: number): number {
  return (Math.imul(index + 1, 0x9e3779b1) >>> 13) ^ (id * 37);
}

/** What is behind a socket. */
function connectionOf(socket: StreamSocket): Connection {
  return (socket as unknown as { connection: Connection }).connection;
}

/** One end of a connection, and the program that uses it. */
class End {
  socket: StreamSocket | null = null;
  iss = 0;
  sent = 0;
  received = 0;
  /** All was read up to the peer's FIN. */
  ended = false;
  /** What a call has returned, or SO_ERROR. */
  error = 0;
  closed = false;
  /** Closed in a way that may lose what the peer has sent, or its own. */
  rude = false;
  shut = false;

  constructor(
    readonly id: number,
    readonly host: LabHost,
    readonly limit: number,
  ) {}

  get name(): string {
    return `${this.host.name}${this.id}`;
  }
}

/** Who else sends to the stacks, in the name of their peers. */
export type Attack = 'none' | 'blind' | 'any';

/** A connection: who has called, and who was called. */
interface Pair {
  caller: End;
  callee: End;
}

/**
 * Two stacks, a few connections, programs that do what they like, and a wire that does as well; all
 * of it by one seed. Every event is followed by a check of what must hold.
 */
export class Chaos {
  readonly lab: Lab;
  readonly pairs: Pair[] = [];
  private readonly random: Xoshiro;
  private readonly attacker: Attacker;
  private readonly checks: Checks;
  private readonly listeners: StreamSocket[] = [];
  /** Packets on the wire, of which some come back much later. */
  private readonly old: Uint8Array[] = [];
  private calm = false;
  /** µs at which whoever still waits gives up. */
  private patience = Infinity;
  private readonly loss: number;
  private readonly late: number;
  private readonly twice: number;
  private readonly damage: number;
  private readonly buffer = new Uint8Array(20_000);
  /** Sockets with keepalive, at the end. */
  private readonly watched = new Set<StreamSocket>();

  constructor(
    readonly seed: number,
    private readonly attack: Attack = 'none',
    log = false,
  ) {
    this.random = new Xoshiro(seed);
    this.attacker = new Attacker(this.random, attack === 'blind');
    this.lab = new Lab({ ...this.options(), seed, log });
    const isn = [this.edge(), this.edge()];
    if (this.chance(50)) {
      this.lab.a.core.tcp.isn.isn = () => (isn[0] += 100_000) | 0;
      this.lab.b.core.tcp.isn.isn = () => (isn[1] += 100_000) | 0;
    }
    this.loss = this.pick([0, 0, 1, 3, 10, 25]);
    this.late = this.pick([0, 0, 2, 10, 30]);
    this.twice = this.pick([0, 0, 1, 10]);
    this.damage = this.pick([0, 0, 0, 2]);
    const { lab } = this;
    this.checks = new Checks(this);
    for (const host of [lab.a, lab.b]) this.watch(host);
    this.lab.filter = (packet, from) => this.wire(packet, from);
    for (const host of [this.lab.a, this.lab.b]) {
      const listener = this.lab.listen(host, PORT, this.below(4));
      // Who guesses the numbers may call bytes urgent: in line none is missing for that.
      expectOk(listener.setOption(SocketOption.OobInline, 1));
      this.listeners.push(listener);
    }
  }

  /** µs */
  get now(): number {
    return this.lab.now;
  }

  /** Shows the checks what a host sends and receives. */
  private watch(host: LabHost): void {
    // Where an attacker is believed, what the two say need not fit.
    if (this.attack === 'any') return;
    const log = host.core.tcp.trace;
    host.core.onTrace = (words, base, state) => {
      log?.(words, base, state);
      const packet = { words: words.subarray(base, base + Word.Stride), spoilt: null };
      if (packet.words[Word.Direction] === Direction.Out) this.checks.sent(host, packet);
      else if (packet.words[Word.Checksum] === Checksum.Verified)
        this.checks.received(host, packet);
    };
  }

  /** A whole number from 0 to n - 1. */
  below(n: number): number {
    return (this.random.next() >>> 0) % n;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }

  /** A number shortly before a wrap. */
  private edge(): number {
    return this.pick([0x7fffffff, 0xffffffff]) - this.below(250_000);
  }

  private options(): LabOptions {
    const family = this.pick([4, 4, 4, 6] as const);
    const flag = (): number => (this.chance(75) ? 1 : 0);
    const tcp = () => ({
      timestamps: flag(),
      sack: flag(),
      windowScaling: flag(),
      rfc1337: flag(),
      initialCwnd: this.pick([1, 2, 10, 10, 100]),
      receiveBuffer: this.pick([1024, 3000, 20_000, 1_048_576]),
      sendBuffer: this.pick([1024, 5000, 1_048_576]),
      msl: this.pick([100, 1000, 30_000]),
      finTimeout: this.pick([100, 60_000]),
    });
    const wraps = [2 ** 31, 2 ** 32, 2 ** 31 * 1000, 2 ** 32 * 1000];
    return {
      family,
      mtu: family === 6 ? this.pick([1280, 1500, 9000]) : this.pick([68, 296, 576, 1500, 65_535]),
      delay: this.pick([0, 100, 5000, 50_000, 150_000]),
      tcp: tcp(),
      tcpOfB: tcp(),
      start: this.chance(50) ? this.pick(wraps) - this.below(20 * SECOND) : this.below(SECOND),
      ports: [40_000, 40_000 + this.below(5)],
    };
  }

  /** Loses, delays, doubles and damages what is sent; keeps some for much later. */
  private wire(packet: Uint8Array, from: LabHost): undefined | false | number {
    if (this.replaying) return undefined;
    if (this.calm) return undefined;
    if (this.chance(2) && this.old.length < 50) this.old.push(packet.slice());
    if (this.chance(this.loss)) return false;
    if (this.chance(this.twice)) this.replay(packet, from);
    if (this.chance(this.damage)) {
      packet[this.below(packet.length)] ^= 1 << this.below(8);
    }
    return this.chance(this.late) ? this.below(300_000) : undefined;
  }

  private replaying = false;

  private replay(packet: Uint8Array, from: LabHost): void {
    this.replaying = true;
    this.lab.carry(packet.slice(), from);
    this.replaying = false;
  }

  /** Lets `us` pass, event by event. */
  private pass(us: number): void {
    const { lab } = this;
    const until = lab.now + us;
    do this.settled();
    while (lab.step(until));
    lab.now = until;
    lab.a.core.onTimer(until);
    lab.b.core.onTimer(until);
    lab.flush();
    this.settled();
  }

  private settled(): void {
    this.checks.settled(this.lab.a);
    this.checks.settled(this.lab.b);
  }

  /** Runs the whole life: storm, then calm, then everybody closes. */
  run(steps = 120): void {
    const connections = 1 + this.below(3);
    for (let i = 0; i < connections; i++) this.connect();
    for (let step = 0; step < steps; step++) {
      this.act();
      this.pass(this.chance(70) ? this.below(30_000) : this.below(400_000));
    }
    this.calm = true;
    this.finish();
    this.verify();
  }

  private connect(): void {
    const { lab } = this;
    const [from, to] = this.chance(50) ? [lab.a, lab.b] : [lab.b, lab.a];
    const id = this.pairs.length * 2;
    const limit = this.pick([0, 10, 5000, 60_000]);
    const caller = new End(id, from, limit);
    const callee = new End(id + 1, to, this.pick([0, 10, 5000, 60_000]));
    from.core.advance(lab.now);
    const socket = from.core.socket(4 + (from.address.w2 === 0xffff ? 0 : 2) === 4 ? 4 : 6);
    expectOk(socket.setOption(SocketOption.OobInline, 1));
    const result = socket.connect(to.address, PORT);
    if (result === -Errno.EADDRNOTAVAIL) return;
    if (result !== -Errno.EINPROGRESS) throw new Error(`connect: ${result}`);
    caller.socket = socket;
    caller.iss = connectionOf(socket).iss;
    this.pairs.push({ caller, callee });
  }

  /** Something that a program might do. */
  private act(): void {
    this.acceptAll();
    if (this.attack !== 'none') this.strike();
    if (this.chance(5)) this.connect();
    if (this.chance(5) && this.old.length > 0) {
      this.replay(this.pick(this.old), this.pick([this.lab.a, this.lab.b]));
    }
    for (const { caller, callee } of this.pairs) {
      for (const end of [caller, callee]) {
        if (end.socket === null || end.closed) continue;
        if (this.chance(60)) this.send(end);
        if (this.chance(60)) this.receive(end, this.below(this.pick([10, 3000, 20_000])));
        if (this.chance(3)) this.option(end.socket);
        if (this.chance(2)) this.shut(end);
        if (this.chance(1)) this.close(end, this.chance(30));
      }
    }
    this.lab.flush();
  }

  /** Some segments in the name of a peer, at any of the connections or at a port. */
  private strike(): void {
    for (let n = this.below(8); n > 0; n--) {
      const target = this.target();
      if (target === null) continue;
      // At once: what is wrong now may be right when it arrives.
      const host = target.victim === this.lab.a.address ? this.lab.a : this.lab.b;
      host.deliver(this.attacker.packet(target), this.lab.now);
    }
  }

  private target(): Target | null {
    const { caller, callee } = this.pick(this.pairs);
    const [end, other] = this.chance(50) ? [caller, callee] : [callee, caller];
    const socket = end.socket;
    if (socket === null) return null;
    const c = connectionOf(socket);
    // A handshake can be hurt by who knows its ports alone.
    if (this.attack === 'blind' && !(c.row >= 0 && c.state >= State.ESTABLISHED)) return null;
    return {
      victim: end.host.address,
      victimPort: socket.localPort,
      peer: other.host.address,
      peerPort: this.attack === 'any' && this.chance(10) ? this.below(65_536) : socket.remotePort,
      connection: c.row >= 0 ? c : null,
      byteAt: (index) => byteAt(other.id, index),
    };
  }

  private acceptAll(): void {
    for (const listener of this.listeners) {
      for (;;) {
        const socket = listener.accept();
        if (typeof socket === 'number') break;
        const { irs } = connectionOf(socket);
        const pair = this.pairs.find(
          ({ caller, callee }) => callee.socket === null && caller.iss === irs,
        );
        if (pair === undefined) socket.abort();
        else pair.callee.socket = socket;
      }
    }
  }

  private send(end: End): void {
    const socket = end.socket as StreamSocket;
    const wanted = Math.min(1 + this.below(this.pick([5, 2000, 20_000])), end.limit - end.sent);
    if (wanted <= 0 || end.shut) return;
    for (let i = 0; i < wanted; i++) this.buffer[i] = byteAt(end.id, end.sent + i);
    const taken = socket.send(this.buffer, 0, wanted);
    if (taken > 0) end.sent += taken;
    else if (taken !== -Errno.EAGAIN) end.error ||= -taken;
  }

  private receive(end: End, length: number): void {
    const socket = end.socket as StreamSocket;
    if (length === 0) return;
    const got = this.chance(50) ? socket.take(length) : this.read(socket, length);
    if (typeof got !== 'number') {
      const from = end.id ^ 1;
      for (const byte of got) {
        const expected = byteAt(from, end.received++) & 0xff;
        if (byte !== expected) throw new Error(`${end.name} got a wrong byte at ${end.received}`);
      }
    } else if (got === 0) {
      end.ended = true;
    } else if (got !== -Errno.EAGAIN) {
      end.error ||= -got;
    }
  }

  private read(socket: StreamSocket, length: number): Uint8Array | number {
    const got = socket.receive(this.buffer, 0, length);
    return got > 0 ? this.buffer.subarray(0, got) : got;
  }

  private option(socket: StreamSocket): void {
    const [option, value] = this.pick<[SocketOption, number]>([
      [SocketOption.NoDelay, this.below(2)],
      [SocketOption.Cork, this.below(2)],
      [SocketOption.KeepIdle, 1 + this.below(2000)],
      [SocketOption.KeepInterval, 200 + this.below(2000)],
      [SocketOption.KeepAlive, this.below(2)],
      [SocketOption.ReceiveBuffer, 1024 + this.below(60_000)],
      [SocketOption.SendBuffer, 2048 + this.below(60_000)],
    ]);
    expectOk(socket.setOption(option, value));
  }

  private shut(end: End): void {
    end.shut = true;
    end.socket?.shutdown(SHUT_WR);
  }

  private close(end: End, abort: boolean): void {
    // What the peer may still send, or what was not read, is lost.
    end.rude ||= abort || !end.ended;
    end.closed = true;
    if (abort) end.socket?.abort();
    else end.socket?.close();
  }

  /** Each end sends the rest, reads to the end, and closes; then all timers run out. */
  private finish(): void {
    const { lab } = this;
    const start = lab.now;
    this.patience = start + 100 * SECOND;
    while (lab.now < start + 3600 * SECOND) {
      this.acceptAll();
      let busy = false;
      for (const { caller, callee } of this.pairs) {
        for (const end of [caller, callee]) busy = this.finishEnd(end) || busy;
      }
      lab.flush();
      if (!busy) break;
      // Whoever has much to say has said it; the others wait for something.
      this.pass(lab.now < start + 20 * SECOND ? 20_000 : SECOND);
    }
    for (const listener of this.listeners) listener.close();
    lab.flush();
    // 2 MSL, orphans, keepalive: nothing lasts longer than this.
    this.pass(400 * SECOND);
  }

  /** One more step of an end towards its close; false when it has closed. */
  private finishEnd(end: End): boolean {
    const { socket } = end;
    if (socket === null || end.closed) return false;
    if (end.sent < end.limit && !end.shut) this.send(end);
    else if (!end.shut) this.shut(end);
    // A peer that has gone while its RST was lost would be waited for for ever.
    if (!this.watched.has(socket)) {
      this.watched.add(socket);
      socket.setOption(SocketOption.KeepIdle, 5000);
      socket.setOption(SocketOption.KeepInterval, 1000);
      socket.setOption(SocketOption.KeepAlive, 1);
    }
    this.receive(end, 20_000);
    end.error ||= socket.takeError();
    // Two whom an attacker has set against each other may wait for ever: the user loses patience.
    if (this.attack === 'any' && this.lab.now > this.patience) this.close(end, true);
    const over = end.ended && (socket.poll() & POLL_RDHUP) !== 0 && end.shut;
    if (over || end.error !== 0 || socket.state === State.CLOSED) {
      while (socket.available > 0) this.receive(end, 20_000);
      this.receive(end, 20_000);
      end.closed = true;
      socket.close();
    }
    return true;
  }

  /** Everything arrived once and in order, or somebody was told; nothing is left. */
  private verify(): void {
    for (const { caller, callee } of this.pairs) {
      this.verifyDirection(caller, callee);
      this.verifyDirection(callee, caller);
    }
    for (const host of [this.lab.a, this.lab.b]) {
      for (const [what, left] of Object.entries(leftovers(host))) {
        if (left !== 0) throw new Error(`${host.name} has ${left} ${what} left`);
      }
    }
  }

  private verifyDirection(from: End, to: End): void {
    if (this.attack === 'any') return;
    if (to.received > from.sent) throw new Error(`${to.name} got more than was sent`);
    if (to.received === from.sent && (to.ended || to.error !== 0)) return;
    const excused = from.error !== 0 || to.error !== 0 || from.rude || to.rude;
    const never = from.socket === null || to.socket === null;
    if (!excused && !never) {
      throw new Error(`${to.name} got ${to.received} of ${from.sent}, and nobody was told`);
    }
  }
}
