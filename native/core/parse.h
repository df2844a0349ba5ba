#pragma once

// From the bytes of a packet to a descriptor. lib/codec/parse.ts does the same: the same result and
// the same words for every input. The order of the checks is therefore part of the contract:
//
// All Word::Stride words are zero first. The packet is `length` bytes at `offset`; "the rest" below
// is what remains of the length that the IP header states. Bytes after it are padding, ignored.
//
//   1. no byte at all                                      → Truncated
//      version (high half of the first byte) 4 → 2, 6 → 3, else → BadVersion
//
//   2. IPv4 (RFC 791), in Linux's order
//      a. fewer than 20 bytes                              → Truncated
//      b. IHL < 5                                          → BadHeader
//      c. fewer than IHL * 4 bytes                         → Truncated
//      d. the header's sum is not 0xffff                   → BadIpChecksum
//      e. total length > bytes                             → Truncated
//      f. total length < IHL * 4                           → BadHeader
//      g. the IP words are written (see below)
//      h. more-fragments bit set or fragment offset not 0  → 4, else → 5 by the protocol
//      Options are skipped unread. The reserved bit is ignored.
//
//   3. IPv6 (RFC 8200)
//      a. fewer than 40 bytes                              → Truncated
//      b. 40 + payload length > bytes                      → Truncated
//      c. source or destination in ::ffff:0:0/96           → IP words, Protocol being the fixed
//         header's next header and TransportOffset behind the fixed header; Martian
//      d. extension headers, in a loop on the next header:
//         0 (hop-by-hop) right behind the fixed header, 60 (destination options), 43 (routing):
//           - fewer than 8 bytes left of the rest          → BadHeader (so of a jumbogram)
//           - (length byte + 1) * 8 bytes > what is left   → BadHeader
//           - 43: segments left (4th byte) is not 0        → problem 0, the type (3rd byte)
//           - 0, 60: options from its 3rd byte to its end, one by one: type 0 is one byte; any
//             other has a length byte, which and whose data must lie within the header, else →
//             BadHeader. By the two highest bits of its type (§4.2): 00 is skipped, 01 → BadHeader,
//             10 → problem 2, the type; 11 → the same, but BadHeader where the destination is
//             multicast. Type 5 of length 2 in header 0 is a router alert (RFC 2711).
//         0 at a later place                               → problem 1, the byte that says so
//         44 (fragment): fewer than 8 bytes left           → BadHeader
//           - offset (13 bits) not 0 or M set              → IP words, Protocol being its next
//             header, Identification its own; → 4
//           - else skipped: an atomic fragment (RFC 6946)
//         anything else                                    → the IP words are written; → 5
//      "Problem c, byte": the packet is to be answered with a parameter problem of code c that
//      points there. IP words, but Protocol is 59 and TransportOffset the header that has the byte
//      (or that the byte announces); Kind is 4 << 8 | c, Rest the byte's offset in the packet; Ok.
//
//   4. A fragment: Fragment is its offset in bytes, and kMoreFragments; the rest is its payload,
//      of which nothing is read                            → Ok
//
//   5. TCP (6; RFC 9293 §3.1), in the rest
//      a. fewer than 20 bytes                              → BadTransportHeader
//      b. data offset < 5, or data offset * 4 > the rest   → BadTransportHeader
//      c. Checksum: Verified when pseudo-header and the rest sum to 0xffff; else Partial when the
//         field equals the folded, uncomplemented sum of the pseudo-header; else Bad (still Ok)
//      d. the TCP words are written, options into theirs   → Ok
//
//      UDP (17; RFC 768, RFC 8200 §8.1), in the rest
//      a. fewer than 8 bytes, or length < 8 or > the rest; but a length of 0 in IPv6 is the rest, as
//         Linux has it                                     → BadTransportHeader
//      b. what follows the stated length is ignored. Checksum: None when the field is 0 in IPv4, Bad
//         in IPv6; else as TCP's
//      c. the ports, Hash and the payload                  → Ok
//
//      ICMP (1 in IPv4, RFC 792; 58 in IPv6, RFC 4443), in the rest
//      a. fewer than 8 bytes                               → BadTransportHeader
//      b. Checksum: Verified or Bad (still Ok)
//      c. Kind is type << 8 | code, Rest the four bytes behind the checksum; the payload follows
//      d. Quoted is -1, unless it is an error (type 3, 11 or 12; in IPv6 1 to 4) that quotes a
//         packet of the same family, which has its whole fixed header, in IPv4 with IHL >= 5, from
//         this packet's destination to an address that isn't mapped; which is no fragment but a
//         first one; and where behind IPv4's options, or the extension headers 0, 43, 44 and 60 in
//         any order, at least 8 bytes follow. Lengths that the quoted header states, and its
//         checksum, are not looked at: it was cut, and routed. Then Quoted is its protocol, Peer its
//         destination; of TCP and UDP the ports, exchanged, and of TCP Sequence; of an echo request
//         DestinationPort its identifier and Sequence its number  → Ok
//
//      Any other protocol: the rest is the payload. In IPv6 Rest is the offset, in the packet, of
//      the next-header byte that names it                  → Ok
//
// Options (RFC 9293 §3.1), as Linux reads them: kind 0 ends, kind 1 is one byte. Any other has a
// length byte; the reading ends (and what was read stays) where that is missing, < 2, or reaches
// beyond the header. Kind 2 with length 4: Mss. 3 with 3: WindowScale, at most 14 (RFC 7323 §2.3).
// 4 with 2: SackPermitted. 8 with 10: TsVal, TsEcr. 5 with 10, 18, 26 or 34: Sack. A known kind of
// another length and any unknown one is skipped. Of one that comes twice the last counts. They are
// read whatever the flags: that MSS, window scale and SACK-permitted mean something on a SYN only is
// the core's business.
//
// Words. With Truncated, BadVersion, BadHeader and BadIpChecksum all are zero. "IP words": Family,
// Protocol (of the transport header), TrafficClass, HopLimit, Source, Destination, Identification
// (in IPv4 with kMayFragment where DF isn't set; in IPv6 the flow label, of a fragment its
// identification), Slab, PacketOffset, PacketLength (as stated by the IP header, without padding),
// TransportOffset. Martian and BadTransportHeader have just these. Ok has PayloadOffset and
// PayloadLength too, and what 4 and 5 say; of IPv6 packets with a router alert, but not of TCP,
// Option::RouterAlert in Options. Interface, GsoSize and SliceCount stay zero (the first two are
// the caller's to set). Direction is In.

