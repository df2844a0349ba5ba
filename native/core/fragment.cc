#include "core/fragment.h"

#include <algorithm>
#include <cstring>

#include "core/extension_headers.h"

namespace netland {
namespace {

// The bytes from `from` on of a payload, `length` of them.
void cut(const Payload& whole, size_t from, size_t length, Payload& part) noexcept {
  part.count = 0;
  part.length = length;
  for (int32_t i = 0; i < whole.count && length > 0; ++i) {
    const Payload::Piece& piece = whole.pieces[i];
    if (from >= piece.length) {
      from -= piece.length;
      continue;
    }
    const size_t taken = std::min(length, piece.length - from);
    part.pieces[part.count++] = {piece.data + from, taken};
    length -= taken;
    from = 0;
  }
}

}  // namespace

bool Fragments::begin(const int32_t* words, const Payload& payload) noexcept {
  const bool is4 = words[Word::Family] == 4;
  if (is4 && (words[Word::Identification] & kMayFragment) == 0) return false;
  const size_t headers = build_headers(words, payload, headers_);
  if (headers == 0) return false;
  words_ = words;
  payload_ = &payload;
  repeated_ = ip_header_length(words);
  transport_ = headers - repeated_;
  total_ = transport_ + payload.length;
  done_ = 0;
  const size_t around = is4 ? repeated_ : repeated_ + kExtensionHeader;
  const auto limit = static_cast<size_t>(std::max(words[Word::Fragment], 0));
  if (limit < around + std::max<size_t>(8, (transport_ + 7) & ~size_t{7})) return false;
  room_ = limit - around;
  return true;
}

size_t Fragments::next(uint8_t* out, Payload& part) noexcept {
  if (done_ == total_) return 0;
  const size_t left = total_ - done_;
  const bool last = left <= room_;
  const size_t carried = last ? left : room_ & ~size_t{7};
  std::memcpy(out, headers_, repeated_);
  const uint32_t field = static_cast<uint32_t>(done_) | (last ? 0 : kMoreFragments);
  size_t length =
      make_fragment_header(out, repeated_, field, words_[BuildWord::FragmentId], carried);
  if (done_ == 0) {
    std::memcpy(out + length, headers_ + repeated_, transport_);
    length += transport_;
    cut(*payload_, 0, carried - transport_, part);
  } else {
    cut(*payload_, done_ - transport_, carried, part);
  }
  done_ += carried;
  return length;
}

size_t build_packets(const int32_t* words, const Payload& payload, uint8_t* out,
                     size_t room) noexcept {
  if (!needs_fragments(words)) return build_packet(words, payload, out, room);
  Fragments fragments;
  if (!fragments.begin(words, payload)) return 0;
  uint8_t headers[kMaxHeaderLength];
  Payload part;
  size_t at = 0;
  for (size_t length; (length = fragments.next(headers, part)) > 0;) {
    if (length + part.length > room - at) return 0;
    std::memcpy(out + at, headers, length);
    at += length;
    for (int32_t i = 0; i < part.count; ++i) {
      std::memcpy(out + at, part.pieces[i].data, part.pieces[i].length);
      at += part.pieces[i].length;
    }
  }
  return at;
}

}  // namespace netland
