#pragma once

// ICMP messages (RFC 792, RFC 4443); parse.h says what is checked.

#include <cstddef>
#include <cstdint>

namespace netland {

/// Bytes of the ICMP header; what is quoted follows it.
inline constexpr size_t kIcmpHeader = 8;

/// Reads the ICMP message of `length` bytes, at least kIcmpHeader, behind the IP words that are in
/// the descriptor.
void read_icmp(const uint8_t* message, size_t length, int32_t* words) noexcept;

}  // namespace netland
