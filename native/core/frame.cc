#include "core/frame.h"

#include <algorithm>

#include "core/bytes.h"

namespace netland {
namespace {

constexpr uint32_t kTypeIp4 = 0x0800;
constexpr uint32_t kTypeIp6 = 0x86dd;
constexpr uint32_t kTypeArp = 0x0806;

// Hardware and protocol, their addresses' lengths.
constexpr uint32_t kEthernet = 1;
constexpr uint32_t kLengths = 6 << 8 | 4;
constexpr int32_t kReply = 2;

// The group bit of an Ethernet address's first byte.
constexpr uint8_t kGroup = 1;

void store_hardware(const HardwareAddress& address, uint8_t* out) noexcept {
  store_be16(out, address.high);
  store_be32(out + 2, address.low);
}

HardwareAddress receiver_of(const int32_t* words) noexcept {
  return {static_cast<uint16_t>(words[BuildWord::MacHigh]),
          static_cast<uint32_t>(words[BuildWord::MacLow])};
}

FrameKind kind_of(uint32_t type) noexcept {
  switch (type) {
    case kTypeIp4:
      return FrameKind::Ip4;
    case kTypeIp6:
      return FrameKind::Ip6;
    case kTypeArp:
      return FrameKind::Arp;
    default:
      return FrameKind::OtherProtocol;
  }
}

}  // namespace

Frame read_frame(const uint8_t* frame, size_t length, const HardwareAddress& own) noexcept {
  Frame result;
  if (length < kEthernetHeader) return result;
  result.many = (frame[0] & kGroup) != 0;
  const bool ours = load_be16(frame) == own.high && load_be32(frame + 2) == own.low;
  result.kind = result.many || ours ? kind_of(load_be16(frame + 12)) : FrameKind::OtherHost;
  return result;
}

ParseResult parse_arp(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                      int32_t* words) noexcept {
  std::fill_n(words, static_cast<int32_t>(Word::Stride), 0);
  const uint8_t* packet = slab + offset;
  if (length < kArpLength) return ParseResult::Truncated;
  if (load_be16(packet) != kEthernet || load_be16(packet + 2) != kTypeIp4 ||
      load_be16(packet + 4) != kLengths) {
    return ParseResult::BadHeader;
  }
  words[Word::Family] = 4;
  words[Word::Protocol] = IpProtocol::Arp;
  words[Word::Slab] = slab_index;
  words[Word::PacketOffset] = static_cast<int32_t>(offset);
  words[Word::PacketLength] = kArpLength;
  words[Word::TransportOffset] = words[Word::PayloadOffset] =
      static_cast<int32_t>(offset + kArpLength);
  words[IcmpWord::Kind] = load_be16(packet + 6);
  words[ArpWord::SenderHigh] = load_be16(packet + 8);
  words[ArpWord::SenderLow] = static_cast<int32_t>(load_be32(packet + 10));
  words[Word::Source + 2] = words[Word::Destination + 2] = 0xffff;
  words[Word::Source + 3] = static_cast<int32_t>(load_be32(packet + 14));
  words[Word::Destination + 3] = static_cast<int32_t>(load_be32(packet + 24));
  return ParseResult::Ok;
}

ParseResult parse_frame(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                        const HashKey& key, const HardwareAddress& own, int32_t* words,
                        FrameKind& kind) noexcept {
  const Frame frame = read_frame(slab + offset, length, own);
  kind = frame.kind;
  offset += kEthernetHeader;
  length -= std::min(length, kEthernetHeader);
  ParseResult result = ParseResult::Ok;
  if (kind == FrameKind::Arp) {
    result = parse_arp(slab, offset, length, slab_index, words);
  } else if ((kind == FrameKind::Ip4 || kind == FrameKind::Ip6) &&
             fits(kind, slab + offset, length)) {
    result = parse(slab, offset, length, slab_index, key, words);
  } else {
    std::fill_n(words, static_cast<int32_t>(Word::Stride), 0);
    const bool ip = kind == FrameKind::Ip4 || kind == FrameKind::Ip6;
    return ip ? ParseResult::BadVersion : ParseResult::Ok;
  }
  if (frame.many && result == ParseResult::Ok) words[Word::Options] |= Option::LinkMulticast;
  return result;
}

void write_frame_header(const int32_t* words, const HardwareAddress& own, uint8_t* out) noexcept {
  store_hardware(receiver_of(words), out);
  store_hardware(own, out + 6);
  const uint32_t ip = words[Word::Family] == 4 ? kTypeIp4 : kTypeIp6;
  store_be16(out + 12, words[Word::Protocol] == IpProtocol::Arp ? kTypeArp : ip);
}

void write_arp(const int32_t* words, const HardwareAddress& own, uint8_t* out) noexcept {
  store_be16(out, kEthernet);
  store_be16(out + 2, kTypeIp4);
  store_be16(out + 4, kLengths);
  store_be16(out + 6, static_cast<uint32_t>(words[IcmpWord::Kind]));
  store_hardware(own, out + 8);
  store_be32(out + 14, static_cast<uint32_t>(words[Word::Source + 3]));
  const bool reply = words[IcmpWord::Kind] == kReply;
  store_hardware(reply ? receiver_of(words) : HardwareAddress{}, out + 18);
  store_be32(out + 24, static_cast<uint32_t>(words[Word::Destination + 3]));
}

}  // namespace netland
