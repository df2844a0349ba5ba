#include "core/build.h"

#include <cstring>

#include "core/bytes.h"
#include "core/checksum.h"
#include "core/tcp_options.h"

namespace netland {
namespace {

constexpr size_t kIp4Header = 20;
constexpr size_t kIp6Header = 40;
constexpr size_t kTcpHeader = 20;
constexpr uint32_t kDontFragment = 0x4000;

// 0 for a family that is none.
size_t ip_header_length(const int32_t* words) noexcept {
  if (words[Word::Family] == 4) return kIp4Header;
  return words[Word::Family] == 6 ? kIp6Header : 0;
}

uint32_t unsigned_word(const int32_t* words, int index) noexcept {
  return static_cast<uint32_t>(words[index]);
}

void write_ip4(const int32_t* words, size_t total, uint8_t* out) noexcept {
  out[0] = 0x45;
  out[1] = static_cast<uint8_t>(words[Word::TrafficClass]);
  store_be16(out + 2, static_cast<uint32_t>(total));
  store_be16(out + 4, unsigned_word(words, Word::Identification));
  store_be16(out + 6, (words[Word::Identification] & kMayFragment) != 0 ? 0 : kDontFragment);
  out[8] = static_cast<uint8_t>(words[Word::HopLimit]);
  out[9] = IpProtocol::Tcp;
  store_be16(out + 10, 0);
  store_be32(out + 12, unsigned_word(words, Word::Source + 3));
  store_be32(out + 16, unsigned_word(words, Word::Destination + 3));
  store_be16(out + 10, static_cast<uint16_t>(~sum16(out, kIp4Header)));
}

void write_ip6(const int32_t* words, size_t total, uint8_t* out) noexcept {
  store_be32(out, uint32_t{6} << 28 | (unsigned_word(words, Word::TrafficClass) & 0xff) << 20 |
                      (unsigned_word(words, Word::Identification) & 0xfffff));
  store_be16(out + 4, static_cast<uint32_t>(total - kIp6Header));
  out[6] = IpProtocol::Tcp;
  out[7] = static_cast<uint8_t>(words[Word::HopLimit]);
  for (int i = 0; i < 4; ++i) {
    store_be32(out + 8 + 4 * i, unsigned_word(words, Word::Source + i));
    store_be32(out + 24 + 4 * i, unsigned_word(words, Word::Destination + i));
  }
}

// The checksum field is left zero. Returns the header's length.
size_t write_tcp(const int32_t* words, uint8_t* out) noexcept {
  const size_t length = kTcpHeader + write_tcp_options(words, out + kTcpHeader);
  store_be16(out, unsigned_word(words, Word::SourcePort));
  store_be16(out + 2, unsigned_word(words, Word::DestinationPort));
  store_be32(out + 4, unsigned_word(words, Word::Sequence));
  store_be32(out + 8, unsigned_word(words, Word::Acknowledgment));
  const auto offset = static_cast<uint32_t>(length / 4);
  store_be16(out + 12, offset << 12 | (unsigned_word(words, Word::Flags) & kFlagMask));
  store_be16(out + 14, unsigned_word(words, Word::Window));
  store_be16(out + 16, 0);
  store_be16(out + 18, unsigned_word(words, Word::Urgent));
  return length;
}

uint16_t tcp_checksum(const int32_t* words, const uint8_t* header, size_t length,
                      const Payload& payload, TcpChecksum mode) noexcept {
  const uint64_t pseudo = pseudo_header_sum(words, static_cast<uint32_t>(length + payload.length));
  if (mode == TcpChecksum::Partial) return fold_sum(pseudo);
  ChecksumChain chain(pseudo);
  chain.add(header, length);
  for (int32_t i = 0; i < payload.count; ++i) {
    chain.add(payload.pieces[i].data, payload.pieces[i].length);
  }
  return chain.checksum();
}

}  // namespace

bool find_payload(const int32_t* words, const int32_t* slices, const SlabTable& slabs,
                  Payload& payload) noexcept {
  const int32_t count = words[Word::SliceCount];
  if (count < 0 || count > kMaxSlices) return false;
  payload.count = count;
  payload.length = 0;
  for (int32_t i = 0; i < count; ++i, slices += kSliceWords) {
    // As unsigned numbers, negative words are out of every range.
    const size_t slab = static_cast<uint32_t>(slices[0]);
    const size_t offset = static_cast<uint32_t>(slices[1]);
    const size_t length = static_cast<uint32_t>(slices[2]);
    if (slab >= slabs.count || slabs.slabs[slab].data == nullptr) return false;
    const size_t size = slabs.slabs[slab].size;
    if (offset > size || length > size - offset) return false;
    payload.pieces[i] = {slabs.slabs[slab].data + offset, length};
    payload.length += length;
  }
  return words[Word::PayloadLength] >= 0 &&
         payload.length == static_cast<size_t>(words[Word::PayloadLength]);
}

size_t header_length(const int32_t* words) noexcept {
  const size_t ip = ip_header_length(words);
  return ip == 0 ? 0 : ip + kTcpHeader + tcp_options_length(words);
}

size_t packet_length(const int32_t* words) noexcept {
  const size_t ip = ip_header_length(words);
  if (ip == 0 || words[Word::Protocol] != IpProtocol::Tcp || words[Word::PayloadLength] < 0)
    return 0;
  const size_t length = header_length(words) + static_cast<size_t>(words[Word::PayloadLength]);
  // IPv4 counts its own header, IPv6 doesn't.
  const size_t counted = ip == kIp6Header ? length - kIp6Header : length;
  return counted <= 0xffff ? length : 0;
}

size_t build_headers(const int32_t* words, const Payload& payload, uint8_t* out,
                     TcpChecksum checksum) noexcept {
  const size_t total = packet_length(words);
  if (total == 0 || payload.length != static_cast<size_t>(words[Word::PayloadLength])) return 0;
  const size_t ip = ip_header_length(words);
  if (ip == kIp4Header) {
    write_ip4(words, total, out);
  } else {
    write_ip6(words, total, out);
  }
  uint8_t* tcp = out + ip;
  const size_t length = write_tcp(words, tcp);
  store_be16(tcp + 16, tcp_checksum(words, tcp, length, payload, checksum));
  return ip + length;
}

size_t build_packet(const int32_t* words, const Payload& payload, uint8_t* out, size_t room,
                    TcpChecksum checksum) noexcept {
  const size_t total = packet_length(words);
  if (total == 0 || total > room) return 0;
  uint8_t* at = out + build_headers(words, payload, out, checksum);
  if (at == out) return 0;
  for (int32_t i = 0; i < payload.count; ++i) {
    std::memcpy(at, payload.pieces[i].data, payload.pieces[i].length);
    at += payload.pieces[i].length;
  }
  return total;
}

}  // namespace netland
