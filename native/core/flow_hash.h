#pragma once

// The keyed hash by which a four-tuple is found: HalfSipHash-1-3 with 32 bits of output. The same
// as lib/core/random/half-sip-hash.ts.

#include <cstdint>

namespace netland {

/// A 64-bit key: its first four bytes, little-endian, are k0.
struct HashKey {
  uint32_t k0 = 0;
  uint32_t k1 = 0;
};

/// Hash of a descriptor's four-tuple as its receiver sees it: of the 36 bytes that are, as
/// little-endian words, the destination's four, the source's four and
/// destination port << 16 | source port.
uint32_t flow_hash(const HashKey& key, const int32_t* words) noexcept;

}  // namespace netland
