/** An IP address of either family as four words; IPv4 is mapped (::ffff:a.b.c.d). Immutable. */
export interface IpAddress {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

/** A range of addresses. */
export interface Prefix {
  readonly address: IpAddress;
  /** 0 to 128 bits in the mapped space: an IPv4 /8 is 104. */
  readonly length: number;
}

const MAPPED = 0x0000ffff;
const MAPPED_BITS = 96;

/** The IPv4 address in `word`, most significant byte first. */
export function ipv4(word: number): IpAddress {
  return { w0: 0, w1: 0, w2: MAPPED, w3: word | 0 };
}

/** The IPv6 address in four words, most significant first. */
export function ipv6(w0: number, w1: number, w2: number, w3: number): IpAddress {
  return { w0: w0 | 0, w1: w1 | 0, w2: w2 | 0, w3: w3 | 0 };
}

/** 0.0.0.0, that is ::ffff:0.0.0.0. */
export const ANY4: IpAddress = ipv4(0);
/** The unspecified address, :: (RFC 4291 §2.5.2). */
export const ANY6: IpAddress = ipv6(0, 0, 0, 0);
/** 127.0.0.1. */
export const LOOPBACK4: IpAddress = ipv4(0x7f000001);
/** ::1 (RFC 4291 §2.5.3). */
export const LOOPBACK6: IpAddress = ipv6(0, 0, 0, 1);

/** Whether it is an IPv4 address (mapped, RFC 4291 §2.5.5.2). */
export function isIpv4(a: IpAddress): boolean {
  return a.w2 === MAPPED && a.w1 === 0 && a.w0 === 0;
}

/** Whether it is 0.0.0.0 or ::. */
export function isWildcard(a: IpAddress): boolean {
  return a.w3 === 0 && a.w1 === 0 && a.w0 === 0 && (a.w2 === MAPPED || a.w2 === 0);
}

/** Whether it is in 127.0.0.0/8 or ::1. */
export function isLoopback(a: IpAddress): boolean {
  return isIpv4(a) ? a.w3 >>> 24 === 127 : sameAddress(a, LOOPBACK6);
}

/** `isLoopback` of the address in four words from `at`; makes nothing. */
export function isLoopbackAt(words: Int32Array, at: number): boolean {
  if (words[at] !== 0 || words[at + 1] !== 0) return false;
  const w3 = words[at + 3];
  return words[at + 2] === 0 ? w3 === 1 : words[at + 2] === MAPPED && w3 >>> 24 === 127;
}

/** Whether it is in 224.0.0.0/4 or ff00::/8. */
export function isMulticast(a: IpAddress): boolean {
  return isIpv4(a) ? a.w3 >>> 28 === 14 : a.w0 >>> 24 === 0xff;
}

/** Whether a host can have it: neither a wildcard nor multicast nor IPv4's limited broadcast. */
export function isUnicast(a: IpAddress): boolean {
  return !isWildcard(a) && !isMulticast(a) && !(isIpv4(a) && a.w3 === -1);
}

export function sameAddress(a: IpAddress, b: IpAddress): boolean {
  return a.w3 === b.w3 && a.w2 === b.w2 && a.w1 === b.w1 && a.w0 === b.w0;
}

/** Whether `address` is in `prefix`. */
export function contains(prefix: Prefix, address: IpAddress): boolean {
  const p = prefix.address;
  return (
    ((p.w0 ^ address.w0) & mask(prefix.length)) === 0 &&
    ((p.w1 ^ address.w1) & mask(prefix.length - 32)) === 0 &&
    ((p.w2 ^ address.w2) & mask(prefix.length - 64)) === 0 &&
    ((p.w3 ^ address.w3) & mask(prefix.length - 96)) === 0
  );
}

/** `contains` of the address in four words from `at`; makes nothing. */
export function containsAt({ address: p, length }: Prefix, words: Int32Array, at: number): boolean {
  return (
    ((p.w0 ^ words[at]) & mask(length)) === 0 &&
    ((p.w1 ^ words[at + 1]) & mask(length - 32)) === 0 &&
    ((p.w2 ^ words[at + 2]) & mask(length - 64)) === 0 &&
    ((p.w3 ^ words[at + 3]) & mask(length - 96)) === 0
  );
}

/** How many leading bits two addresses share, 0 to 128 in the mapped space. */
export function commonBits(a: IpAddress, b: IpAddress): number {
  if (a.w0 !== b.w0) return Math.clz32(a.w0 ^ b.w0);
  if (a.w1 !== b.w1) return 32 + Math.clz32(a.w1 ^ b.w1);
  if (a.w2 !== b.w2) return 64 + Math.clz32(a.w2 ^ b.w2);
  return 96 + Math.clz32(a.w3 ^ b.w3);
}

/** The address with its bits behind the first `length` cleared. */
export function networkOf({ address: a, length }: Prefix): IpAddress {
  return {
    w0: a.w0 & mask(length),
    w1: a.w1 & mask(length - 32),
    w2: a.w2 & mask(length - 64),
    w3: a.w3 & mask(length - 96),
  };
}

/** A word with its `bits` leading bits set; `bits` may lie outside of 0 to 32. */
function mask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}

