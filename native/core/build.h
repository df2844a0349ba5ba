#pragma once

// From a descriptor and payload slices to the bytes of a packet. lib/codec/build.ts does the same:
// the same bytes for every descriptor.
//
// IPv4: DF is set unless Identification has kMayFragment; TOS, TTL and identification (low 16 bits)
// are the descriptor's. IPv6: class, flow label (low 20 bits of Identification), hop limit. Neither
// has options or extension headers, but where Options has Option::RouterAlert (of TCP that means
// nothing) a router alert of value 0: an option in IPv4, hop-by-hop options in IPv6.
// TCP: the reserved bits are zero; a word wider than its field is cut to the field's low bits.
// Options as Linux lays them out, each padded in front to a multiple of four bytes, in this order:
//   MSS; SACK-permitted and timestamps in one (4 2 8 10) or, without SACK-permitted, NOP NOP
//   timestamps; NOP NOP SACK-permitted where there are no timestamps; NOP window scale;
//   NOP NOP SACK with as many of its blocks as fit into 40 bytes of options (none fit: left out).
// UDP: the ports; a checksum of zero is sent as 0xffff, and ChecksumState::None in IPv4 as 0.
// ICMP (1 in IPv4, 58 in IPv6): Kind, Rest. Any other protocol: nothing stands before the payload.
// With kIsFragment in Fragment a fragment of that protocol: nothing but IPv6's fragment header stands
// before the payload; without an offset and kMoreFragments not even that, the packet is whole.
// All checksums are right, those of TCP, UDP and ICMPv6 over the pseudo-header too.

#include <cstddef>
#include <cstdint>

#include "core/descriptor.h"

namespace netland {

/// The longest headers that are built: of a fragment, IPv6 and TCP with 40 bytes of options.
inline constexpr size_t kMaxHeaderLength = 108;

/// The longest packet that is built: IPv6 with its largest payload length.
inline constexpr size_t kMaxPacketLength = 40 + 65535;

/// A descriptor's payload where it lies.
struct Payload {
  struct Piece {
    const uint8_t* data;
    size_t length;
  };
  Piece pieces[kMaxSlices];
  int32_t count = 0;
  /// Bytes of all pieces.
  size_t length = 0;
};

/// Finds the payload of a descriptor in the slabs.
/// @param slices the descriptor's places in the slice table (slices_at)
/// @return false where the words are wrong: more than kMaxSlices, an unknown slab, a slice that
///   reaches beyond its slab, or a sum of lengths that is not PayloadLength
bool find_payload(const int32_t* words, const int32_t* slices, const SlabTable& slabs,
                  Payload& payload) noexcept;

/// Bytes of the IP header with its option, or extension header; 0 for an unknown family.
size_t ip_header_length(const int32_t* words) noexcept;

/// Bytes of the IP header, and of the transport header or IPv6's fragment header, up to
/// kMaxHeaderLength; 0 for an unknown family.
size_t header_length(const int32_t* words) noexcept;

/// Bytes of the packet (headers and PayloadLength), were it not split; 0 when no such packet can be
/// built: unknown family, no protocol number, negative payload length, longer than IP's length field
/// can say.
size_t packet_length(const int32_t* words) noexcept;

/// Makes the IP header of `length` bytes that of a fragment (RFC 791 §3.2, RFC 8200 §4.5), and writes
/// IPv6's fragment header behind it.
/// @param field offset in bytes, and kMoreFragments
/// @param id IPv6's identification; IPv4 has its own already
/// @param carried bytes that it carries
/// @return where its payload starts
size_t make_fragment_header(uint8_t* out, size_t length, uint32_t field, int32_t id,
                            size_t carried) noexcept;

/// Of TCP and UDP.
enum class TransportChecksum {
  Complete,
  /// The field holds the pseudo-header's sum alone and a device does the rest (offload).
  Partial,
};

/// Writes both headers, of the whole packet whatever its length; the payload isn't copied, but
/// summed.
/// @param out room for kMaxHeaderLength bytes
/// @return bytes written; 0 (and nothing written) when packet_length is 0 or the payload's length
///   is not PayloadLength
size_t build_headers(const int32_t* words, const Payload& payload, uint8_t* out,
                     TransportChecksum checksum = TransportChecksum::Complete) noexcept;

/// Writes the whole packet.
/// @return bytes written; 0 (and nothing written) where build_headers has 0 or `room` is less
size_t build_packet(const int32_t* words, const Payload& payload, uint8_t* out, size_t room,
                    TransportChecksum checksum = TransportChecksum::Complete) noexcept;

}  // namespace netland
