import type { Packet } from '../engine/packet';

const START = 16;

/** Packets in order, each with a time: a ring that grows. */
export class PacketFifo {
  size = 0;
  private packets: (Packet | null)[] = new Array<Packet | null>(START).fill(null);
  private times = new Float64Array(START);
  private head = 0;

  push(packet: Packet, time: number): void {
    if (this.size === this.packets.length) this.grow();
    const at = (this.head + this.size++) & (this.packets.length - 1);
    this.packets[at] = packet;
    this.times[at] = time;
  }

  /** The time of the first packet; there is one. */
  get time(): number {
    return this.times[this.head];
  }

  /** Takes the first packet; there is one. */
  shift(): Packet {
    const packet = this.packets[this.head] as Packet;
    this.packets[this.head] = null;
    this.head = (this.head + 1) & (this.packets.length - 1);
    this.size--;
    return packet;
  }

  private grow(): void {
    const { packets, times, head } = this;
    this.packets = [...packets.slice(head), ...packets.slice(0, head)];
    this.packets.push(...new Array<Packet | null>(packets.length).fill(null));
    this.times = new Float64Array(2 * times.length);
    this.times.set(times.subarray(head));
    this.times.set(times.subarray(0, head), times.length - head);
    this.head = 0;
  }
}
