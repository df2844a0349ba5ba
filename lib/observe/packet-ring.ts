import type { Direction } from '../core/segment/layout';
import { PcapngWriter } from './pcapng';

/** What a packet costs beside its bytes, as in a file: header, options and trailer of its block. */
const OVERHEAD = 64;

interface Kept {
  readonly interfaceNumber: number;
  readonly direction: Direction;
  /** µs since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
}

/** Keeps the latest packets, as many as fit into some memory. */
export class PacketRing {
  private readonly names: string[] = [];
  /** In the order in which they came, from `first` on. */
  private packets: Kept[] = [];
  private first = 0;
  private held = 0;

  /** @param limit bytes, where each packet counts for 64 more than it has */
  constructor(private readonly limit: number) {}

  /** @returns its number, for `packet`; of a name that is known the same as before */
  addInterface(name: string): number {
    const known = this.names.indexOf(name);
    return known >= 0 ? known : this.names.push(name) - 1;
  }

  /** Takes a copy of a packet, as `PcapngWriter.packet` does; the oldest ones make room for it. */
  packet(interfaceNumber: number, direction: Direction, time: number, bytes: Uint8Array): void {
    // A slice of a Buffer would share its memory.
    this.packets.push({ interfaceNumber, direction, time, bytes: Uint8Array.from(bytes) });
    this.held += bytes.length + OVERHEAD;
    while (this.held > this.limit) {
      this.held -= this.packets[this.first++].bytes.length + OVERHEAD;
    }
    // Not with each one, or it would cost a move of all.
    if (this.first < 256 && this.first < this.packets.length) return;
    this.packets = this.packets.slice(this.first);
    this.first = 0;
  }

  flush(): void {
    // Nothing waits.
  }

  /** What is kept now, as a file. */
  toPcapng(): Buffer {
    const parts: Buffer[] = [];
    const writer = new PcapngWriter({ write: (bytes) => parts.push(Buffer.from(bytes)) });
    for (const name of this.names) writer.addInterface(name);
    for (const { interfaceNumber, direction, time, bytes } of this.packets.slice(this.first)) {
      writer.packet(interfaceNumber, direction, time, bytes);
    }
    writer.flush();
    return Buffer.concat(parts);
  }
}
