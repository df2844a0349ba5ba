#include "device/vnet_header.h"

#include <cstring>

#include "core/build.h"
#include "core/bytes.h"
#include "core/checksum.h"
#include "core/descriptor.h"

namespace netland {
namespace {

constexpr size_t kTcpField = 16;
constexpr size_t kUdpField = 6;

// What the header says of the packet's checksum, its fields counting from `start`.
ChecksumHint hint_of(const VnetHeader& header, size_t start) noexcept {
  ChecksumHint hint;
  if ((header.flags & VnetHeader::NeedsChecksum) != 0) {
    if (header.checksum_start < start) return hint;
    hint.kind = ChecksumHint::Partial;
    hint.start = header.checksum_start - start;
    hint.field = header.checksum_offset;
  } else if ((header.flags & VnetHeader::DataValid) != 0) {
    hint.kind = ChecksumHint::Verified;
  }
  return hint;
}

// Where the checksum stands in a TCP or UDP header; 0: the packet has none of both.
size_t checksum_field(const int32_t* words) noexcept {
  if (words[Word::Protocol] == IpProtocol::Tcp) return kTcpField;
  return words[Word::Protocol] == IpProtocol::Udp ? kUdpField : 0;
}

bool is_own(const ChecksumHint& hint, size_t offset, const int32_t* words) noexcept {
  return words[Word::Fragment] == 0 && hint.field == checksum_field(words) &&
         hint.start + offset == static_cast<size_t>(words[Word::TransportOffset]);
}

// What a device would do; false where the place isn't in the packet.
bool complete(const ChecksumHint& hint, uint8_t* packet, size_t length) noexcept {
  if (hint.start + hint.field + 2 > length) return false;
  uint8_t* data = packet + hint.start;
  const auto checksum = static_cast<uint16_t>(~sum16(data, length - hint.start));
  store_be16(data + hint.field, checksum == 0 ? 0xffff : checksum);
  return true;
}

bool is_type_of(uint8_t gso_type, const int32_t* words) noexcept {
  switch (gso_type & ~VnetHeader::Ecn) {
    case VnetHeader::Tcp4:
      return words[Word::Protocol] == IpProtocol::Tcp && words[Word::Family] == 4;
    case VnetHeader::Tcp6:
      return words[Word::Protocol] == IpProtocol::Tcp && words[Word::Family] == 6;
    case VnetHeader::UdpL4:
      return words[Word::Protocol] == IpProtocol::Udp;
    default:
      return false;
  }
}

ParseResult set_gso_size(const VnetHeader& header, int32_t* words) noexcept {
  const int32_t size = header.gso_size;
  const int32_t payload = words[Word::PayloadLength];
  const bool many = size > 0 && payload > size && words[Word::Fragment] == 0;
  if (!many || !is_type_of(header.gso_type, words)) return ParseResult::Ok;
  if (words[Word::Protocol] == IpProtocol::Udp && payload > size * kMaxDatagrams) {
    return ParseResult::BadTransportHeader;
  }
  words[Word::GsoSize] = size;
  return ParseResult::Ok;
}

}  // namespace

VnetHeader load_vnet_header(const uint8_t* at) noexcept {
  VnetHeader header;
  std::memcpy(&header, at, sizeof header);
  return header;
}

void store_vnet_header(const VnetHeader& header, uint8_t* at) noexcept {
  std::memcpy(at, &header, sizeof header);
}

ParseResult parse_offloaded(const VnetHeader& header, size_t start, uint8_t* slab, size_t offset,
                            size_t length, int32_t slab_index, const HashKey& key,
                            int32_t* words) noexcept {
  const ChecksumHint hint = hint_of(header, start);
  ParseResult result = parse(slab, offset, length, slab_index, key, words, hint);
  if (result != ParseResult::Ok) return result;
  const bool own = hint.kind == ChecksumHint::Partial && is_own(hint, offset, words);
  if (hint.kind == ChecksumHint::Partial && !own && complete(hint, slab + offset, length)) {
    result = parse(slab, offset, length, slab_index, key, words);
  }
  if (!own && words[Word::Checksum] == ChecksumState::Partial) {
    words[Word::Checksum] = ChecksumState::Bad;
  }
  if (result != ParseResult::Ok || header.gso_type == VnetHeader::None) return result;
  return set_gso_size(header, words);
}

VnetHeader offload_of(const int32_t* words, size_t start, size_t headers) noexcept {
  VnetHeader header;
  const size_t field = checksum_field(words);
  const bool fragment = (words[Word::Fragment] & kIsFragment) != 0;
  if (field == 0 || fragment) return header;
  const bool is4 = words[Word::Family] == 4;
  const bool tcp = field == kTcpField;
  if (!tcp && is4 && words[Word::Checksum] == ChecksumState::None) return header;
  header.flags = VnetHeader::NeedsChecksum;
  header.checksum_start = static_cast<uint16_t>(start + ip_header_length(words));
  header.checksum_offset = static_cast<uint16_t>(field);
  const int32_t size = words[Word::GsoSize];
  if (size <= 0 || size > 0xffff || words[Word::PayloadLength] <= size) return header;
  header.gso_type = tcp ? (is4 ? VnetHeader::Tcp4 : VnetHeader::Tcp6) : VnetHeader::UdpL4;
  if (tcp && (words[Word::Flags] & Flag::CWR) != 0) header.gso_type |= VnetHeader::Ecn;
  header.gso_size = static_cast<uint16_t>(size);
  header.header_length = static_cast<uint16_t>(start + headers);
  return header;
}

}  // namespace netland
