#include "core/icmp_error.h"

#include "core/bytes.h"
#include "core/checksum.h"
#include "core/descriptor.h"

namespace netland {
namespace {

constexpr size_t kIp4Header = 20;
constexpr size_t kIp6Header = 40;
// Of the quoted TCP header, at least: ports and sequence number (RFC 792).
constexpr size_t kQuotedTcp = 8;
constexpr size_t kExtension = 8;

// Types (RFC 792, RFC 4443 §3).
constexpr uint8_t kUnreachable4 = 3;
constexpr uint8_t kTimeExceeded4 = 11;
constexpr uint8_t kParameterProblem4 = 12;
constexpr uint8_t kUnreachable6 = 1;
constexpr uint8_t kTooBig6 = 2;
constexpr uint8_t kParameterProblem6 = 4;
constexpr uint32_t kFragmentationNeeded = kUnreachable4 << 8 | 4;

constexpr size_t kNoTcp = SIZE_MAX;

bool is_error(bool is4, uint8_t type) noexcept {
  if (!is4) return type >= kUnreachable6 && type <= kParameterProblem6;
  return type == kUnreachable4 || type == kTimeExceeded4 || type == kParameterProblem4;
}

// Where the TCP header starts in the quoted IPv4 packet.
size_t quoted_in_ip4(const uint8_t* packet, size_t length) noexcept {
  if (length < kIp4Header || packet[0] >> 4 != 4) return kNoTcp;
  const size_t header = static_cast<size_t>(packet[0] & 0x0f) * 4;
  if (header < kIp4Header || packet[9] != IpProtocol::Tcp) return kNoTcp;
  return (load_be16(packet + 6) & 0x1fff) != 0 ? kNoTcp : header;
}

bool is_mapped(const uint8_t* address) noexcept {
  return load_be32(address) == 0 && load_be32(address + 4) == 0 && load_be32(address + 8) == 0xffff;
}

// The same in a quoted IPv6 packet, behind its extension headers (RFC 8200 §4).
size_t quoted_in_ip6(const uint8_t* packet, size_t length) noexcept {
  if (length < kIp6Header || packet[0] >> 4 != 6 || is_mapped(packet + 24)) return kNoTcp;
  int next = packet[6];
  size_t at = kIp6Header;
  while (next != IpProtocol::Tcp) {
    if (next != 0 && next != 43 && next != 44 && next != 60) return kNoTcp;
    if (at > length || length - at < kExtension) return kNoTcp;
    if (next == 44 && (load_be16(packet + at + 2) & 0xfff8) != 0) return kNoTcp;
    const size_t size = next == 44 ? kExtension : (size_t{packet[at + 1]} + 1) * 8;
    next = packet[at];
    at += size;
  }
  return at;
}

// RFC 1122 §3.2.2: an error goes to the source of what it quotes.
bool is_of_receiver(bool is4, const uint8_t* quoted, const int32_t* words) noexcept {
  const uint8_t* source = quoted + (is4 ? 12 : 8);
  for (int i = is4 ? 3 : 0; i < 4; ++i, source += 4) {
    if (load_be32(source) != static_cast<uint32_t>(words[Word::Destination + i])) return false;
  }
  return true;
}

}  // namespace

bool read_icmp_error(const uint8_t* message, size_t length, int32_t* words) noexcept {
  const bool is4 = words[Word::Family] == 4;
  if (words[Word::Protocol] != (is4 ? IpProtocol::Icmp : IpProtocol::Icmp6)) return false;
  if (length < kIcmpHeader || !is_error(is4, message[0])) return false;
  const uint8_t* quoted = message + kIcmpHeader;
  const size_t left = length - kIcmpHeader;
  const size_t tcp = is4 ? quoted_in_ip4(quoted, left) : quoted_in_ip6(quoted, left);
  if (tcp > left || left - tcp < kQuotedTcp || !is_of_receiver(is4, quoted, words)) return false;

  words[Word::SourcePort] = load_be16(quoted + tcp + 2);
  words[Word::DestinationPort] = load_be16(quoted + tcp);
  words[Word::Sequence] = static_cast<int32_t>(load_be32(quoted + tcp + 4));
  const uint32_t kind = load_be16(message);
  words[IcmpWord::Kind] = static_cast<int32_t>(kind);
  const uint8_t* peer = quoted + (is4 ? 16 : 24);
  if (is4) {
    if (kind == kFragmentationNeeded) words[IcmpWord::Mtu] = load_be16(message + 6);  // RFC 1191 §4
    words[IcmpWord::Peer + 2] = 0xffff;
  } else if (message[0] == kTooBig6) {
    words[IcmpWord::Mtu] = static_cast<int32_t>(load_be32(message + 4));
  }
  for (int i = is4 ? 3 : 0; i < 4; ++i, peer += 4) {
    words[IcmpWord::Peer + i] = static_cast<int32_t>(load_be32(peer));
  }
  // RFC 792: over the message; RFC 4443 §2.3: and the pseudo-header.
  const uint64_t pseudo = is4 ? 0 : pseudo_header_sum(words, static_cast<uint32_t>(length));
  const bool right = fold_sum(pseudo + sum16(message, length)) == 0xffff;
  words[Word::Checksum] = right ? ChecksumState::Verified : ChecksumState::Bad;
  return true;
}

}  // namespace netland
