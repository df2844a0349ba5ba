#include <algorithm>

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

static ParseResult result_of(const Bytes& packet) {
  Words words;
  const ParseResult result = parse_alone(packet, words);
  check_words(packet.size(), result, words);
  return result;
}

TEST(icmp4_words) {
  Words words;
  const Bytes quoted = part(ip4_packet(tcp_segment({}, Bytes(100, 1))), 0, 28);
  CHECK_EQ(parse_alone(icmp4_packet(3, 4, 0x12340000 | 1200, quoted), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Protocol], IpProtocol::Icmp);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
  CHECK_EQ(words[Word::Source + 3], static_cast<int32_t>(0xc0a80001));
  CHECK_EQ(words[Word::Destination + 3], 0x0a010203);
  CHECK_EQ(words[Word::DestinationPort], 4660);
  CHECK_EQ(words[Word::SourcePort], 80);
  CHECK_EQ(words[Word::Sequence], static_cast<int32_t>(0xfffffff0));
  CHECK_EQ(words[IcmpWord::Kind], 0x0304);
  CHECK_EQ(words[IcmpWord::Mtu], 1200);
  CHECK_EQ(words[IcmpWord::Peer + 2], 0xffff);
  CHECK_EQ(words[IcmpWord::Peer + 3], static_cast<int32_t>(0xc0a80405));
  CHECK_EQ(words[Word::PayloadOffset], 28);
  CHECK_EQ(words[Word::PayloadLength], 28);
  // Of all others the second word means something else, or nothing.
  CHECK_EQ(parse_alone(icmp4_packet(3, 1, 1200, quoted), words), ParseResult::Ok);
  CHECK_EQ(words[IcmpWord::Mtu], 0);
}

TEST(icmp6_words) {
  Words words;
  const Bytes extensions = from_hex(
      "2c00010400000000"
      "3c00000100000000"
      "0600010400000000");
  const Bytes quoted = ip6_packet(part(tcp_segment(), 0, 8), 0, extensions);
  CHECK_EQ(parse_alone(icmp6_packet(2, 0, 0x80000001, quoted), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Protocol], IpProtocol::Icmp6);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
  CHECK_EQ(words[Word::Destination + 3], 1);
  CHECK_EQ(words[Word::DestinationPort], 4660);
  CHECK_EQ(words[Word::SourcePort], 80);
  CHECK_EQ(words[Word::Sequence], static_cast<int32_t>(0xfffffff0));
  CHECK_EQ(words[IcmpWord::Kind], 0x0200);
  CHECK_EQ(words[IcmpWord::Mtu], static_cast<int32_t>(0x80000001));
  CHECK_EQ(words[IcmpWord::Peer], static_cast<int32_t>(0xfd000000));
  CHECK_EQ(words[IcmpWord::Peer + 3], 2);
  CHECK_EQ(words[Word::PayloadLength], 40 + 24 + 8);
}

TEST(icmp_that_is_damaged_on_its_way) {
  for (Bytes packet : {icmp4_packet(3, 1, 0, ip4_packet(tcp_segment())),
                       icmp6_packet(1, 3, 0, ip6_packet(tcp_segment()))}) {
    packet.back() ^= 1;
    Words words;
    CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
    CHECK_EQ(words[Word::Checksum], ChecksumState::Bad);
  }
}

TEST(icmp_types_that_are_errors) {
  const Bytes quoted4 = ip4_packet(tcp_segment());
  const Bytes quoted6 = ip6_packet(tcp_segment());
  for (int type = 0; type < 256; ++type) {
    const auto byte = static_cast<uint8_t>(type);
    const bool is_error4 = type == 3 || type == 11 || type == 12;
    const bool is_error6 = type >= 1 && type <= 4;
    CHECK_EQ(result_of(icmp4_packet(byte, 0, 0, quoted4)),
             is_error4 ? ParseResult::Ok : ParseResult::NotTcp);
    CHECK_EQ(result_of(icmp6_packet(byte, 0, 0, quoted6)),
             is_error6 ? ParseResult::Ok : ParseResult::NotTcp);
  }
}

