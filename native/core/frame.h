#pragma once

// Ethernet frames (RFC 894, RFC 2464) and ARP (RFC 826). lib/codec/frame.ts does the same.
//
// A frame is, in this order: Short below 14 bytes; OtherHost where it is for one host that isn't
// ours; Ip4, Ip6 or Arp by its type; else OtherProtocol (VLAN tags and 802.3 lengths among them).
//
// An ARP packet: fewer than 28 bytes → Truncated; not of Ethernet and IPv4 (1, 0x0800, 6, 4) →
// BadHeader; else Ok, with these words: Family 4, Protocol, Source and Destination (the protocol
// addresses, mapped), Kind (the operation), SenderHigh, SenderLow, Slab, PacketOffset,
// PacketLength (28), TransportOffset and PayloadOffset (both behind it, as nothing follows). All
// others are zero, and all of them but for Ok. What follows the 28 bytes is padding, ignored.
// To be built: the target's hardware address is whom the frame is for in a reply, else zero.

#include <cstddef>
#include <cstdint>

#include "core/build.h"
#include "core/parse.h"

namespace netland {

inline constexpr size_t kEthernetHeader = 14;
inline constexpr size_t kArpLength = 28;

/// An Ethernet address: its first 16 bits, and the other 32.
struct HardwareAddress {
  uint16_t high = 0;
  uint32_t low = 0;
};

enum class FrameKind : int32_t {
  Short = 0,
  OtherHost = 1,
  OtherProtocol = 2,
  Ip4 = 4,
  Ip6 = 6,
  Arp = 0x806,
};

struct Frame {
  FrameKind kind = FrameKind::Short;
  /// It is for all hosts, or for a group of them.
  bool many = false;
};

/// Reads the header of a frame of `length` bytes.
Frame read_frame(const uint8_t* frame, size_t length, const HardwareAddress& own) noexcept;

/// Reads the ARP packet of `length` bytes at `slab + offset`; `words` as in parse().
ParseResult parse_arp(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                      int32_t* words) noexcept;

/// Reads a whole frame. Of those that aren't IP or ARP the result is Ok, and all words are zero. An
/// IP packet of another version than the frame's type says is a BadVersion.
ParseResult parse_frame(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                        const HashKey& key, const HardwareAddress& own, int32_t* words,
                        FrameKind& kind) noexcept;

/// Whether the packet at `offset` has the version that its frame's type says.
inline bool fits(FrameKind kind, const uint8_t* packet, size_t length) noexcept {
  return length == 0 || packet[0] >> 4 == static_cast<int32_t>(kind);
}

/// The longest headers of a frame that are built.
inline constexpr size_t kMaxFrameHeader = kEthernetHeader + kMaxHeaderLength;

/// Writes the header of the frame for a descriptor's packet.
/// @param out room for kEthernetHeader bytes
void write_frame_header(const int32_t* words, const HardwareAddress& own, uint8_t* out) noexcept;

/// Writes the ARP packet of a descriptor, behind the header of its frame.
/// @param out room for kArpLength bytes
void write_arp(const int32_t* words, const HardwareAddress& own, uint8_t* out) noexcept;

}  // namespace netland
