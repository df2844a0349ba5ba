#pragma once

// IPv6's extension headers (RFC 8200 §4), walked with bounds; parse.h says what is checked.

#include <cstddef>
#include <cstdint>

namespace netland {

inline constexpr size_t kIp6Header = 40;

/// Bytes of a fragment header, and of the fixed part of every other one that is walked.
inline constexpr size_t kExtensionHeader = 8;

// Next-header numbers (IANA).
inline constexpr int32_t kHopByHop = 0;
inline constexpr int32_t kRouting = 43;
inline constexpr int32_t kFragmentHeader = 44;
inline constexpr int32_t kDestinationOptions = 60;

/// Where a walk has ended.
struct Walk {
  enum End : uint8_t {
    Transport,
    Fragment,
    /// To be answered with a parameter problem.
    Problem,
    Bad,
  };
  End end = Transport;
  bool router_alert = false;
  /// Of the problem.
  uint8_t code = 0;
  /// The next header that ended the walk; of a fragment what its header names.
  int32_t protocol = 0;
  /// Where that header starts in the packet; of a fragment its payload.
  size_t transport = kIp6Header;
  /// Offset in the packet of the next-header byte that names it, or of what the problem is.
  size_t pointer = 6;
};

/// Walks the extension headers of the packet of `length` bytes, at least kIp6Header.
Walk walk_extension_headers(const uint8_t* packet, size_t length) noexcept;

}  // namespace netland
