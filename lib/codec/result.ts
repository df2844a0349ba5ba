/** What came of a packet. `native/core/parse.h` has the same numbers (a test compares). */
export const enum ParseResult {
  /** Its descriptor says what it is; the state of a checksum is in its word. */
  Ok = 0,
  /** Shorter than its own length fields say. */
  Truncated = 1,
  BadVersion = 2,
  /** An IP header, or one of its extension headers, that can't be. */
  BadHeader = 3,
  BadIpChecksum = 4,
  /** An address that must not be on the wire: IPv4 mapped into IPv6. */
  Martian = 5,
  /** TCP, UDP or ICMP without a whole header, or with one whose lengths can't be. */
  BadTransportHeader = 6,
}

/** The names under which a link counts packets, by result. */
export const RESULT_COUNTERS: readonly string[] = [
  'ok',
  'truncated',
  'badVersion',
  'badHeader',
  'badIpChecksum',
  'martian',
  'badTransportHeader',
];
