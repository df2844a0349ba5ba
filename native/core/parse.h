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
//      g. IP words are written (see below)
//      h. more-fragments bit set or fragment offset not 0  → Fragment
//      i. protocol is not 6                                → 5, else → 4
//      Options are skipped unread. The reserved and DF bits are ignored.
//
//   3. IPv6 (RFC 8200)
//      a. fewer than 40 bytes                              → Truncated
//      b. payload length 0 (jumbogram, or nothing inside)  → BadHeader
//      c. 40 + payload length > bytes                      → Truncated
//      d. source or destination in ::ffff:0:0/96           → IP words, Protocol being the fixed
//         header's next header and TransportOffset behind the fixed header; Martian
//      e. extension headers, in a loop on the next header:
//         0 (hop-by-hop) right behind the fixed header, 60 (destination options), 43 (routing):
//           - fewer than 8 bytes left of the rest          → BadHeader
//           - (length byte + 1) * 8 bytes > what is left   → BadHeader
//           - 43: segments left (4th byte) is not 0        → BadHeader
//           - 0, 60: options from its 3rd byte to its end: type 0 is one byte; any other has a
//             length byte, which and whose data must lie within the header, else → BadHeader; a
//             type with either of its two highest bits set → BadHeader (§4.2: not skippable)
//         44 (fragment): fewer than 8 bytes left           → BadHeader
//           - offset (13 bits) not 0 or M set              → IP words, Protocol being its next
//             header and TransportOffset behind the fragment header; Fragment
//           - else skipped: an atomic fragment (RFC 6946)
//         anything else, 0 at a later place too            → the loop ends
//      f. IP words are written
//      g. next header is not 6 (AH and ESP included)       → 5, else → 4
//
//   4. TCP (RFC 9293 §3.1), in the rest
//      a. fewer than 20 bytes                              → BadTcpHeader
//      b. data offset < 5, or data offset * 4 > the rest   → BadTcpHeader
//      c. Checksum: Verified when pseudo-header and the rest sum to 0xffff; else Partial when the
//         field equals the folded, uncomplemented sum of the pseudo-header; else Bad (still Ok)
//      d. the TCP words are written, options into theirs   → Ok
//
//   5. ICMP errors that quote a TCP segment, in the rest; whatever else → NotTcp
//      a. protocol 1 in IPv4, 58 in IPv6; at least 8 bytes; type 3, 11 or 12 (RFC 792), or 1 to 4
//         (RFC 4443)
//      b. the quoted packet is of the same family and has its whole fixed header, in IPv4 with
//         IHL >= 5; it is no fragment but a first one; behind IPv4's options, or the extension
//         headers 0, 43, 44 and 60 in any order, stands TCP with at least 8 bytes. Lengths that the
//         quoted header states, and its checksum, are not looked at: it was cut, and routed
//      c. the quoted source is the packet's destination; the quoted destination isn't mapped
//      d. Checksum: Verified or Bad (still Ok)
//      e. the ICMP words are written                       → Ok
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
// Protocol (of the transport header), TrafficClass, HopLimit, Source, Destination, Identification,
// Slab, PacketOffset, PacketLength (as stated by the IP header, without padding), TransportOffset.
// Fragment, NotTcp, Martian and BadTcpHeader have just these; Ok has all but Interface, GsoSize and
// SliceCount, which stay zero (the first two are the caller's to set). Of an ICMP error Ok has the
// IP words, Checksum, the quoted ports and sequence number, PayloadOffset and PayloadLength (of what
// is quoted) and those of IcmpWord. Direction is In.

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
  X(Fragment, 5, "fragment")           \
  X(NotTcp, 6, "notTcp")               \
  X(Martian, 7, "martian")             \
  X(BadTcpHeader, 8, "badTcpHeader")

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

/// Reads the IPv4 or IPv6 packet of `length` bytes at `slab + offset`, all of which must be
/// readable; offset + length is less than 2^31.
/// @param slab_index goes into Word::Slab
/// @param words Word::Stride of them, all written
ParseResult parse(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                  const HashKey& key, int32_t* words) noexcept;

/// What a raw IPv6 socket says of a packet beside its bytes (RFC 3542 §6).
struct Ip6Ancillary {
  const uint8_t* source = nullptr;       ///< 16 bytes
  const uint8_t* destination = nullptr;  ///< 16 bytes
  int32_t hop_limit = 0;
  int32_t traffic_class = 0;
  int32_t interface_index = 0;
};

/// The same for the payload of a raw IPv6 socket for TCP, which starts with the TCP header: checks
/// 3d and 4. PacketOffset is TransportOffset, PacketLength is `length`; Identification is 0.
/// Interface is written with the IP words.
ParseResult parse_ip6_payload(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                              const Ip6Ancillary& ancillary, const HashKey& key,
                              int32_t* words) noexcept;

}  // namespace netland
