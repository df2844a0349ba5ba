#pragma once

// A packet that is longer than Word::Fragment allows, as fragments (RFC 791 §3.2, RFC 8200 §4.5).
// lib/codec/fragment.ts does the same: the same bytes for every descriptor.
//
// Each fragment is as long as may be, what it carries a multiple of 8 bytes but in the last. In
// IPv4 all have Identification and none DF; the router alert is in each. In IPv6 all have
// FragmentId; the hop-by-hop options are in each, before the fragment header.

#include <cstddef>
#include <cstdint>

#include "core/build.h"
#include "core/descriptor.h"

namespace netland {

/// Whether the packet is longer than Word::Fragment allows, so that it has to be split.
inline bool needs_fragments(const int32_t* words) noexcept {
  const int32_t limit = words[Word::Fragment];
  return limit > 0 && packet_length(words) > static_cast<size_t>(limit);
}

class Fragments {
 public:
  /// Begins with the packet of a descriptor, which has to stay as it is meanwhile, as the payload.
  /// @return false when it can't be built, or not be split: in IPv4 without kMayFragment, or where a
  ///   fragment had no room for the headers and 8 bytes
  bool begin(const int32_t* words, const Payload& payload) noexcept;

  /// Writes the headers of the next fragment.
  /// @param out room for kMaxHeaderLength bytes
  /// @param part the payload that follows them
  /// @return bytes written; 0: there is none
  size_t next(uint8_t* out, Payload& part) noexcept;

 private:
  const int32_t* words_ = nullptr;
  const Payload* payload_ = nullptr;
  /// The headers of the whole.
  uint8_t headers_[kMaxHeaderLength];
  /// Bytes of these that are in each fragment, and that are in the first.
  size_t repeated_ = 0;
  size_t transport_ = 0;
  /// Bytes to be carried in all, in one fragment at most, and so far.
  size_t total_ = 0;
  size_t room_ = 0;
  size_t done_ = 0;
};

/// Writes the whole packet, or its fragments one behind the other.
/// @return bytes written; 0 where it can't be built or `room` is less (what is in `out` then has no
///   meaning)
size_t build_packets(const int32_t* words, const Payload& payload, uint8_t* out,
                     size_t room) noexcept;

}  // namespace netland
