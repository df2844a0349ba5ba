#include "core/fragment.h"

#include <algorithm>
#include <cstring>

#include "core/bytes.h"
#include "core/checksum.h"
#include "core/extension_headers.h"

namespace netland {
namespace {

constexpr uint32_t kMoreFragments4 = 0x2000;

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
  size_t length =
      words_[Word::Family] == 4 ? write_ip4(carried, last, out) : write_ip6(carried, last, out);
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

size_t Fragments::write_ip4(size_t carried, bool last, uint8_t* out) const noexcept {
  std::memcpy(out, headers_, repeated_);
  store_be16(out + 2, static_cast<uint32_t>(repeated_ + carried));
  store_be16(out + 6, static_cast<uint32_t>(done_ >> 3) | (last ? 0 : kMoreFragments4));
  store_be16(out + 10, 0);
  store_be16(out + 10, static_cast<uint16_t>(~sum16(out, repeated_)));
  return repeated_;
}

size_t Fragments::write_ip6(size_t carried, bool last, uint8_t* out) const noexcept {
  std::memcpy(out, headers_, repeated_);
  const size_t length = repeated_ + kExtensionHeader;
  store_be16(out + 4, static_cast<uint32_t>(length - kIp6Header + carried));
  // The byte that names what follows the headers of each fragment.
  uint8_t& next = out[repeated_ == kIp6Header ? 6 : kIp6Header];
  uint8_t* header = out + repeated_;
  header[0] = next;
  header[1] = 0;
  next = kFragmentHeader;
  const uint32_t more = last ? 0 : kMoreFragments;
  store_be16(header + 2, static_cast<uint32_t>(done_) | more);
  store_be32(header + 4, static_cast<uint32_t>(words_[BuildWord::FragmentId]));
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
