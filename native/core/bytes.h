#pragma once

// Numbers in network order at any address.

#include <bit>
#include <cstdint>
#include <cstring>

namespace netland {

inline uint16_t load_be16(const uint8_t* at) noexcept {
  return static_cast<uint16_t>(at[0] << 8 | at[1]);
}

inline uint32_t load_be32(const uint8_t* at) noexcept {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return std::endian::native == std::endian::little ? __builtin_bswap32(value) : value;
}

inline void store_be16(uint8_t* at, uint32_t value) noexcept {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

inline void store_be32(uint8_t* at, uint32_t value) noexcept {
  if constexpr (std::endian::native == std::endian::little) value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace netland
