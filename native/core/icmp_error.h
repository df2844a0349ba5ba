#pragma once

// ICMP errors that quote a TCP segment (RFC 792, RFC 4443); parse.h says what is checked.

#include <cstddef>
#include <cstdint>

namespace netland {

/// Bytes of the ICMP header; what is quoted follows it.
inline constexpr size_t kIcmpHeader = 8;

/// Reads the ICMP message of `length` bytes behind the IP words that are in the descriptor.
/// @return false, and nothing is written, where it isn't an error that quotes a TCP segment of the
///   one to whom it is sent
bool read_icmp_error(const uint8_t* message, size_t length, int32_t* words) noexcept;

}  // namespace netland