/** The address in the four words from `at`. */
export function readAddress(words: Int32Array, at: number): IpAddress {
  return { w0: words[at], w1: words[at + 1], w2: words[at + 2], w3: words[at + 3] };
}

export function writeAddress(a: IpAddress, words: Int32Array, at: number): void {
  words[at] = a.w0;
  words[at + 1] = a.w1;
  words[at + 2] = a.w2;
  words[at + 3] = a.w3;
}

/**
 * Reads a dotted quad (four decimal numbers without leading zeros) or IPv6 text (RFC 4291 §2.2,
 * mapped forms too). No zone, no surrounding space. Null when it is neither.
 */
export function parseAddress(text: string): IpAddress | null {
  if (!text.includes(':')) {
    const word = parseQuad(text);
    return word === null ? null : ipv4(word);
  }
  return parseIpv6(text);
}

/** The word of a dotted quad, or null. */
function parseQuad(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  let word = 0;
  for (let i = 1; i <= 4; i++) {
    const part = match[i];
    if (part.length > 1 && part.startsWith('0')) return null;
    if (Number(part) > 255) return null;
    word = (word << 8) | Number(part);
  }
  return word;
}

function parseIpv6(text: string): IpAddress | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const compressed = halves.length === 2;
  const head = parseGroups(halves[0], !compressed);
  const tail = compressed ? parseGroups(halves[1], true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (compressed ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (i: number) => (groups[2 * i] << 16) | groups[2 * i + 1];
  return ipv6(word(0), word(1), word(2), word(3));
}

/** 16-bit groups of one side of `::`; a dotted quad may stand last at the end of an address. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    if (last && i === parts.length - 1 && part.includes('.')) {
      const quad = parseQuad(part);
      if (quad === null) return null;
      groups.push(quad >>> 16, quad & 0xffff);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return null;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

/** '10.0.0.1' for IPv4, the canonical text of RFC 5952 for IPv6. */
export function formatAddress(a: IpAddress): string {
  return isIpv4(a) ? formatQuad(a.w3) : formatIpv6(a);
}

/** As a socket of that domain shows it: domain 6 prints IPv4 as '::ffff:10.0.0.1'. */
export function formatAddressAs(a: IpAddress, domain: 4 | 6): string {
  return domain === 6 && isIpv4(a) ? `::ffff:${formatQuad(a.w3)}` : formatAddress(a);
}

function formatQuad(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

function formatIpv6(a: IpAddress): string {
  const groups = [a.w0, a.w1, a.w2, a.w3].flatMap((word) => [word >>> 16, word & 0xffff]);
  // RFC 5952 §4.2: the longest run of two or more zero groups becomes '::', the first of equals.
  let start = 0;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) {
      start = i;
      length = end - i;
    }
    if (end > i) i = end;
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return length < 2 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`;
}

/** Reads '10.0.0.1/8', 'fd00::1/64' or a bare address (its full length); null when it is none. */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  if (slash < 0) return { address, length: 128 };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return null;
  // A mapped address written as IPv6 has its length in IPv6's bits.
  const quad = !text.includes(':');
  const length = Number(digits) + (quad ? MAPPED_BITS : 0);
  return length > 128 ? null : { address, length };
}
