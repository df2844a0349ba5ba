/**
 * The descriptor: what stands for one packet on both sides of the border to C++. It is a row of
 * 32-bit words in an Int32Array; `native/core/descriptor.h` has the same numbers (a test compares).
 * Multi-byte header fields are in host order, as int32; lengths and offsets in bytes.
 *
 * Every packet with a sound IP header has one, whatever its protocol; `native/core/parse.h` says
 * what is checked and which words each has. Addresses are those of the packet itself. Words that
 * say nothing of a packet are 0.
 *
 * - TCP: all words but `Fragment`.
 * - UDP: `SourcePort`, `DestinationPort`, `Hash`, and the payload, as long as UDP's length says.
 * - ICMP (`Icmp` in IPv4, `Icmp6` in IPv6; each is just another protocol in the other family):
 *   `IcmpWord`. Of an error the ports and `Sequence` are of the packet that it quotes, the ports as
 *   its receiver sees them: `DestinationPort` is of the one who sent it, to whom the error came.
 * - Fragments: `Fragment` isn't 0. Nothing behind the IP words is read, the payload is what the
 *   fragment carries; `Protocol` is what it is a part of.
 * - Any other protocol: the payload. In IPv6 `IcmpWord.Rest` is where the packet names the
 *   protocol, for a parameter problem that says that it isn't known (RFC 4443 §3.4).
 * - ARP: the sender's and the target's protocol address, `IcmpWord.Kind` the operation, `ArpWord`.
 * - `IpProtocol.None` with an `IcmpWord.Kind`: an IPv6 packet that is to be answered with this
 *   message, a parameter problem, `IcmpWord.Rest` being its pointer.
 */
export const enum Word {
  /** 4 or 6. */
  Family = 0,
  /** The IP protocol number, an `IpProtocol` or any other; IPv6's extension headers are none. */
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
  /** As the IP header states it: IP header, its options or extension headers, and all behind. */
  PacketLength = 26,
  /** Where the transport header starts in the slab; of a fragment its payload. */
  TransportOffset = 27,
  /**
   * Of a received fragment the offset of its payload in bytes, and `MORE_FRAGMENTS`; 0: the packet
   * is whole. To be built: the largest IP packet, bytes; a longer one becomes fragments (of IPv4
   * only with `MAY_FRAGMENT`, else it can't be built). 0: no limit. With `IS_FRAGMENT` what is to
   * be built is a fragment itself, the other bits as of a received one, or, without any of them, a
   * whole packet; nothing more is written between its IP header and its payload.
   */
  Fragment = 28,
  /** Of TCP's options, which start 20 bytes behind `TransportOffset`: 0 to 40 bytes. */
  OptionsLength = 29,
  /** Where the payload starts in the slab (received). */
  PayloadOffset = 30,
  PayloadLength = 31,
  /** A set of `Option` bits: of TCP which of the words below hold something. */
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
   * IPv4 identification, 16 bits, and `MAY_FRAGMENT` where DF isn't set; IPv6 flow label, but of a
   * received IPv6 fragment its identification, 32 bits.
   */
  Identification = 46,
  /** How many slices of the batch's slice table hold the payload (to be built). */
  SliceCount = 47,
  /** Words in a descriptor. */
  Stride = 48,
}

/** Words that mean something else in the descriptor of an ICMP message. */
export const enum IcmpWord {
  /**
   * The protocol of the packet that an error quotes, if the receiver's own can be read there; else
   * -1. With it come `Peer`; of TCP and UDP the ports, of TCP `Sequence`; of an echo request its
   * identifier as `DestinationPort`, and its number as `Sequence`.
   */
  Quoted = 20,
  /** Type and code, as the two bytes stand in the header. */
  Kind = 21,
  /** The four bytes behind the checksum: identifier and number, MTU, pointer, … */
  Rest = 22,
  /** Four words: whom the quoted packet was for. */
  Peer = 38,
}

/** Words that mean something else in the descriptor of a packet to be built. */
export const enum BuildWord {
  /** Identification of the fragments of an IPv6 packet, or of one that is built, 32 bits. */
  FragmentId = 23,
  /** On links with hardware addresses, whom the frame is for: 16 bits, unsigned, and 32. */
  MacHigh = 24,
  MacLow = 25,
}

/**
 * Words that mean something else in the descriptor of a received ARP packet. To be built it has
 * `Family` 4, `Protocol` Arp, `IcmpWord.Kind`, the operation, both addresses, and whom the frame is
 * for, who in a reply is the target. The sender is the link's own hardware address.
 */
export const enum ArpWord {
  /** The sender's hardware address, 16 bits, unsigned, and 32. */
  SenderHigh = 18,
  SenderLow = 19,
}

/** What is known of a received checksum: of TCP, UDP and ICMP. */
export const enum Checksum {
  /** Checked and right; or the protocol is another one. */
  Verified = 0,
  /** The field holds the pseudo-header's sum alone: the sender left the rest to a device. */
  Partial = 1,
  Bad = 2,
  /** There is none: UDP over IPv4 may do without. To be built: without. */
  None = 3,
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

/** The bits of `Word.Options`: all but the last are of TCP. */
export const enum Option {
  Mss = 1,
  WindowScale = 2,
  SackPermitted = 4,
  Timestamps = 8,
  Sack = 16,
  /**
   * Not of TCP. Received over IPv6: the packet has hop-by-hop options with a router alert. To be
   * built: with a router alert of value 0, in either family (RFC 2113, RFC 2711).
   */
  RouterAlert = 32,
  /** Not of TCP. Received: the frame was for all hosts of the link, or for a group of them. */
  LinkMulticast = 64,
}

/** Protocol numbers (IANA) that mean something here. */
export const enum IpProtocol {
  Icmp = 1,
  Igmp = 2,
  Tcp = 6,
  Udp = 17,
  Icmp6 = 58,
  /** Nothing follows. */
  None = 59,
  /** No protocol of IP's: an ARP packet, `Family` 4, with the addresses that it is about. */
  Arp = 0x806,
}

/** Bit of `Word.Identification` of an IPv4 packet: without DF. */
export const MAY_FRAGMENT = 65536;

/** Bit of `Word.Fragment` of a received fragment: it isn't the last. */
export const MORE_FRAGMENTS = 1;

/** Bit of `Word.Fragment` of a packet to be built: it is a fragment. */
export const IS_FRAGMENT = -2147483648;

/** Payload slices that one descriptor can have. */
export const MAX_SLICES = 8;

/** Words of one slice in a batch's slice table: slab, offset, length. */
export const SLICE_WORDS = 3;
