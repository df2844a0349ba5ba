#pragma once

// Super-segments (GsoSize) cut into the packets that they stand for, as a device would. A split of
// lib/link/impair does the same.

#include <cstdint>

#include "core/descriptor.h"

namespace netland {

/// Whether a descriptor stands for more than one packet.
inline bool is_super(const int32_t* words) noexcept {
  return words[Word::GsoSize] > 0 && words[Word::PayloadLength] > words[Word::GsoSize];
}

/// One of the packets that a super-segment stands for.
struct Piece {
  int32_t words[Word::Stride];
  int32_t slices[kMaxSlices * kSliceWords];
};

/// Makes the packet whose payload begins at `from`, a multiple of GsoSize.
/// @param words of a descriptor for which is_super holds, and find_payload finds the payload
void cut_piece(const int32_t* words, const int32_t* slices, int32_t from, Piece& out) noexcept;

}  // namespace netland
