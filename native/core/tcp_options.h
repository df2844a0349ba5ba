#pragma once

// TCP options (RFC 9293 §3.1, RFC 7323, RFC 2018) from their bytes to words of a descriptor and
// back.

#include <cstddef>
#include <cstdint>

namespace netland {

/// The most bytes that a TCP header has for options.
inline constexpr size_t kMaxTcpOptions = 40;

/// Reads `length` bytes of options into the words from Word::Options to Word::Sack, which are zero
/// before. parse.h says how.
void read_tcp_options(const uint8_t* options, size_t length, int32_t* words) noexcept;

/// Bytes that write_tcp_options will write: a multiple of 4, at most kMaxTcpOptions.
size_t tcp_options_length(const int32_t* words) noexcept;

/// Writes the options that the words ask for. build.h says how.
/// @return bytes written
size_t write_tcp_options(const int32_t* words, uint8_t* out) noexcept;

}  // namespace netland
