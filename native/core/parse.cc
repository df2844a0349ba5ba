#include "core/parse.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/checksum.h"
#include "core/extension_headers.h"
#include "core/icmp.h"
#include "core/tcp_options.h"

namespace netland {
namespace {

constexpr size_t kIp4Header = 20;
constexpr size_t kTcpHeader = 20;
constexpr size_t kUdpHeader = 8;

constexpr int32_t kParameterProblem6 = 4 << 8;

// A packet on its way through the checks: its bytes and where the words go.
struct Input {
  const uint8_t* packet;
  size_t length;  // as stated by the IP header, once that is known
  size_t offset;  // of the packet in its slab
  int32_t slab_index;
  const HashKey& key;
  int32_t* words;
  const ChecksumHint& hint;
};

inline int32_t as_word(size_t value) noexcept { return static_cast<int32_t>(value); }

void write_address(const uint8_t* bytes, int32_t* words) noexcept {
  for (int i = 0; i < 4; ++i) words[i] = static_cast<int32_t>(load_be32(bytes + 4 * i));
}

bool is_mapped(const int32_t* address) noexcept {
  return address[0] == 0 && address[1] == 0 && address[2] == 0xffff;
}

void write_place(const Input& in, int32_t protocol, size_t transport) noexcept {
  in.words[Word::Protocol] = protocol;
  in.words[Word::Slab] = in.slab_index;
  in.words[Word::PacketOffset] = as_word(in.offset);
  in.words[Word::PacketLength] = as_word(in.length);
  in.words[Word::TransportOffset] = as_word(in.offset + transport);
}

void write_payload(const Input& in, size_t start, size_t length) noexcept {
  in.words[Word::PayloadOffset] = as_word(in.offset + start);
  in.words[Word::PayloadLength] = as_word(length);
}

// `start`: where the header starts in the packet; `length`: of the segment; `field`: where its
// checksum stands.
int32_t checksum_state(const Input& in, size_t start, size_t length, size_t field) noexcept {
  const uint8_t* segment = in.packet + start;
  const ChecksumHint& hint = in.hint;
  if (hint.kind == ChecksumHint::Verified) return ChecksumState::Verified;
  const uint64_t pseudo = pseudo_header_sum(in.words, static_cast<uint32_t>(length));
  const uint16_t found = load_be16(segment + field);
  if (hint.kind == ChecksumHint::Partial && hint.start == start && hint.field == field) {
    // Zero has two forms.
    const bool partial = found % 0xffff == fold_sum(pseudo) % 0xffff;
    return partial ? ChecksumState::Partial : ChecksumState::Bad;
  }
  if (fold_sum(pseudo + sum16(segment, length)) == 0xffff) return ChecksumState::Verified;
  return found == fold_sum(pseudo) ? ChecksumState::Partial : ChecksumState::Bad;
}

// Check 5. The IP words are there; `start` is where the header starts in the packet.
ParseResult parse_tcp(const Input& in, size_t start) noexcept {
  const uint8_t* segment = in.packet + start;
  const size_t length = in.length - start;
  if (length < kTcpHeader) return ParseResult::BadTransportHeader;
  const size_t header = static_cast<size_t>(segment[12] >> 4) * 4;
  if (header < kTcpHeader || header > length) return ParseResult::BadTransportHeader;

  int32_t* words = in.words;
  words[Word::Checksum] = checksum_state(in, start, length, 16);
  words[Word::SourcePort] = load_be16(segment);
  words[Word::DestinationPort] = load_be16(segment + 2);
  words[Word::Sequence] = static_cast<int32_t>(load_be32(segment + 4));
  words[Word::Acknowledgment] = static_cast<int32_t>(load_be32(segment + 8));
  words[Word::Flags] = load_be16(segment + 12) & 0x0fff;
  words[Word::Window] = load_be16(segment + 14);
  words[Word::Urgent] = load_be16(segment + 18);
  words[Word::Hash] = static_cast<int32_t>(flow_hash(in.key, words));
  words[Word::OptionsLength] = as_word(header - kTcpHeader);
  write_payload(in, start + header, length - header);
  read_tcp_options(segment + kTcpHeader, header - kTcpHeader, words);
  return ParseResult::Ok;
}

ParseResult parse_udp(const Input& in, size_t start) noexcept {
  const uint8_t* datagram = in.packet + start;
  const size_t rest = in.length - start;
  if (rest < kUdpHeader) return ParseResult::BadTransportHeader;
  int32_t* words = in.words;
  const bool is4 = words[Word::Family] == 4;
  const size_t stated = load_be16(datagram + 4);
  const size_t length = stated == 0 && !is4 ? rest : stated;
  if (length < kUdpHeader || length > rest) return ParseResult::BadTransportHeader;

  if (load_be16(datagram + 6) == 0) {
    words[Word::Checksum] = is4 ? ChecksumState::None : ChecksumState::Bad;
  } else {
    words[Word::Checksum] = checksum_state(in, start, length, 6);
  }
  words[Word::SourcePort] = load_be16(datagram);
  words[Word::DestinationPort] = load_be16(datagram + 2);
  words[Word::Hash] = static_cast<int32_t>(flow_hash(in.key, words));
  write_payload(in, start + kUdpHeader, length - kUdpHeader);
  return ParseResult::Ok;
}

// `name`: where the byte stands that names the protocol, if somebody has to be told.
ParseResult parse_transport(const Input& in, size_t start, size_t name) noexcept {
  int32_t* words = in.words;
  const int32_t protocol = words[Word::Protocol];
  if (protocol == IpProtocol::Tcp) return parse_tcp(in, start);
  if (protocol == IpProtocol::Udp) return parse_udp(in, start);
  const size_t length = in.length - start;
  if (protocol != (words[Word::Family] == 4 ? IpProtocol::Icmp : IpProtocol::Icmp6)) {
    words[IcmpWord::Rest] = as_word(name);
    write_payload(in, start, length);
    return ParseResult::Ok;
  }
  if (length < kIcmpHeader) return ParseResult::BadTransportHeader;
  read_icmp(in.packet + start, length, words);
  write_payload(in, start + kIcmpHeader, length - kIcmpHeader);
  return ParseResult::Ok;
}

// Check 4.
ParseResult take_fragment(const Input& in, int32_t field, size_t start) noexcept {
  in.words[Word::Fragment] = field;
  write_payload(in, start, in.length - start);
  return ParseResult::Ok;
}

// Check 2.
ParseResult parse_ip4(Input& in) noexcept {
  const uint8_t* packet = in.packet;
  if (in.length < kIp4Header) return ParseResult::Truncated;
  const size_t header = static_cast<size_t>(packet[0] & 0x0f) * 4;
  if (header < kIp4Header) return ParseResult::BadHeader;
  if (in.length < header) return ParseResult::Truncated;
  if (sum16(packet, header) != 0xffff) return ParseResult::BadIpChecksum;
  const size_t total = load_be16(packet + 2);
  if (total > in.length) return ParseResult::Truncated;
  if (total < header) return ParseResult::BadHeader;
  in.length = total;

  int32_t* words = in.words;
  const int32_t protocol = packet[9];
  write_place(in, protocol, header);
  words[Word::Family] = 4;
  words[Word::TrafficClass] = packet[1];
  words[Word::HopLimit] = packet[8];
  const int32_t flags = load_be16(packet + 6);
  words[Word::Identification] = load_be16(packet + 4) | ((flags & 0x4000) == 0 ? kMayFragment : 0);
  words[Word::Source + 2] = words[Word::Destination + 2] = 0xffff;
  words[Word::Source + 3] = static_cast<int32_t>(load_be32(packet + 12));
  words[Word::Destination + 3] = static_cast<int32_t>(load_be32(packet + 16));

  if ((flags & 0x3fff) != 0) {
    const int32_t more = (flags & 0x2000) != 0 ? kMoreFragments : 0;
    return take_fragment(in, (flags & 0x1fff) << 3 | more, header);
  }
  return parse_transport(in, header, 0);
}

// What the end of a packet's walk leads to; it has its IP words.
ParseResult end_walk(const Input& in, const Walk& walk) noexcept {
  int32_t* words = in.words;
  if (walk.end == Walk::Transport) return parse_transport(in, walk.transport, walk.pointer);
  if (walk.end == Walk::Fragment) {
    const uint8_t* header = in.packet + walk.transport - kExtensionHeader;
    words[Word::Identification] = static_cast<int32_t>(load_be32(header + 4));
    return take_fragment(in, load_be16(header + 2) & 0xfff9, walk.transport);
  }
  words[Word::Protocol] = IpProtocol::None;
  words[IcmpWord::Kind] = kParameterProblem6 | walk.code;
  words[IcmpWord::Rest] = as_word(walk.pointer);
  write_payload(in, walk.transport, in.length - walk.transport);
  return ParseResult::Ok;
}

// Check 3.
ParseResult parse_ip6(Input& in) noexcept {
  const uint8_t* packet = in.packet;
  if (in.length < kIp6Header) return ParseResult::Truncated;
  const size_t payload = load_be16(packet + 4);
  if (kIp6Header + payload > in.length) return ParseResult::Truncated;
  in.length = kIp6Header + payload;

  int32_t* words = in.words;
  write_address(packet + 8, words + Word::Source);
  write_address(packet + 24, words + Word::Destination);
  const bool martian = is_mapped(words + Word::Source) || is_mapped(words + Word::Destination);
  Walk walk;
  walk.protocol = packet[6];
  if (!martian && walk.protocol != IpProtocol::Tcp) {
    walk = walk_extension_headers(packet, in.length);
  }
  if (walk.end == Walk::Bad) {
    std::fill_n(words + Word::Source, 8, 0);
    return ParseResult::BadHeader;
  }
  write_place(in, walk.protocol, walk.transport);
  words[Word::Family] = 6;
  words[Word::TrafficClass] = load_be16(packet) >> 4 & 0xff;
  words[Word::HopLimit] = packet[7];
  words[Word::Identification] = static_cast<int32_t>(load_be32(packet) & 0xfffff);
  if (martian) return ParseResult::Martian;
  const ParseResult result = end_walk(in, walk);
  if (walk.router_alert && result == ParseResult::Ok && walk.protocol != IpProtocol::Tcp) {
    words[Word::Options] = Option::RouterAlert;
  }
  return result;
}

}  // namespace

ParseResult parse(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                  const HashKey& key, int32_t* words, const ChecksumHint& hint) noexcept {
  std::fill_n(words, static_cast<int32_t>(Word::Stride), 0);
  if (length == 0) return ParseResult::Truncated;
  Input in{slab + offset, length, offset, slab_index, key, words, hint};
  switch (in.packet[0] >> 4) {
    case 4:
      return parse_ip4(in);
    case 6:
      return parse_ip6(in);
    default:
      return ParseResult::BadVersion;
  }
}

}  // namespace netland
