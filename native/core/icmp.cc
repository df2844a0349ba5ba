#include "core/icmp.h"

#include "core/bytes.h"
#include "core/checksum.h"
#include "core/descriptor.h"
#include "core/extension_headers.h"

namespace netland {
namespace {

constexpr size_t kIp4Header = 20;
// Of the quoted transport header, at least (RFC 792).
constexpr size_t kQuotedHeader = 8;

// Types (RFC 792, RFC 4443).
constexpr uint8_t kUnreachable4 = 3;
constexpr uint8_t kEcho4 = 8;
constexpr uint8_t kTimeExceeded4 = 11;
constexpr uint8_t kParameterProblem4 = 12;
constexpr uint8_t kUnreachable6 = 1;
constexpr uint8_t kParameterProblem6 = 4;
constexpr uint8_t kEcho6 = 128;

bool is_error(bool is4, uint8_t type) noexcept {
  if (!is4) return type >= kUnreachable6 && type <= kParameterProblem6;
  return type == kUnreachable4 || type == kTimeExceeded4 || type == kParameterProblem4;
}

bool is_mapped(const uint8_t* address) noexcept {
  return load_be32(address) == 0 && load_be32(address + 4) == 0 && load_be32(address + 8) == 0xffff;
}

// A quoted packet's transport header.
struct Quote {
  int32_t protocol = -1;
  size_t start = 0;
};

Quote quoted_in_ip4(const uint8_t* packet, size_t length) noexcept {
  if (length < kIp4Header || packet[0] >> 4 != 4) return {};
  const size_t header = static_cast<size_t>(packet[0] & 0x0f) * 4;
  if (header < kIp4Header || (load_be16(packet + 6) & 0x1fff) != 0) return {};
  return {packet[9], header};
}

// Behind its extension headers (RFC 8200 §4).
Quote quoted_in_ip6(const uint8_t* packet, size_t length) noexcept {
  if (length < kIp6Header || packet[0] >> 4 != 6 || is_mapped(packet + 24)) return {};
  int32_t next = packet[6];
  size_t at = kIp6Header;
  while (next == kHopByHop || next == kRouting || next == kFragmentHeader ||
         next == kDestinationOptions) {
    if (at > length || length - at < kExtensionHeader) return {};
    const bool fragment = next == kFragmentHeader;
    if (fragment && (load_be16(packet + at + 2) & 0xfff8) != 0) return {};
    next = packet[at];
    at += fragment ? kExtensionHeader : (size_t{packet[at + 1]} + 1) * 8;
  }
  return {next, at};
}

// RFC 1122 §3.2.2: an error goes to the source of what it quotes.
bool is_of_receiver(bool is4, const uint8_t* quoted, const int32_t* words) noexcept {
  const uint8_t* source = quoted + (is4 ? 12 : 8);
  for (int i = is4 ? 3 : 0; i < 4; ++i, source += 4) {
    if (load_be32(source) != static_cast<uint32_t>(words[Word::Destination + i])) return false;
  }
  return true;
}

// The quoted packet: who it was from and for, as its sender names them.
void read_quote(const uint8_t* quoted, size_t length, int32_t* words) noexcept {
  const bool is4 = words[Word::Family] == 4;
  const Quote quote = is4 ? quoted_in_ip4(quoted, length) : quoted_in_ip6(quoted, length);
  if (quote.protocol < 0 || quote.start > length || length - quote.start < kQuotedHeader) return;
  if (!is_of_receiver(is4, quoted, words)) return;
  words[IcmpWord::Quoted] = quote.protocol;
  const uint8_t* peer = quoted + (is4 ? 16 : 24);
  if (is4) words[IcmpWord::Peer + 2] = 0xffff;
  for (int i = is4 ? 3 : 0; i < 4; ++i, peer += 4) {
    words[IcmpWord::Peer + i] = static_cast<int32_t>(load_be32(peer));
  }
  const uint8_t* header = quoted + quote.start;
  if (quote.protocol == IpProtocol::Tcp || quote.protocol == IpProtocol::Udp) {
    words[Word::SourcePort] = load_be16(header + 2);
    words[Word::DestinationPort] = load_be16(header);
    if (quote.protocol == IpProtocol::Tcp) {
      words[Word::Sequence] = static_cast<int32_t>(load_be32(header + 4));
    }
  } else if (quote.protocol == words[Word::Protocol] && header[0] == (is4 ? kEcho4 : kEcho6)) {
    words[Word::DestinationPort] = load_be16(header + 4);
    words[Word::Sequence] = load_be16(header + 6);
  }
}

}  // namespace

void read_icmp(const uint8_t* message, size_t length, int32_t* words) noexcept {
  const bool is4 = words[Word::Family] == 4;
  // RFC 792: over the message; RFC 4443 §2.3: and the pseudo-header.
  const uint64_t pseudo = is4 ? 0 : pseudo_header_sum(words, static_cast<uint32_t>(length));
  const bool right = fold_sum(pseudo + sum16(message, length)) == 0xffff;
  words[Word::Checksum] = right ? ChecksumState::Verified : ChecksumState::Bad;
  words[IcmpWord::Kind] = load_be16(message);
  words[IcmpWord::Rest] = static_cast<int32_t>(load_be32(message + 4));
  words[IcmpWord::Quoted] = -1;
  if (is_error(is4, message[0])) read_quote(message + kIcmpHeader, length - kIcmpHeader, words);
}

}  // namespace netland
