import { SimEvent } from '../engine/event-queue';
import type { Packet } from '../engine/packet';
import { congest } from './congestion';
import type { WireSettings } from './options';
import { PacketFifo } from './packet-fifo';
import { type KeepingStage, NOWHERE, type StageContext } from './stage';

/** Bits of a byte, µs of a second. */
const BITS_PER_SECOND = 8e6;

/** Puts packets on the wire one after the other, as fast as its rate allows; the others wait. */
export class Transmitter extends SimEvent implements KeepingStage {
  next = NOWHERE;
  private readonly waiting = new PacketFifo();
  private waitingBytes = 0;
  private leaving: Packet | null = null;
  /** When the one that is leaving has left, µs and fractions, so that the rate is kept exactly. */
  private freeAt = 0;
  private rate = Infinity;
  private limit = 0;
  private threshold = Infinity;

  constructor(private readonly context: StageContext) {
    super();
  }

  configure({ rate, queue, ecn }: WireSettings): boolean {
    this.rate = rate;
    this.limit = queue;
    this.threshold = ecn.threshold;
    // Those that wait when the limit falls are still before all others.
    return rate < Infinity || this.leaving !== null;
  }

  push(packet: Packet): void {
    const { context } = this;
    const { now } = context.simulation;
    if (this.leaving === null) {
      if (this.rate === Infinity) this.next.push(packet);
      else this.start(packet, Math.max(now, this.freeAt));
      return;
    }
    if (this.waitingBytes + packet.length > this.limit) {
      context.lose(packet, 'queue');
      return;
    }
    if (this.waitingBytes > this.threshold && !congest(packet, context)) return;
    this.waitingBytes += packet.length;
    context.counters.queueMax = Math.max(context.counters.queueMax, this.waitingBytes);
    this.waiting.push(packet, now);
  }

  /** The packet has left. */
  run(): void {
    const packet = this.leaving as Packet;
    if (this.waiting.size === 0) this.leaving = null;
    else {
      const following = this.waiting.shift();
      this.waitingBytes -= following.length;
      this.start(following, this.freeAt);
    }
    this.next.push(packet);
  }

  clear(lose: (packet: Packet) => void): void {
    if (this.leaving !== null) lose(this.leaving);
    while (this.waiting.size > 0) lose(this.waiting.shift());
    this.leaving = null;
    this.waitingBytes = 0;
    this.freeAt = 0;
    this.context.simulation.at(this, Infinity);
  }

  private start(packet: Packet, at: number): void {
    this.leaving = packet;
    this.freeAt = at + (packet.length * BITS_PER_SECOND) / this.rate;
    this.context.simulation.at(this, this.freeAt);
  }
}
