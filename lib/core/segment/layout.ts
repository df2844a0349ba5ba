/**
 * The descriptor: what stands for one packet on both sides of the border to C++. It is a row of
 * 32-bit words in an Int32Array; `native/core/descriptor.h` has the same numbers (a test compares).
 * Multi-byte header fields are in host order, as int32; lengths and offsets in bytes.
 *
 * Beside TCP segments there are ICMP errors that quote one (`Protocol` is an `IpProtocol` for
 * ICMP). Their addresses are those of the packet itself, so `Source` is the router's. Ports and
 * `Sequence` are of the quoted segment, the ports as its receiver sees them: `DestinationPort` is
 * of the one who sent it, to whom the error came. `IcmpWord` has the rest; all other words of TCP
 * are 0.
 */
export const enum Word {
  /** 4 or 6. */
  Family = 0,
  /** The IP protocol number: 6 is TCP. */
  Protocol = 1,
  /** A `Checksum` state. */
  Checksum = 2,
  /** A `Direction`. */
  Direction = 3,
  /** Interface index; 0 where the link has one interface or doesn't know. */
  Interface = 4,
  /** IPv4 TOS or IPv6 traffic class: DSCP and ECN. */
  TrafficClass = 5,
  /** IPv4 TTL or IPv6 hop limit. */
  HopLimit = 6,
  /** Payload bytes of each segment of a super-segment; 0 where it is a single segment. */
  GsoSize = 7,
  /** Four words, most significant first. An IPv4 address is mapped: 0, 0, 0x0000ffff, address. */
  Source = 8,
  Destination = 12,
  SourcePort = 16,
  DestinationPort = 17,
  Sequence = 18,
  Acknowledgment = 19,
  /** The 12 bits after the data offset: 3 reserved, AE, CWR, ECE, URG, ACK, PSH, RST, SYN, FIN. */
  Flags = 20,
  /** The window field as it stands in the header, unscaled. */
  Window = 21,
  Urgent = 22,
  /** Keyed hash of the four-tuple as the receiver sees it (local is the destination). */
  Hash = 23,
  /** Index of the slab that holds the packet (received) or nothing (built: see the slices). */
  Slab = 24,
  /** Where the IP header starts in the slab. */
  PacketOffset = 25,
  /** IP header, its options or extension headers, TCP header and payload. */
  PacketLength = 26,
  /** Where the TCP header starts in the slab. */
  TransportOffset = 27,
  /** Where the TCP options start in the slab. */
  OptionsOffset = 28,
  /** 0 to 40 bytes. */
  OptionsLength = 29,
  /** Where the payload starts in the slab (received). */
  PayloadOffset = 30,
  PayloadLength = 31,
  /** A set of `Option` bits: which of the words below hold something. */
  Options = 32,
  Mss = 33,
  WindowScale = 34,
  TsVal = 35,
  TsEcr = 36,
  /** 0 to 4 blocks; of those received, the ones that were whole. */
  SackCount = 37,
  /** Left and right edge of each block. */
  Sack = 38,
  /**
   * IPv4 identification (to be built: and `MAY_FRAGMENT`, perhaps); IPv6 flow label.
   */
  Identification = 46,
  /** How many slices of the batch's slice table hold the payload (to be built). */
  SliceCount = 47,
  /** Words in a descriptor. */
  Stride = 48,
}

/** Words that mean something else in the descriptor of an ICMP error. */
export const enum IcmpWord {
  /** Type and code, as the two bytes stand in the header. */
  Kind = 21,
  /** Where the message is about that: the MTU of the next hop, as it stands there; else 0. */
  Mtu = 22,
  /** Four words: whom the quoted segment was for. */
  Peer = 38,
}

/** What is known of a received checksum. */
export const enum Checksum {
  /** Checked and right. */
  Verified = 0,
  /** The field holds the pseudo-header's sum alone: the sender left the rest to a device. */
  Partial = 1,
  Bad = 2,
}

export const enum Direction {
  In = 0,
  Out = 1,
}

/** The bits of `Word.Flags`, as in RFC 9293 §3.1 and RFC 9768 (AE). */
export const enum Flag {
  FIN = 0x001,
  SYN = 0x002,
  RST = 0x004,
  PSH = 0x008,
  ACK = 0x010,
  URG = 0x020,
  ECE = 0x040,
  CWR = 0x080,
  AE = 0x100,
}

/** The bits of `Word.Options`. */
export const enum Option {
  Mss = 1,
  WindowScale = 2,
  SackPermitted = 4,
  Timestamps = 8,
  Sack = 16,
}

/** Protocol numbers (IANA) of what descriptors stand for. */
export const enum IpProtocol {
  Icmp = 1,
  Tcp = 6,
  Icmp6 = 58,
}

/** Bit of `Word.Identification` of an IPv4 packet to be built: without DF. */
export const MAY_FRAGMENT = 65536;

/** Payload slices that one descriptor can have. */
export const MAX_SLICES = 8;

/** Words of one slice in a batch's slice table: slab, offset, length. */
export const SLICE_WORDS = 3;
