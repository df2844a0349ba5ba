/**
 * The capture file format pcapng (draft-ietf-opsawg-pcapng), as much of it as raw IP packets need:
 * one section, an interface for each port, enhanced packet blocks with time in µs and direction.
 */
import { Direction } from '../core/segment/layout';

const enum Block {
  SectionHeader = 0x0a0d0d0a,
  Interface = 1,
  EnhancedPacket = 6,
}

const END_OF_OPTIONS = 0;
const SECTION_APPLICATION = 4;
const INTERFACE_NAME = 2;
const INTERFACE_TIME_RESOLUTION = 9;
const PACKET_FLAGS = 2;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Packets that begin with an IPv4 or IPv6 header. */
const LINKTYPE_RAW = 101;
const BUFFER = 64 * 1024;

/** Where the bytes of a capture go. */
export interface ByteSink {
  /** The bytes are the writer's again on return. */
  write(bytes: Uint8Array): void;
}

const padded = (length: number) => (length + 3) & ~3;

/** Writes one section to a sink. Blocks are gathered until `flush`, or until a buffer is full. */
export class PcapngWriter {
  private buffer = new Uint8Array(BUFFER);
  private view = new DataView(this.buffer.buffer);
  private used = 0;
  private interfaces = 0;

  constructor(private readonly sink: ByteSink) {
    const at = this.begin(Block.SectionHeader, 16 + optionLength('netland') + 4);
    this.view.setUint32(at, BYTE_ORDER_MAGIC, true);
    this.view.setUint16(at + 4, 1, true);
    this.view.setUint16(at + 6, 0, true);
    // The section's length: not known.
    this.view.setBigInt64(at + 8, -1n, true);
    this.end(this.text(at + 16, SECTION_APPLICATION, 'netland'));
  }

  /**
   * Adds an interface.
   * @returns its number, for `packet`
   */
  addInterface(name: string): number {
    const at = this.begin(Block.Interface, 8 + optionLength(name) + 8 + 4);
    this.view.setUint16(at, LINKTYPE_RAW, true);
    this.view.setUint16(at + 2, 0, true);
    // The longest packet that is kept: no limit.
    this.view.setUint32(at + 4, 0, true);
    const option = this.text(at + 8, INTERFACE_NAME, name);
    this.view.setUint16(option, INTERFACE_TIME_RESOLUTION, true);
    this.view.setUint16(option + 2, 1, true);
    this.view.setUint32(option + 4, 6, true);
    this.end(option + 8);
    return this.interfaces++;
  }

  /**
   * Writes a packet.
   * @param interfaceNumber what `addInterface` returned
   * @param time µs since 1970
   * @param bytes from its IP header on
   */
  packet(interfaceNumber: number, direction: Direction, time: number, bytes: Uint8Array): void {
    const { length } = bytes;
    const at = this.begin(Block.EnhancedPacket, 20 + padded(length) + 12);
    this.view.setUint32(at, interfaceNumber, true);
    this.view.setUint32(at + 4, Math.floor(time / 2 ** 32), true);
    this.view.setUint32(at + 8, time % 2 ** 32, true);
    this.view.setUint32(at + 12, length, true);
    this.view.setUint32(at + 16, length, true);
    const data = at + 20;
    const option = data + padded(length);
    this.buffer.set(bytes, data);
    this.buffer.fill(0, data + length, option);
    this.view.setUint16(option, PACKET_FLAGS, true);
    this.view.setUint16(option + 2, 4, true);
    this.view.setUint32(option + 4, direction === Direction.In ? 1 : 2, true);
    this.end(option + 8);
  }

  /** Hands everything written so far to the sink. */
  flush(): void {
    if (this.used === 0) return;
    const bytes = this.buffer.subarray(0, this.used);
    this.used = 0;
    this.sink.write(bytes);
  }

  /** Makes room for a block with `body` bytes in it; returns where they go. */
  private begin(type: Block, body: number): number {
    const size = body + 12;
    if (this.used + size > this.buffer.length) {
      this.flush();
      if (size > this.buffer.length) {
        this.buffer = new Uint8Array(size);
        this.view = new DataView(this.buffer.buffer);
      }
    }
    const at = this.used;
    this.used += size;
    this.view.setUint32(at, type, true);
    this.view.setUint32(at + 4, size, true);
    this.view.setUint32(at + size - 4, size, true);
    return at + 8;
  }

  /** Ends the options of the block begun last. */
  private end(at: number): void {
    this.view.setUint16(at, END_OF_OPTIONS, true);
    this.view.setUint16(at + 2, 0, true);
  }

  /** Writes an option that holds text; returns where it ends. */
  private text(at: number, code: number, text: string): number {
    const length = new TextEncoder().encodeInto(text, this.buffer.subarray(at + 4)).written;
    this.view.setUint16(at, code, true);
    this.view.setUint16(at + 2, length, true);
    this.buffer.fill(0, at + 4 + length, at + 4 + padded(length));
    return at + 4 + padded(length);
  }
}

/** Bytes of an option that holds `text`. */
function optionLength(text: string): number {
  return 4 + padded(new TextEncoder().encode(text).length);
}
