#include "core/checksum.h"

#include <bit>
#include <cstring>

#include "core/descriptor.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NETLAND_X86 1
#endif

namespace netland {
namespace {

// Sums are made of words in the machine's own order and turned once, at the end (RFC 1071 §2 (B)).

template <typename T>
inline uint64_t load(const uint8_t* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

inline uint16_t to_big_endian(uint16_t sum) noexcept {
  if constexpr (std::endian::native == std::endian::big) return sum;
  return static_cast<uint16_t>(sum << 8 | sum >> 8);
}

// 2^32 is 1 modulo 2^16 - 1: halves of 64-bit loads add up in 64 bits without losing a carry.
inline uint64_t halves(uint64_t word) noexcept { return (word & 0xffffffff) + (word >> 32); }

inline uint64_t sum_tail(const uint8_t* data, size_t length) noexcept {
  uint64_t sum = 0;
  for (; length >= 8; data += 8, length -= 8) sum += halves(load<uint64_t>(data));
  if (length & 4) {
    sum += load<uint32_t>(data);
    data += 4;
  }
  if (length & 2) {
    sum += load<uint16_t>(data);
    data += 2;
  }
  if (length & 1) {
    const uint8_t last[2] = {*data, 0};
    sum += load<uint16_t>(last);
  }
  return sum;
}

#if defined(NETLAND_X86)
// Below this the set-up costs more than it saves.
constexpr size_t kAvx2Minimum = 64;

__attribute__((target("avx2"))) inline __m256i load_256(const uint8_t* at) noexcept {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

// Sums of the low and of the high halves of eight words, apart, added to `low` and `high`.
__attribute__((target("avx2"))) inline void add_256(__m256i word, __m256i& low,
                                                    __m256i& high) noexcept {
  low = _mm256_add_epi64(low, _mm256_blend_epi32(word, _mm256_setzero_si256(), 0xaa));
  high = _mm256_add_epi64(high, _mm256_srli_epi64(word, 32));
}
#endif

}  // namespace

uint16_t sum16_portable(const uint8_t* data, size_t length) noexcept {
  uint64_t low = 0;
  uint64_t high = 0;
  for (; length >= 32; data += 32, length -= 32) {
    for (size_t at = 0; at < 32; at += 8) {
      const uint64_t word = load<uint64_t>(data + at);
      low += word & 0xffffffff;
      high += word >> 32;
    }
  }
  return to_big_endian(fold_sum(halves(low) + halves(high) + sum_tail(data, length)));
}

#if defined(NETLAND_X86)

bool has_avx2() noexcept { return __builtin_cpu_supports("avx2"); }

__attribute__((target("avx2"))) uint16_t sum16_avx2(const uint8_t* data, size_t length) noexcept {
  __m256i low[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  __m256i high[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (; length >= 64; data += 64, length -= 64) {
    add_256(load_256(data), low[0], high[0]);
    add_256(load_256(data + 32), low[1], high[1]);
  }
  alignas(32) uint64_t lanes[4];
  const __m256i all =
      _mm256_add_epi64(_mm256_add_epi64(low[0], low[1]), _mm256_add_epi64(high[0], high[1]));
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), all);
  uint64_t sum = 0;
  for (const uint64_t lane : lanes) sum += halves(lane);
  return to_big_endian(fold_sum(sum + sum_tail(data, length)));
}

uint16_t sum16(const uint8_t* data, size_t length) noexcept {
  if (length >= kAvx2Minimum && has_avx2()) return sum16_avx2(data, length);
  return sum16_portable(data, length);
}

#else

bool has_avx2() noexcept { return false; }

uint16_t sum16_avx2(const uint8_t* data, size_t length) noexcept {
  return sum16_portable(data, length);
}

uint16_t sum16(const uint8_t* data, size_t length) noexcept { return sum16_portable(data, length); }

#endif

uint64_t pseudo_header_sum(const int32_t* words, uint32_t length) noexcept {
  uint64_t sum = static_cast<uint32_t>(words[Word::Protocol]);
  sum += length;
  // An IPv4 address is the last of its four words, and the others aren't in the header.
  for (int i = words[Word::Family] == 4 ? 3 : 0; i < 4; ++i) {
    sum += static_cast<uint32_t>(words[Word::Source + i]);
    sum += static_cast<uint32_t>(words[Word::Destination + i]);
  }
  return sum;
}

}  // namespace netland
