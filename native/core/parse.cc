#include "core/parse.h"

#include <algorithm>

#include "core/bytes.h"
#include "core/checksum.h"
#include "core/icmp_error.h"
#include "core/tcp_options.h"

namespace netland {
namespace {

constexpr size_t kIp4Header = 20;
constexpr size_t kIp6Header = 40;
constexpr size_t kTcpHeader = 20;

// Protocol and next-header numbers (IANA).
constexpr int32_t kHopByHop = 0;
constexpr int32_t kRouting = 43;
constexpr int32_t kFragmentHeader = 44;
constexpr int32_t kDestinationOptions = 60;

// A packet on its way through the checks: its bytes and where the words go.
struct Input {
  const uint8_t* packet;
  size_t length;  // as stated by the IP header, once that is known
  size_t offset;  // of the packet in its slab
  int32_t slab_index;
  const HashKey& key;
  int32_t* words;
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

int32_t checksum_state(const uint8_t* segment, size_t length, const int32_t* words) noexcept {
  const uint64_t pseudo = pseudo_header_sum(words, static_cast<uint32_t>(length));
  if (fold_sum(pseudo + sum16(segment, length)) == 0xffff) return ChecksumState::Verified;
  return load_be16(segment + 16) == fold_sum(pseudo) ? ChecksumState::Partial : ChecksumState::Bad;
}

// Check 4. The IP words are there; `start` is where the TCP header starts in the packet.
ParseResult parse_tcp(const Input& in, size_t start) noexcept {
  const uint8_t* segment = in.packet + start;
  const size_t length = in.length - start;
  if (length < kTcpHeader) return ParseResult::BadTcpHeader;
  const size_t header = static_cast<size_t>(segment[12] >> 4) * 4;
  if (header < kTcpHeader || header > length) return ParseResult::BadTcpHeader;

  int32_t* words = in.words;
  words[Word::Checksum] = checksum_state(segment, length, words);
  words[Word::Direction] = Direction::In;
  words[Word::SourcePort] = load_be16(segment);
  words[Word::DestinationPort] = load_be16(segment + 2);
  words[Word::Sequence] = static_cast<int32_t>(load_be32(segment + 4));
  words[Word::Acknowledgment] = static_cast<int32_t>(load_be32(segment + 8));
  words[Word::Flags] = load_be16(segment + 12) & 0x0fff;
  words[Word::Window] = load_be16(segment + 14);
  words[Word::Urgent] = load_be16(segment + 18);
  words[Word::Hash] = static_cast<int32_t>(flow_hash(in.key, words));

  const size_t transport = in.offset + start;
  words[Word::OptionsOffset] = as_word(transport + kTcpHeader);
  words[Word::OptionsLength] = as_word(header - kTcpHeader);
  words[Word::PayloadOffset] = as_word(transport + header);
  words[Word::PayloadLength] = as_word(length - header);
  read_tcp_options(segment + kTcpHeader, header - kTcpHeader, words);
  return ParseResult::Ok;
}

// Check 5: the same for what isn't TCP.
ParseResult parse_icmp(const Input& in, size_t start) noexcept {
  if (!read_icmp_error(in.packet + start, in.length - start, in.words)) return ParseResult::NotTcp;
  in.words[Word::PayloadOffset] = as_word(in.offset + start + kIcmpHeader);
  in.words[Word::PayloadLength] = as_word(in.length - start - kIcmpHeader);
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
  words[Word::Identification] = load_be16(packet + 4);
  words[Word::Source + 2] = words[Word::Destination + 2] = 0xffff;
  words[Word::Source + 3] = static_cast<int32_t>(load_be32(packet + 12));
  words[Word::Destination + 3] = static_cast<int32_t>(load_be32(packet + 16));

  if ((load_be16(packet + 6) & 0x3fff) != 0) return ParseResult::Fragment;
  if (protocol != IpProtocol::Tcp) return parse_icmp(in, header);
  return parse_tcp(in, header);
}

// Whether every option of a hop-by-hop or destination options header may be skipped by a node that
// doesn't know it (RFC 8200 §4.2), and lies within the header.
bool skippable_options(const uint8_t* header, size_t length) noexcept {
  for (size_t at = 2; at < length;) {
    const uint8_t type = header[at];
    if (type == 0) {  // Pad1
      ++at;
      continue;
    }
    if (at + 2 > length || at + 2 + header[at + 1] > length) return false;
    if ((type & 0xc0) != 0) return false;
    at += size_t{2} + header[at + 1];
  }
  return true;
}

struct Walk {
  ParseResult result;  // Ok, Fragment or BadHeader
  int32_t protocol;
  size_t transport;
};

// Check 3e, over the `length` bytes of the packet.
Walk walk_extension_headers(const uint8_t* packet, size_t length) noexcept {
  int32_t next = packet[6];
  size_t at = kIp6Header;
  for (;;) {
    const bool options = next == kDestinationOptions || (next == kHopByHop && at == kIp6Header);
    if (!options && next != kRouting && next != kFragmentHeader) {
      return {ParseResult::Ok, next, at};
    }
    if (length - at < 8) return {ParseResult::BadHeader, next, at};
    const uint8_t* header = packet + at;
    if (next == kFragmentHeader) {
      at += 8;
      // The two bits between offset and M are reserved.
      if ((load_be16(header + 2) & 0xfff9) != 0) return {ParseResult::Fragment, header[0], at};
    } else {
      const size_t size = (size_t{header[1]} + 1) * 8;
      const bool bad = size > length - at || (options && !skippable_options(header, size)) ||
                       (next == kRouting && header[3] != 0);
      if (bad) return {ParseResult::BadHeader, next, at};
      at += size;
    }
    next = header[0];
  }
}

// Check 3.
ParseResult parse_ip6(Input& in) noexcept {
  const uint8_t* packet = in.packet;
  if (in.length < kIp6Header) return ParseResult::Truncated;
  const size_t payload = load_be16(packet + 4);
  if (payload == 0) return ParseResult::BadHeader;
  if (kIp6Header + payload > in.length) return ParseResult::Truncated;
  in.length = kIp6Header + payload;

  int32_t* words = in.words;
  Walk walk{ParseResult::Martian, packet[6], kIp6Header};
  write_address(packet + 8, words + Word::Source);
  write_address(packet + 24, words + Word::Destination);
  if (!is_mapped(words + Word::Source) && !is_mapped(words + Word::Destination)) {
    walk = walk_extension_headers(packet, in.length);
    if (walk.result == ParseResult::BadHeader) {
      std::fill_n(words + Word::Source, 8, 0);
      return walk.result;
    }
  }
  write_place(in, walk.protocol, walk.transport);
  words[Word::Family] = 6;
  words[Word::TrafficClass] = load_be16(packet) >> 4 & 0xff;
  words[Word::HopLimit] = packet[7];
  words[Word::Identification] = static_cast<int32_t>(load_be32(packet) & 0xfffff);

  if (walk.result != ParseResult::Ok) return walk.result;
  if (walk.protocol != IpProtocol::Tcp) return parse_icmp(in, walk.transport);
  return parse_tcp(in, walk.transport);
}

}  // namespace

ParseResult parse(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                  const HashKey& key, int32_t* words) noexcept {
  std::fill_n(words, static_cast<int32_t>(Word::Stride), 0);
  if (length == 0) return ParseResult::Truncated;
  Input in{slab + offset, length, offset, slab_index, key, words};
  switch (in.packet[0] >> 4) {
    case 4:
      return parse_ip4(in);
    case 6:
      return parse_ip6(in);
    default:
      return ParseResult::BadVersion;
  }
}

ParseResult parse_ip6_payload(const uint8_t* slab, size_t offset, size_t length, int32_t slab_index,
                              const Ip6Ancillary& ancillary, const HashKey& key,
                              int32_t* words) noexcept {
  std::fill_n(words, static_cast<int32_t>(Word::Stride), 0);
  const Input in{slab + offset, length, offset, slab_index, key, words};
  write_place(in, IpProtocol::Tcp, 0);
  words[Word::Family] = 6;
  words[Word::Interface] = ancillary.interface_index;
  words[Word::TrafficClass] = ancillary.traffic_class;
  words[Word::HopLimit] = ancillary.hop_limit;
  write_address(ancillary.source, words + Word::Source);
  write_address(ancillary.destination, words + Word::Destination);
  if (is_mapped(words + Word::Source) || is_mapped(words + Word::Destination)) {
    return ParseResult::Martian;
  }
  return parse_tcp(in, 0);
}

}  // namespace netland
