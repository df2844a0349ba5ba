import type { Random } from '../../lib/core/environment';

/**
 * sfc32 (Ch. Doty-Humphrey): random words for the making of many packets. Unlike others it needs no
 * `Math`, which every use in Jest's contexts pays 100 ns for.
 */
export class QuickRandom implements Random {
  private a = 0;
  private b = 0;
  private counter = 1;

  constructor(private c: number) {
    for (let i = 0; i < 12; i++) this.next();
  }

  next(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result;
  }
}

/** Room that one made packet needs at most, bytes. */
export const MAX_MADE_PACKET = 2 * 65_536;

/** The ones' complement sum of big-endian words, by the book (RFC 1071 §1). */
export function plainSum(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += (i - from) & 1 ? bytes[i] : bytes[i] << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

/**
 * Makes packets of every kind into a buffer: both families, IP options and extension headers, TCP
 * with options from orderly to random, UDP, other protocols, fragments, right and wrong checksums;
 * ICMP messages that quote them; and damages some of them.
 */
export class PacketMaker {
  constructor(private readonly random: Random) {}

  /** A whole number from 0 to `n - 1`. */
  below(n: number): number {
    return (this.random.next() >>> 0) % n;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** Writes a packet at `at`; returns its length as the IP header states it. */
  make(out: Uint8Array, at: number): number {
    return this.chance(10) ? this.makeIcmp(out, at) : this.makeSegment(out, at);
  }

  private makeSegment(out: Uint8Array, at: number): number {
    return this.chance(50) ? this.makeIpv4(out, at) : this.makeIpv6(out, at);
  }

  /**
   * The same, then changes some of its bytes, cuts it or adds to it.
   * @returns how many bytes there are now
   */
  makeDamaged(out: Uint8Array, at: number): number {
    let length = this.make(out, at);
    if (this.chance(50)) {
      for (let n = 1 + this.below(3); n > 0; n--) this.damage(out, at, length);
      if (this.chance(60)) repairIpv4(out, at, length);
    }
    if (this.chance(10)) length = this.below(length + 1);
    else if (this.chance(5)) length += this.fill(out, at + length, this.below(20));
    return length;
  }

  private damage(out: Uint8Array, at: number, length: number): void {
    // Mostly in the headers: beyond them only the checksum notices.
    const place = at + this.below(this.chance(90) ? Math.min(length, 100) : length);
    if (this.chance(50)) out[place] ^= 1 << this.below(8);
    else out[place] = this.chance(30) ? 0 : this.below(256);
  }

  private makeIpv4(out: Uint8Array, at: number): number {
    const header = 20 + 4 * (this.chance(10) ? this.below(11) : 0);
    this.fill(out, at, header);
    out[at] = 0x40 | (header / 4);
    const fragment = this.chance(2) ? this.below(0x10000) : this.below(2) << 14;
    write16(out, at + 6, fragment);
    out[at + 9] = this.protocol();
    const length =
      header +
      this.makeTransport(out, at + header, out[at + 9], 65_535 - header, (length) => {
        write16(out, at + 2, header + length);
        return plainSum(out, at + 12, at + 20) + out[at + 9];
      });
    repairIpv4(out, at, length);
    return length;
  }

  private makeIpv6(out: Uint8Array, at: number): number {
    this.fill(out, at, 40);
    out[at] = 0x60 | this.below(16);
    if (this.chance(2)) this.mapAddress(out, at + (this.chance(50) ? 8 : 24));
    const protocol = this.protocol();
    // Chained from the last extension header to the first.
    const chain: number[] = [];
    while (this.chance(20)) chain.push([0, 43, 44, 60, 60, 0, 51, 59][this.below(8)]);
    if (this.chance(30)) chain.push(0);
    chain.reverse();
    let next = at + 6;
    let end = at + 40;
    for (const kind of chain) {
      out[next] = kind;
      next = end;
      end += this.makeExtension(out, end, kind);
    }
    out[next] = protocol;
    const extensions = end - at - 40;
    const length = this.makeTransport(out, end, protocol, 65_535 - extensions, (rest) => {
      write16(out, at + 4, extensions + rest);
      return plainSum(out, at + 8, at + 40) + protocol;
    });
    return 40 + extensions + length;
  }

  /** An ICMP message of any type that quotes the packet that was made before it. */
  private makeIcmp(out: Uint8Array, at: number): number {
    const is4 = this.chance(50);
    const header = is4 ? 20 : 40;
    const quoted = at + header + 8;
    const made = is4 ? this.makeIpv4(out, quoted) : this.makeIpv6(out, quoted);
    const left = Math.min(made, this.chance(80) ? 28 + this.below(600) : this.below(70));
    const length = header + 8 + left;
    this.fill(out, at, header + 8);
    const types = is4 ? [3, 3, 3, 11, 12, 4, 8] : [1, 2, 2, 3, 4, 0, 128];
    out[at + header] = types[this.below(7)];
    out[at + header + 1] = this.chance(80) ? this.below(16) : this.below(256);
    const mine = at + (is4 ? 16 : 24);
    const theirs = quoted + (is4 ? 12 : 8);
    if (this.chance(95)) out.copyWithin(mine, theirs, theirs + (is4 ? 4 : 16));
    out[at] = is4 ? 0x45 : 0x60;
    if (is4) {
      write16(out, at + 2, length);
      write16(out, at + 6, 0);
      out[at + 9] = this.chance(97) ? 1 : 58;
      repairIpv4(out, at, length);
    } else {
      write16(out, at + 4, length - 40);
      out[at + 6] = this.chance(97) ? 58 : 1;
    }
    const pseudo = is4 ? 0 : plainSum(out, at + 8, at + 40) + 58 + length - 40;
    const sum = () => foldPlain(pseudo + plainSum(out, at + header, at + length));
    write16(out, at + header + 2, 0);
    write16(out, at + header + 2, this.chance(90) ? ~sum() & 0xffff : this.below(0x10000));
    return length;
  }

  private makeExtension(out: Uint8Array, at: number, kind: number): number {
    const length = kind === 44 ? 8 : 8 * (1 + this.below(3));
    this.fill(out, at, length);
    out[at + 1] = kind === 44 ? 0 : length / 8 - 1;
    if (kind === 44 && this.chance(70)) write16(out, at + 2, this.below(4) << 1);
    if (kind === 43 && this.chance(70)) out[at + 3] = 0;
    if ((kind === 0 || kind === 60) && this.chance(80)) {
      // PadN over all of it, or options that may be skipped.
      let place = at + 2;
      while (place < at + length) {
        const left = at + length - place;
        if (left === 1 || this.chance(20)) {
          out[place++] = 0;
          continue;
        }
        const size = this.below(left - 1);
        out[place] = this.chance(90) ? this.below(64) || 1 : this.below(256);
        if (kind === 0 && size === 2 && this.chance(50)) out[place] = 5;
        out[place + 1] = size;
        place += 2 + size;
      }
    }
    return length;
  }

  private mapAddress(out: Uint8Array, at: number): void {
    out.fill(0, at, at + 10);
    out.fill(0xff, at + 10, at + 12);
  }

  private protocol(): number {
    const kind = this.below(100);
    if (kind < 65) return 6;
    if (kind < 85) return 17;
    return kind < 92 ? [1, 58, 2][this.below(3)] : this.below(256);
  }

  /**
   * @param place writes the length that the packet has with so many bytes; returns the sum of the
   *   pseudo-header without the length
   */
  private makeTransport(
    out: Uint8Array,
    at: number,
    protocol: number,
    room: number,
    place: (length: number) => number,
  ): number {
    if (protocol === 6) return this.makeTcp(out, at, room, place);
    const header = protocol === 17 || this.chance(90) ? 8 : 0;
    const length = header + this.payloadLength(room - header);
    this.fill(out, at, length);
    if (protocol !== 17) {
      place(length);
      return length;
    }
    const stated = this.chance(85) ? length : [0, 7, 8, length - 1, length + 1][this.below(5)];
    write16(out, at + 4, stated);
    const covered = stated < 8 || stated > length ? length : stated;
    const pseudo = place(length) + covered;
    write16(out, at + 6, 0);
    const sum = ~foldPlain(pseudo + plainSum(out, at, at + covered)) & 0xffff;
    const kinds = [sum, sum, sum, 0, foldPlain(pseudo), this.below(0x10000)];
    write16(out, at + 6, kinds[this.below(6)]);
    return length;
  }

  /** @param place as of `makeTransport` */
  private makeTcp(
    out: Uint8Array,
    at: number,
    room: number,
    place: (length: number) => number,
  ): number {
    const options = 4 * (this.chance(80) ? this.below(11) : 0);
    const payload = this.payloadLength(room - 20 - options);
    const length = 20 + options + payload;
    this.fill(out, at, 20);
    out[at + 12] = (((20 + options) / 4) << 4) | this.below(16);
    if (this.chance(80)) this.makeOptions(out, at + 20, options);
    else this.fill(out, at + 20, options);
    this.fill(out, at + 20 + options, payload);
    const pseudo = place(length) + length;
    write16(out, at + 16, 0);
    if (this.chance(80)) {
      write16(out, at + 16, ~foldPlain(pseudo + plainSum(out, at, at + length)) & 0xffff);
    } else {
      write16(out, at + 16, this.chance(70) ? foldPlain(pseudo) : this.below(0x10000));
    }
    return length;
  }

  private payloadLength(room: number): number {
    const kind = this.below(1000);
    if (kind < 500) return 0;
    if (kind < 950) return this.below(64);
    return kind < 998 ? this.below(1461) : this.below(room + 1);
  }

  /** Options one behind the other, each with its usual length or nearly. */
  private makeOptions(out: Uint8Array, at: number, length: number): void {
    const end = at + length;
    while (at < end) {
      const kind = [1, 1, 2, 3, 4, 5, 5, 8, 8, 0, 19, 34, 253][this.below(13)];
      out[at] = kind;
      if (kind === 1 || (kind === 0 && this.chance(30))) {
        at += 1;
        continue;
      }
      const usual = [2, 2, 4, 3, 2, 10 + 8 * this.below(4), 2, 2, 10][kind] ?? 2 + this.below(20);
      const size = this.chance(95) ? usual : this.below(45);
      if (at + 1 < end) out[at + 1] = size;
      const data = Math.min(end, at + Math.max(2, size));
      if (at + 2 < data) this.fill(out, at + 2, data - at - 2);
      at = Math.max(at + 2, data);
    }
  }

  private fill(out: Uint8Array, at: number, length: number): number {
    let i = 0;
    for (; i + 4 <= length; i += 4) {
      const word = this.random.next();
      out[at + i] = word;
      out[at + i + 1] = word >>> 8;
      out[at + i + 2] = word >>> 16;
      out[at + i + 3] = word >>> 24;
    }
    for (; i < length; i++) out[at + i] = this.random.next();
    return length;
  }
}

/** Makes the IPv4 header's checksum right, where there is such a header. */
export function repairIpv4(out: Uint8Array, at: number, length: number): void {
  const header = (out[at] & 15) * 4;
  if (out[at] >> 4 !== 4 || header < 20 || header > length) return;
  write16(out, at + 10, 0);
  write16(out, at + 10, ~plainSum(out, at, at + header) & 0xffff);
}

function foldPlain(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

function write16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 8;
  out[at + 1] = value;
}
