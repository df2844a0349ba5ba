/**
 * The capture file format pcapng (draft-ietf-opsawg-pcapng), as much of it as raw IP packets need:
 * one section, an interface for each port, names of addresses, enhanced packet blocks with time in
 * µs, direction and comment.
 */
import { isIpv4, type IpAddress } from '../core/ip/address';
import { Direction } from '../core/segment/layout';

const enum Block {
  SectionHeader = 0x0a0d0d0a,
  Interface = 1,
  NameResolution = 4,
  EnhancedPacket = 6,
}

const END_OF_OPTIONS = 0;
const COMMENT = 1;
const SECTION_APPLICATION = 4;
const INTERFACE_NAME = 2;
const INTERFACE_TIME_RESOLUTION = 9;
const PACKET_FLAGS = 2;
const END_OF_RECORDS = 0;
const RECORD_IPV4 = 1;
const RECORD_IPV6 = 2;

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

  /** Says what addresses are called; to stand before the packets that have them. */
  addNames(names: readonly (readonly [IpAddress, string])[]): void {
    const records = names.map(([address, name]) => nameRecord(address, name));
    const length = records.reduce((sum, record) => sum + 4 + padded(record.length), 0);
    let at = this.begin(Block.NameResolution, length + 4 + 4);
    records.forEach((record, i) => {
      at = this.option(at, isIpv4(names[i][0]) ? RECORD_IPV4 : RECORD_IPV6, record);
    });
    this.view.setUint16(at, END_OF_RECORDS, true);
    this.view.setUint16(at + 2, 0, true);
    this.end(at + 4);
  }

  /**
   * Writes a packet.
   * @param interfaceNumber what `addInterface` returned
   * @param time µs since 1970
   * @param bytes from its IP header on
   * @param comment what is to be said of it; '' for nothing
   */
  packet(
    interfaceNumber: number,
    direction: Direction,
    time: number,
    bytes: Uint8Array,
    comment = '',
  ): void {
    const { length } = bytes;
    const said = comment === '' ? 0 : optionLength(comment);
    const at = this.begin(Block.EnhancedPacket, 20 + padded(length) + said + 12);
    this.view.setUint32(at, interfaceNumber, true);
    this.view.setUint32(at + 4, Math.floor(time / 2 ** 32), true);
    this.view.setUint32(at + 8, time % 2 ** 32, true);
    this.view.setUint32(at + 12, length, true);
    this.view.setUint32(at + 16, length, true);
    const data = at + 20;
    let option = data + padded(length);
    this.buffer.set(bytes, data);
    this.buffer.fill(0, data + length, option);
    if (comment !== '') option = this.text(option, COMMENT, comment);
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
    return this.option(at, code, new TextEncoder().encode(text));
  }

  /** Writes an option, or a record, which has the same form; returns where it ends. */
  private option(at: number, code: number, value: Uint8Array): number {
    const { length } = value;
    this.view.setUint16(at, code, true);
    this.view.setUint16(at + 2, length, true);
    this.buffer.set(value, at + 4);
    this.buffer.fill(0, at + 4 + length, at + 4 + padded(length));
    return at + 4 + padded(length);
  }
}

/** Bytes of an option that holds `text`. */
function optionLength(text: string): number {
  return 4 + padded(new TextEncoder().encode(text).length);
}

/** An address in network order, and its name, which a zero byte ends. */
function nameRecord(address: IpAddress, name: string): Uint8Array {
  const { w0, w1, w2, w3 } = address;
  const words = isIpv4(address) ? [w3] : [w0, w1, w2, w3];
  const text = new TextEncoder().encode(name);
  const record = new Uint8Array(words.length * 4 + text.length + 1);
  const view = new DataView(record.buffer);
  words.forEach((word, i) => view.setInt32(i * 4, word));
  record.set(text, words.length * 4);
  return record;
}