TEST(icmp_quotes_that_are_cut) {
  const Bytes quoted4 = ip4_packet(tcp_segment(), from_hex("9404000001010100"));
  for (size_t length = 20; length <= quoted4.size(); ++length) {
    CHECK_EQ(result_of(icmp4_packet(11, 0, 0, part(quoted4, 0, length))),
             length >= 28 + 8 ? ParseResult::Ok : ParseResult::NotTcp);
  }
  const Bytes quoted6 = ip6_packet(tcp_segment(), 60, from_hex("0600010400000000"));
  for (size_t length = 40; length <= quoted6.size(); ++length) {
    CHECK_EQ(result_of(icmp6_packet(3, 0, 0, part(quoted6, 0, length))),
             length >= 48 + 8 ? ParseResult::Ok : ParseResult::NotTcp);
  }
}

// The result where byte `at` of the quoted packet is another one.
static ParseResult with_quoted(Bytes quoted, size_t at, uint8_t value) {
  quoted.at(at) = value;
  return result_of(quoted[0] >> 4 == 6 || (at == 0 && quoted.size() > 60)
                       ? icmp6_packet(1, 0, 0, quoted)
                       : icmp4_packet(3, 0, 0, quoted));
}

TEST(icmp_quotes_of_something_else) {
  const Bytes quoted4 = ip4_packet(tcp_segment());
  CHECK_EQ(with_quoted(quoted4, 8, 0), ParseResult::Ok);
  CHECK_EQ(with_quoted(quoted4, 0, 0x55), ParseResult::NotTcp);
  CHECK_EQ(with_quoted(quoted4, 0, 0x44), ParseResult::NotTcp);
  CHECK_EQ(with_quoted(quoted4, 0, 0x4f), ParseResult::NotTcp);
  CHECK_EQ(with_quoted(quoted4, 9, 17), ParseResult::NotTcp);
  CHECK_EQ(with_quoted(quoted4, 7, 1), ParseResult::NotTcp);
  // The first fragment has the header.
  CHECK_EQ(with_quoted(quoted4, 6, 0x20), ParseResult::Ok);
  const Bytes quoted6 = ip6_packet(tcp_segment(), 44, from_hex("0600000100000001"));
  CHECK_EQ(with_quoted(quoted6, 7, 0), ParseResult::Ok);
  CHECK_EQ(with_quoted(quoted6, 6, 17), ParseResult::NotTcp);
  CHECK_EQ(with_quoted(quoted6, 40, 50), ParseResult::NotTcp);
  CHECK_EQ(with_quoted(quoted6, 42, 1), ParseResult::NotTcp);
  Bytes mapped = quoted6;
  std::fill_n(mapped.begin() + 24, 10, 0);
  mapped[34] = mapped[35] = 0xff;
  CHECK_EQ(result_of(icmp6_packet(1, 0, 0, mapped)), ParseResult::NotTcp);
}

TEST(icmp_for_somebody_else) {
  Bytes packet = icmp4_packet(3, 1, 0, ip4_packet(tcp_segment()));
  packet[19] ^= 1;
  fix_ip4(packet);
  CHECK_EQ(result_of(packet), ParseResult::NotTcp);
  packet = icmp6_packet(1, 0, 0, ip6_packet(tcp_segment()));
  packet[39] ^= 1;
  CHECK_EQ(result_of(packet), ParseResult::NotTcp);
  // Neither belongs to the other's family.
  packet = icmp4_packet(3, 1, 0, ip4_packet(tcp_segment()));
  packet[9] = 58;
  fix_ip4(packet);
  CHECK_EQ(result_of(packet), ParseResult::NotTcp);
  packet = icmp6_packet(1, 0, 0, ip6_packet(tcp_segment()));
  packet[6] = 1;
  CHECK_EQ(result_of(packet), ParseResult::NotTcp);
}
