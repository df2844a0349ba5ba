#pragma once

// virtio_net_hdr (virtio 1.3, §5.1.6), what TUN devices and packet sockets put before a packet: that
// its checksum is still to be completed, and that it stands for many (GSO).

#include <cstddef>
#include <cstdint>

#include "core/parse.h"

namespace netland {

/// Bytes of the header that say something. A longer one, as TUNSETVNETHDRSZ can ask for, has others
/// behind, which are zero when sent and mean nothing when received.
inline constexpr size_t kVnetHeader = 10;

/// struct virtio_net_hdr, in the host's byte order (linux/virtio_net.h is no C++).
struct VnetHeader {
  enum Flag : uint8_t { NeedsChecksum = 1, DataValid = 2 };
  enum Gso : uint8_t { None = 0, Tcp4 = 1, Tcp6 = 4, UdpL4 = 5, Ecn = 0x80 };

  uint8_t flags = 0;
  uint8_t gso_type = None;
  /// Of a packet that stands for many: bytes of all its headers. A hint, and ignored when received.
  uint16_t header_length = 0;
  /// Payload of each packet that it stands for.
  uint16_t gso_size = 0;
  /// Where what is to be summed begins, and from there the field.
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == kVnetHeader);

VnetHeader load_vnet_header(const uint8_t* at) noexcept;
void store_vnet_header(const VnetHeader& header, uint8_t* at) noexcept;

/// More datagrams than these in one (Linux: UDP_MAX_SEGMENTS) nobody sends.
inline constexpr int32_t kMaxDatagrams = 128;

/// Reads a packet as parse() does, and what the header before it says. A header that doesn't fit to
/// the packet does no harm: each of its fields is compared with it, or bounded by it.
///
/// Checksum is Partial where the header says so and the packet agrees (never else: such a sum is Bad),
/// Verified where it says that the data is valid. A checksum that is left open at another place than that of the packet's own
/// TCP or UDP header (of a tunnel's inner one, say) is completed where it stands, as a device would.
///
/// GsoSize is set where a TCP segment or UDP datagram is longer, and the type of GSO is its own. A
/// datagram that stands for more than kMaxDatagrams is dropped (BadTransportHeader).
/// @param start bytes before the IP header that the header's fields count from: none in TUN, else
///   the link layer's header
/// @param slab is written to where a checksum is completed
ParseResult parse_offloaded(const VnetHeader& header, size_t start, uint8_t* slab, size_t offset,
                            size_t length, int32_t slab_index, const HashKey& key,
                            int32_t* words) noexcept;

/// The header of a packet whose headers build_headers has made, with TransportChecksum::Partial:
/// the checksum of TCP and UDP is left to the device, and with GsoSize cutting it into many.
/// A fragment has none of both: its header is VnetHeader{}.
/// @param start as above
/// @param headers bytes that build_headers has written
VnetHeader offload_of(const int32_t* words, size_t start, size_t headers) noexcept;

}  // namespace netland
