#include "support.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

#include "harness.h"

namespace netland::test {

Bytes from_hex(const std::string& hex) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes part(const Bytes& bytes, size_t from, size_t to) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(from),
          bytes.begin() + static_cast<std::ptrdiff_t>(to)};
}

Bytes random_bytes(std::mt19937& random, size_t length) {
  Bytes bytes(length);
  for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

void put16(Bytes& bytes, size_t at, uint32_t value) {
  bytes.at(at) = static_cast<uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<uint8_t>(value);
}

void put32(Bytes& bytes, size_t at, uint32_t value) {
  put16(bytes, at, value >> 16);
  put16(bytes, at + 2, value);
}

uint16_t plain_sum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    const uint32_t low = i + 1 < bytes.size() ? bytes[i + 1] : 0;
    sum += static_cast<uint32_t>(bytes[i] << 8) | low;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

Bytes tcp_segment(const Bytes& options, const Bytes& payload) {
  Bytes header(20);
  put16(header, 0, 4660);
  put16(header, 2, 80);
  put32(header, 4, 0xfffffff0);
  put32(header, 8, 0x80000001);
  put16(header, 12, static_cast<uint32_t>((20 + options.size()) / 4) << 12 | Flag::ACK);
  put16(header, 14, 0xfedc);
  put16(header, 18, 0x0102);
  return header + options + payload;
}

Bytes udp_datagram(const Bytes& payload) {
  Bytes header(8);
  put16(header, 0, 4660);
  put16(header, 2, 53);
  put16(header, 4, static_cast<uint32_t>(8 + payload.size()));
  return header + payload;
}

Bytes ip4_packet(const Bytes& segment, const Bytes& options, uint8_t protocol) {
  const size_t length = 20 + options.size();
  Bytes header = from_hex("4512000012344000400600000a010203c0a80405") + options;
  header[0] = static_cast<uint8_t>(0x40 | length / 4);
  header[9] = protocol;
  Bytes packet = header + segment;
  put16(packet, 2, static_cast<uint32_t>(packet.size()));
  fix_ip4(packet);
  if (protocol == 6 && segment.size() >= 20) fix_tcp(packet, length);
  if (protocol == 17 && segment.size() >= 8) fix_udp(packet, length);
  return packet;
}

Bytes icmp4_packet(uint8_t type, uint8_t code, uint32_t rest, const Bytes& quoted) {
  Bytes message(8);
  message[0] = type;
  message[1] = code;
  put32(message, 4, rest);
  message = message + quoted;
  put16(message, 2, static_cast<uint16_t>(~plain_sum(message)));
  Bytes packet = ip4_packet(message, {}, 1);
  put32(packet, 12, 0xc0a80001);
  put32(packet, 16, 0x0a010203);
  if (quoted.size() >= 20) std::copy_n(quoted.begin() + 12, 4, packet.begin() + 16);
  fix_ip4(packet);
  return packet;
}

Bytes icmp6_packet(uint8_t type, uint8_t code, uint32_t rest, const Bytes& quoted) {
  Bytes message(8);
  message[0] = type;
  message[1] = code;
  put32(message, 4, rest);
  Bytes packet = ip6_packet(message + quoted, 58);
  packet[23] = 0x99;
  if (quoted.size() >= 40) std::copy_n(quoted.begin() + 8, 16, packet.begin() + 24);
  put16(packet, 42, 0);
  Bytes all(2);
  put16(all, 0, plain_pseudo_sum(packet, 40, 58));
  all = all + part(packet, 40, packet.size());
  put16(packet, 42, static_cast<uint16_t>(~plain_sum(all)));
  return packet;
}

Bytes ip6_packet(const Bytes& segment, uint8_t next, const Bytes& extensions) {
  Bytes header = from_hex(
      "61212345000006ff"
      "fd000000000000000000000000000001"
      "fd000000000000000000000000000002");
  header[6] = next;
  Bytes packet = header + extensions + segment;
  put16(packet, 4, static_cast<uint32_t>(packet.size() - 40));
  const size_t at = 40 + extensions.size();
  if (next == 17 && extensions.empty()) {
    if (segment.size() >= 8) fix_udp(packet, at);
  } else if (next != 58 && segment.size() >= 20) {
    fix_tcp(packet, at);
  }
  return packet;
}

void fix_ip4(Bytes& packet) {
  const size_t length = static_cast<size_t>(packet[0] & 15) * 4;
  put16(packet, 10, 0);
  put16(packet, 10, static_cast<uint16_t>(~plain_sum(part(packet, 0, length))));
}

uint16_t plain_pseudo_sum(const Bytes& packet, size_t at, uint8_t protocol) {
  const bool is4 = packet[0] >> 4 == 4;
  Bytes pseudo = is4 ? part(packet, 12, 20) : part(packet, 8, 40);
  pseudo.resize(pseudo.size() + 8);
  put32(pseudo, pseudo.size() - 8, static_cast<uint32_t>(packet.size() - at));
  pseudo.back() = protocol;
  return plain_sum(pseudo);
}

void fix_tcp(Bytes& packet, size_t at) {
  put16(packet, at + 16, 0);
  Bytes all(2);
  put16(all, 0, plain_pseudo_sum(packet, at));
  all = all + part(packet, at, packet.size());
  put16(packet, at + 16, static_cast<uint16_t>(~plain_sum(all)));
}

void fix_udp(Bytes& packet, size_t at) {
  put16(packet, at + 6, 0);
  Bytes all(2);
  put16(all, 0, plain_pseudo_sum(packet, at, 17));
  all = all + part(packet, at, packet.size());
  const auto sum = static_cast<uint16_t>(~plain_sum(all));
  put16(packet, at + 6, sum == 0 ? 0xffff : sum);
}

ParseResult parse_alone(const Bytes& packet, Words& words) {
  const std::unique_ptr<uint8_t[]> block(new uint8_t[packet.size()]);
  if (!packet.empty()) std::memcpy(block.get(), packet.data(), packet.size());
  words.fill(-1);
  return parse(block.get(), 0, packet.size(), 7, kKey, words.data());
}

namespace {

void check_zero(const Words& words, int from, int to) {
  for (int i = from; i < to; ++i) CHECK_EQ(words[static_cast<size_t>(i)], 0);
}

void check_tcp(const Words& words) {
  CHECK_EQ(words[Word::TransportOffset] + 20 + words[Word::OptionsLength],
           words[Word::PayloadOffset]);
  CHECK(words[Word::OptionsLength] >= 0 && words[Word::OptionsLength] <= 40);
  CHECK(words[Word::SackCount] >= 0 && words[Word::SackCount] <= kMaxSackBlocks);
  CHECK(words[Word::WindowScale] >= 0 && words[Word::WindowScale] <= 14);
  CHECK(words[Word::Checksum] != ChecksumState::None);
}

void check_icmp(const Words& words) {
  CHECK_EQ(words[Word::PayloadOffset], words[Word::TransportOffset] + 8);
  CHECK(words[Word::Checksum] == ChecksumState::Verified ||
        words[Word::Checksum] == ChecksumState::Bad);
  CHECK(words[IcmpWord::Kind] >= 0 && words[IcmpWord::Kind] <= 0xffff);
  CHECK(words[IcmpWord::Quoted] >= -1 && words[IcmpWord::Quoted] <= 0xff);
  const bool is4 = words[Word::Family] == 4;
  if (words[IcmpWord::Quoted] < 0) {
    check_zero(words, Word::SourcePort, Word::Flags);
    check_zero(words, Word::Mss, Word::Identification);
  } else {
    CHECK(words[Word::PayloadLength] >= (is4 ? 28 : 48));
    check_zero(words, Word::Acknowledgment, Word::Flags);
    check_zero(words, Word::Mss, IcmpWord::Peer);
    check_zero(words, IcmpWord::Peer + 4, Word::Identification);
  }
  CHECK_EQ(words[Word::Hash], 0);
}

// Of what isn't TCP nor ICMP: only what parse.h says of it.
void check_other(const Words& words) {
  check_zero(words, Word::Sequence, IcmpWord::Kind);
  check_zero(words, Word::Mss, Word::Identification);
  if (words[Word::Fragment] != 0) {
    check_zero(words, Word::SourcePort, Word::Slab);
    CHECK((words[Word::Fragment] & 6) == 0 && words[Word::Fragment] <= 0xfff9);
    CHECK_EQ(words[Word::Checksum], 0);
  } else if (words[Word::Protocol] == IpProtocol::Udp) {
    CHECK_EQ(words[Word::PayloadOffset], words[Word::TransportOffset] + 8);
    check_zero(words, IcmpWord::Kind, Word::Hash);
  } else {
    check_zero(words, Word::SourcePort, IcmpWord::Kind);
    CHECK(words[IcmpWord::Kind] == 0 || words[IcmpWord::Kind] >> 2 == 0x100);
    CHECK_EQ(words[Word::Hash], 0);
    CHECK(words[IcmpWord::Rest] >= 0 && words[IcmpWord::Rest] < 40 + 65535);
    CHECK_EQ(words[Word::Checksum], 0);
  }
  CHECK((words[Word::Options] & ~Option::RouterAlert) == 0);
}

}  // namespace

void check_words(size_t length, ParseResult result, const Words& words) {
  const bool is4 = words[Word::Family] == 4;
  switch (result) {
    case ParseResult::Truncated:
    case ParseResult::BadVersion:
    case ParseResult::BadHeader:
    case ParseResult::BadIpChecksum:
      CHECK(words == Words{});
      return;
    case ParseResult::Martian:
    case ParseResult::BadTransportHeader:
      CHECK(is4 || words[Word::Family] == 6);
      CHECK(words[Word::TransportOffset] <= words[Word::PacketLength]);
      check_zero(words, Word::SourcePort, Word::Slab);
      check_zero(words, Word::Fragment, Word::Identification);
      return;
    case ParseResult::Ok:
      break;
  }
  CHECK(is4 || words[Word::Family] == 6);
  CHECK(static_cast<size_t>(words[Word::PacketLength]) <= length);
  CHECK(words[Word::TransportOffset] >= (is4 ? 20 : 40));
  CHECK(words[Word::PayloadLength] >= 0);
  CHECK(words[Word::PayloadOffset] >= words[Word::TransportOffset]);
  const int32_t end = words[Word::PayloadOffset] + words[Word::PayloadLength];
  const bool whole = words[Word::Fragment] == 0;
  if (whole && words[Word::Protocol] == IpProtocol::Udp) {
    CHECK(end <= words[Word::PacketLength]);
  } else {
    CHECK_EQ(end, words[Word::PacketLength]);
  }
  if (whole && words[Word::Protocol] == IpProtocol::Tcp) return check_tcp(words);
  const bool icmp = words[Word::Protocol] == (is4 ? IpProtocol::Icmp : IpProtocol::Icmp6);
  if (whole && icmp) return check_icmp(words);
  check_other(words);
}

std::string read_text(const std::string& path_in_repository) {
  std::ifstream file(std::string(NETLAND_ROOT "/") + path_in_repository);
  if (!file) throw std::runtime_error("cannot read " + path_in_repository);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Bytes> captured_packets() {
  const std::string text = read_text("test/fixtures/redis-handshake-and-close.json");
  const std::string mark = "\"hex\": \"";
  std::vector<Bytes> packets;
  for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
    at += mark.size();
    packets.push_back(from_hex(text.substr(at, text.find('"', at) - at)));
  }
  return packets;
}

std::vector<Bytes> sample_packets() {
  const Bytes options =
      from_hex("020405b40402080ab51917bb00000000010303070512") + Bytes(16, 1) + Bytes(2, 0);
  std::vector<Bytes> packets = captured_packets();
  const Bytes segment = tcp_segment(options, {1, 2, 3, 4, 5});
  packets.push_back(ip4_packet(segment, from_hex("9404000001010100")));
  packets.push_back(ip6_packet(segment));
  packets.push_back(ip6_packet(segment, 0,
                               from_hex("3c000502000001002b010104000000000104000000000000"
                                        "2c000000000000003c000006deadbeef0600010400000000")));
  packets.push_back(ip4_packet(udp_datagram({1, 2, 3}), {}, 17));
  packets.push_back(ip6_packet(udp_datagram({1, 2, 3, 4}), 17));
  packets.push_back(ip4_packet(Bytes(8, 0x16), from_hex("94040000"), 2));
  packets.push_back(ip6_packet(Bytes(12, 0x16), 0, from_hex("fd00050200000100")));
  packets.push_back(icmp4_packet(8, 0, 0x12340001, Bytes(56, 0x55)));
  packets.push_back(icmp6_packet(128, 0, 0x12340001, Bytes(56, 0x55)));
  packets.push_back(icmp4_packet(3, 4, 1200, ip4_packet(segment)));
  packets.push_back(icmp6_packet(2, 0, 1300, ip6_packet(segment)));
  packets.push_back(icmp4_packet(3, 3, 0, ip4_packet(udp_datagram({9}), {}, 17)));
  packets.push_back(icmp6_packet(1, 4, 0, ip6_packet(udp_datagram({9}), 17)));
  packets.push_back(icmp4_packet(11, 0, 0, icmp4_packet(8, 0, 0x00070009, {1, 2, 3})));
  Bytes fragment = ip4_packet(Bytes(24, 0x66), {}, 17);
  put16(fragment, 6, 0x2003);
  fix_ip4(fragment);
  packets.push_back(fragment);
  packets.push_back(ip6_packet(Bytes(24, 0x66), 44, from_hex("110005a9deadbeef")));
  packets.push_back(ip6_packet(segment, 60, from_hex("0600c20400010000")));
  packets.push_back(ip6_packet(segment, 43, from_hex("0600040100000000")));
  return packets;
}

}  // namespace netland::test
