/** What came of a packet. `native/core/parse.h` has the same numbers (a test compares). */
export const enum ParseResult {
  /** A TCP segment, or an ICMP error that quotes one; the checksum's state is in its word. */
  Ok = 0,
  /** Shorter than its own length fields say. */
  Truncated = 1,
  BadVersion = 2,
  /** An IP header, or one of its extension headers, that can't be. */
  BadHeader = 3,
  BadIpChecksum = 4,
  /** A part of a fragmented packet. */
  Fragment = 5,
  /** Neither of these. */
  NotTcp = 6,
  /** An address that must not be on the wire: IPv4 mapped into IPv6. */
  Martian = 7,
  BadTcpHeader = 8,
}

/** The names under which a link counts packets, by result. */
export const RESULT_COUNTERS: readonly string[] = [
  'ok',
  'truncated',
  'badVersion',
  'badHeader',
  'badIpChecksum',
  'fragment',
  'notTcp',
  'martian',
  'badTcpHeader',
];
