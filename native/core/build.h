#pragma once

// From a descriptor and payload slices to the bytes of a packet. lib/codec/build.ts does the same:
// the same bytes for every descriptor.
//
// IPv4: no options; DF is set unless Identification has kMayFragment; TOS, TTL and identification
// (low 16 bits) are the descriptor's.
// IPv6: no extension headers; class, flow label (low 20 bits of Identification), hop limit.
// TCP: the reserved bits are zero; a word wider than its field is cut to the field's low bits.
// Options as Linux lays them out, each padded in front to a multiple of four bytes, in this order:
//   MSS; SACK-permitted and timestamps in one (4 2 8 10) or, without SACK-permitted, NOP NOP
//   timestamps; NOP NOP SACK-permitted where there are no timestamps; NOP window scale;
//   NOP NOP SACK with as many of its blocks as fit into 40 bytes of options (none fit: left out).
// Both checksums are right, the TCP one over pseudo-header, header and payload.

#include <cstddef>
#include <cstdint>

#include "core/descriptor.h"

namespace netland {

/// The longest header that is built: IPv6 and TCP with 40 bytes of options.
inline constexpr size_t kMaxHeaderLength = 100;

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

/// Bytes of the IP and TCP headers, 40 to kMaxHeaderLength; 0 for an unknown family.
size_t header_length(const int32_t* words) noexcept;

/// Bytes of the packet (headers and PayloadLength); 0 when no such packet can be built: unknown
/// family or protocol, negative payload length, longer than IP's length field can say.
size_t packet_length(const int32_t* words) noexcept;

enum class TcpChecksum {
  Complete,
  /// The field holds the pseudo-header's sum alone and a device does the rest (offload).
  Partial,
};

/// Writes both headers; the payload isn't copied, but summed.
/// @param out room for kMaxHeaderLength bytes
/// @return bytes written; 0 (and nothing written) when packet_length is 0 or the payload's length
///   is not PayloadLength
size_t build_headers(const int32_t* words, const Payload& payload, uint8_t* out,
                     TcpChecksum checksum = TcpChecksum::Complete) noexcept;

/// Writes the whole packet.
/// @return bytes written; 0 (and nothing written) where build_headers has 0 or `room` is less
size_t build_packet(const int32_t* words, const Payload& payload, uint8_t* out, size_t room,
                    TcpChecksum checksum = TcpChecksum::Complete) noexcept;

}  // namespace netland