#include <cstddef>
#include <cstdint>

#include "core/descriptor.h"
#include "core/flow_hash.h"

namespace netland {

/// name, number, name of the counter of packets that had this result
#define NETLAND_PARSE_RESULTS(X)       \
  X(Ok, 0, "ok")                       \
  X(Truncated, 1, "truncated")         \
  X(BadVersion, 2, "badVersion")       \
  X(BadHeader, 3, "badHeader")         \
  X(BadIpChecksum, 4, "badIpChecksum") \
  X(Martian, 5, "martian")             \
  X(BadTransportHeader, 6, "badTransportHeader")

enum class ParseResult : int32_t {
#define NETLAND_ENUMERATOR(name, number, counter) name = (number),
  NETLAND_PARSE_RESULTS(NETLAND_ENUMERATOR)
#undef NETLAND_ENUMERATOR
};

/// Names of the results by their number.
inline constexpr NamedNumber kParseResultNames[] = {
#define NETLAND_NAMED(name, number, counter) {#name, (number)},
    NETLAND_PARSE_RESULTS(NETLAND_NAMED)
#undef NETLAND_NAMED
};
/// Names of the results' counters by the results' number.
inline constexpr const char* kParseResultCounters[] = {
#define NETLAND_COUNTER(name, number, counter) counter,
    NETLAND_PARSE_RESULTS(NETLAND_COUNTER)
#undef NETLAND_COUNTER
};
inline constexpr size_t kParseResults = sizeof(kParseResultNames) / sizeof(kParseResultNames[0]);

/// What a device that has put the packet down says of the checksum of TCP or UDP in it.
struct ChecksumHint {
  enum Kind : uint8_t {
    /// Nothing: the bytes are summed.
    None,
    /// It is right; the bytes aren't read.
    Verified,
    /// Its field holds the pseudo-header's sum alone, as the sender left it to a device. It is
    /// Partial where that is so, else Bad, as it would be once it was completed; the bytes aren't
    /// read. Of a checksum at another place than that of TCP or UDP nothing is said.
    Partial,
  };
  Kind kind = None;
  /// Of Partial: bytes from the IP header to where what is summed begins, and from there to the
  /// field.
  size_t start = 0;
  size_t field = 0;
};

/// Reads the IPv4 or IPv6 packet of `length` bytes at `slab + offset`, all of which must be
/// readable; offset + length is less than 2^31.
/// @param slab_index goes into Word::Slab
/// @param words Word::Stride of them, all written
ParseResult parse(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                  const HashKey& key, int32_t* words, const ChecksumHint& hint = {}) noexcept;

}  // namespace netland
