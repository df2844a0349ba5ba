#pragma once

// The Internet checksum (RFC 1071) over bytes at any address and of any length.

#include <cstddef>
#include <cstdint>

namespace netland {

/// A sum of words folded to 16 bits with end-around carry; 0 only for 0.
constexpr uint16_t fold_sum(uint64_t sum) noexcept {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

/// One's complement sum, not complemented, of big-endian 16-bit words; an odd last byte is the high
/// half of a word. Data with a right checksum in it sums to 0xffff. Takes what the CPU does best.
uint16_t sum16(const uint8_t* data, size_t length) noexcept;

/// The same on any CPU.
uint16_t sum16_portable(const uint8_t* data, size_t length) noexcept;

/// Whether the CPU has AVX2.
bool has_avx2() noexcept;

/// The same with AVX2, which the CPU must have. Where there is no such thing, sum16_portable.
uint16_t sum16_avx2(const uint8_t* data, size_t length) noexcept;

/// A sum over pieces that follow one another as one message, each of any length.
class ChecksumChain {
 public:
  /// @param initial sum of words before the first byte, as of a pseudo-header
  explicit constexpr ChecksumChain(uint64_t initial = 0) noexcept : sum_(initial) {}

  void add(const uint8_t* data, size_t length) noexcept {
    const uint16_t piece = sum16(data, length);
    // RFC 1071 §2 (B): what starts at an odd place sums to the byte-swapped sum.
    sum_ += odd_ ? static_cast<uint16_t>(piece << 8 | piece >> 8) : piece;
    odd_ ^= (length & 1) != 0;
  }

  uint16_t sum() const noexcept { return fold_sum(sum_); }

  /// What the header's field has to hold.
  uint16_t checksum() const noexcept { return static_cast<uint16_t>(~sum()); }

 private:
  uint64_t sum_;
  bool odd_ = false;
};

/// Sum, not folded, of the pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1) of a descriptor's family,
/// addresses and protocol.
/// @param length transport header and payload, bytes
uint64_t pseudo_header_sum(const int32_t* words, uint32_t length) noexcept;

}  // namespace netland
