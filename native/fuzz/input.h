#pragma once

#include <algorithm>

#include "support.h"

namespace netland::test {

/// The packet of a fuzzer's input: its first byte says what to put right in the rest, so that the
/// fuzzer gets beyond the length fields and the checksum of IPv4.
inline Bytes packet_of(const uint8_t* data, size_t size) {
  enum : uint8_t { kLengths = 1, kHeaderChecksum = 2, kTcpChecksum = 4 };
  if (size == 0) return {};
  const uint8_t fix = data[0];
  Bytes packet(data + 1, data + size);
  const bool is6 = packet.size() > 40 && packet[0] >> 4 == 6;
  const size_t header = packet.empty() ? 0 : static_cast<size_t>(packet[0] & 15) * 4;
  const bool is4 = header >= 20 && packet.size() >= header && packet[0] >> 4 == 4;
  const size_t length = std::min<size_t>(packet.size(), 65535);
  if (fix & kLengths && is4) put16(packet, 2, static_cast<uint32_t>(length));
  if (fix & kLengths && is6) put16(packet, 4, static_cast<uint32_t>(length - 40));
  if (fix & kHeaderChecksum && is4) fix_ip4(packet);
  if (fix & kTcpChecksum && is4 && packet.size() >= header + 20) fix_tcp(packet, header);
  return packet;
}

}  // namespace netland::test
