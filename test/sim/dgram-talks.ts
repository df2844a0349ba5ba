import type { DatagramSocket } from '../../lib';
import type { Host } from '../../lib/testing';
import { Chance } from './chance';
import { Content } from './content';
import { NUMBER } from './datagram-end';
import type { World } from './world';

const ECHO_PORT = 7;

/** Programs that talk by the API of node:dgram: an echo server on each host, and who asks them. */
export class DgramTalks {
  sent = 0;
  received = 0;
  private readonly chance: Chance;
  private readonly open = new Map<DatagramSocket, Host>();
  /** Lengths of the questions, by number. */
  private readonly lengths: number[] = [];
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    seed: number,
    private readonly world: World,
    /** The longest question, bytes. */
    private readonly longest: number,
    private readonly fail: (error: unknown) => void,
  ) {
    this.chance = new Chance(seed ^ 0xd6a);
  }

  /** Questions within so many ms; called by the program, on whose time its timers are. */
  plan(within: number): void {
    for (let i = this.chance.pick([0, 3, 10]); i > 0; i--) {
      this.later(() => this.ask(), this.chance.below(within));
    }
  }

  /** A host's program begins. */
  serve(host: Host): void {
    const socket = this.make(host, 'udp6');
    socket.on('message', (message, { address, port }) => socket.send(message, port, address));
    socket.bind(ECHO_PORT);
  }

  /** A host's program has gone. */
  vanish(gone: Host): void {
    for (const [socket, host] of this.open) if (host === gone) this.open.delete(socket);
  }

  /** Nothing begins any more. */
  calm(): void {
    for (const timer of this.timers) clearTimeout(timer);
  }

  /** All that is open is closed. */
  stop(): void {
    for (const socket of this.open.keys()) socket.close();
    this.open.clear();
  }

  private make(host: Host, type: 'udp4' | 'udp6'): DatagramSocket {
    const socket = host.dgram.createSocket({ type, reuseAddr: true });
    this.open.set(socket, host);
    // What ICMP says of a way that is no more, or that no port is left.
    socket.on('error', () => undefined);
    return socket;
  }

  private later(action: () => void, delay: number): void {
    this.timers.push(setTimeout(action, delay));
  }

  /** Some questions to one server, and its answers, none of them another's. */
  private ask(): void {
    const { chance, world } = this;
    const [from, to] = [world.someHostOf(chance), world.someHostOf(chance)];
    if (from.state !== 'up') return;
    const family = chance.pick(world.families);
    const socket = this.make(from, family === 4 ? 'udp4' : 'udp6');
    const address = family === 4 ? to.address : to.address6;
    socket.on('message', (message: Buffer) => this.hear(message));
    const say = (): void => {
      const number = this.lengths.length;
      const length = NUMBER + chance.below(this.longest);
      this.lengths.push(length);
      const message = Buffer.from(new Content(number).bytes.subarray(0, length));
      message.writeInt32BE(number);
      this.sent++;
      socket.send(message, ECHO_PORT, address);
    };
    for (let i = chance.below(10); i >= 0; i--) {
      this.later(() => {
        if (this.open.has(socket) && from.state === 'up') say();
      }, chance.below(5000));
    }
    const close = (): void => {
      if (!this.open.has(socket)) return;
      if (from.state !== 'up') {
        this.later(close, 1000);
        return;
      }
      this.open.delete(socket);
      socket.close();
    };
    this.later(close, chance.below(10_000));
  }

  private hear(message: Buffer): void {
    this.received++;
    const number = message.readInt32BE();
    const { bytes } = new Content(number);
    const isRight =
      message.length === this.lengths.at(number) &&
      bytes.compare(message, NUMBER, message.length, NUMBER, message.length) === 0;
    if (!isRight) this.fail(new Error(`a wrong answer to question ${number}`));
  }
}
