#include "core/tcp_options.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/descriptor.h"

namespace netland {
namespace {

// Option kinds (IANA).
constexpr uint32_t kEnd = 0;
constexpr uint32_t kNop = 1;
constexpr uint32_t kMss = 2;
constexpr uint32_t kWindowScale = 3;
constexpr uint32_t kSackPermitted = 4;
constexpr uint32_t kSack = 5;
constexpr uint32_t kTimestamps = 8;

// RFC 7323 §2.3: a larger shift counts as this.
constexpr int32_t kMaxWindowScale = 14;

void read_sack(const uint8_t* blocks, int32_t count, int32_t* words) noexcept {
  std::fill_n(words + Word::Sack, 2 * kMaxSackBlocks, 0);
  for (int32_t i = 0; i < 2 * count; ++i) {
    words[Word::Sack + i] = static_cast<int32_t>(load_be32(blocks + 4 * i));
  }
  words[Word::SackCount] = count;
  words[Word::Options] |= Option::Sack;
}

// One option of `length` bytes, kind and length included, all of which lie within the header.
void read_option(const uint8_t* option, size_t length, int32_t* words) noexcept {
  switch (option[0]) {
    case kMss:
      if (length != 4) break;
      words[Word::Mss] = load_be16(option + 2);
      words[Word::Options] |= Option::Mss;
      break;
    case kWindowScale:
      if (length != 3) break;
      words[Word::WindowScale] = std::min<int32_t>(option[2], kMaxWindowScale);
      words[Word::Options] |= Option::WindowScale;
      break;
    case kSackPermitted:
      if (length == 2) words[Word::Options] |= Option::SackPermitted;
      break;
    case kTimestamps:
      if (length != 10) break;
      words[Word::TsVal] = static_cast<int32_t>(load_be32(option + 2));
      words[Word::TsEcr] = static_cast<int32_t>(load_be32(option + 6));
      words[Word::Options] |= Option::Timestamps;
      break;
    case kSack:
      if (length < 10 || length > 34 || (length - 2) % 8 != 0) break;
      read_sack(option + 2, static_cast<int32_t>((length - 2) / 8), words);
      break;
    default:
      break;
  }
}

// How many of the descriptor's SACK blocks fit behind `used` bytes of other options, at most 20.
int32_t fitting_sack_blocks(const int32_t* words, size_t used) noexcept {
  if (!(words[Word::Options] & Option::Sack)) return 0;
  const auto room = static_cast<int32_t>((kMaxTcpOptions - used - 4) / 8);
  return std::clamp(words[Word::SackCount], 0, std::min(room, kMaxSackBlocks));
}

// Bytes of all options but SACK.
size_t fixed_options_length(const int32_t* words) noexcept {
  const int32_t options = words[Word::Options];
  size_t length = 0;
  if (options & Option::Mss) length += 4;
  if (options & Option::Timestamps) {
    length += 12;
  } else if (options & Option::SackPermitted) {
    length += 4;
  }
  if (options & Option::WindowScale) length += 4;
  return length;
}

uint8_t* put_bytes(uint8_t* at, uint32_t a, uint32_t b, uint32_t c, uint32_t d) noexcept {
  store_be32(at, a << 24 | b << 16 | c << 8 | d);
  return at + 4;
}

uint8_t* put_word(uint8_t* at, int32_t word) noexcept {
  store_be32(at, static_cast<uint32_t>(word));
  return at + 4;
}

}  // namespace

void read_tcp_options(const uint8_t* options, size_t length, int32_t* words) noexcept {
  for (size_t at = 0; at < length;) {
    const uint8_t kind = options[at];
    if (kind == kEnd) return;
    if (kind == kNop) {
      ++at;
      continue;
    }
    if (length - at < 2) return;
    const size_t size = options[at + 1];
    if (size < 2 || size > length - at) return;
    read_option(options + at, size, words);
    at += size;
  }
}

size_t tcp_options_length(const int32_t* words) noexcept {
  const size_t fixed = fixed_options_length(words);
  const int32_t blocks = fitting_sack_blocks(words, fixed);
  return blocks == 0 ? fixed : fixed + 4 + 8 * static_cast<size_t>(blocks);
}

size_t write_tcp_options(const int32_t* words, uint8_t* out) noexcept {
  const int32_t options = words[Word::Options];
  uint8_t* at = out;
  if (options & Option::Mss) {
    const auto mss = static_cast<uint32_t>(words[Word::Mss]);
    at = put_bytes(at, kMss, 4, mss >> 8 & 0xff, mss & 0xff);
  }
  const bool sack_permitted = (options & Option::SackPermitted) != 0;
  if (options & Option::Timestamps) {
    at = sack_permitted ? put_bytes(at, kSackPermitted, 2, kTimestamps, 10)
                        : put_bytes(at, kNop, kNop, kTimestamps, 10);
    at = put_word(at, words[Word::TsVal]);
    at = put_word(at, words[Word::TsEcr]);
  } else if (sack_permitted) {
    at = put_bytes(at, kNop, kNop, kSackPermitted, 2);
  }
  if (options & Option::WindowScale) {
    at = put_bytes(at, kNop, kWindowScale, 3,
                   static_cast<uint32_t>(words[Word::WindowScale]) & 0xff);
  }
  const int32_t blocks = fitting_sack_blocks(words, static_cast<size_t>(at - out));
  if (blocks > 0) {
    at = put_bytes(at, kNop, kNop, kSack, 2 + 8 * static_cast<uint32_t>(blocks));
    for (int32_t i = 0; i < 2 * blocks; ++i) at = put_word(at, words[Word::Sack + i]);
  }
  return static_cast<size_t>(at - out);
}

}  // namespace netland
