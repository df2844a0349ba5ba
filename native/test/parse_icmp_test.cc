#include <algorithm>

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

// The protocol of what a message quotes; -1 for nothing of the receiver's.
static int32_t quoted_by(const Bytes& packet) {
  Words words;
  const ParseResult result = parse_alone(packet, words);
  check_words(packet.size(), result, words);
  CHECK_EQ(result, ParseResult::Ok);
  return words[IcmpWord::Quoted];
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
  CHECK_EQ(words[IcmpWord::Quoted], IpProtocol::Tcp);
  CHECK_EQ(words[IcmpWord::Rest], 0x12340000 | 1200);
  CHECK_EQ(words[IcmpWord::Peer + 2], 0xffff);
  CHECK_EQ(words[IcmpWord::Peer + 3], static_cast<int32_t>(0xc0a80405));
  CHECK_EQ(words[Word::PayloadOffset], 28);
  CHECK_EQ(words[Word::PayloadLength], 28);
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
  CHECK_EQ(words[IcmpWord::Quoted], IpProtocol::Tcp);
  CHECK_EQ(words[IcmpWord::Rest], static_cast<int32_t>(0x80000001));
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

TEST(icmp_messages_that_quote_nothing) {
  Words words;
  CHECK_EQ(parse_alone(icmp4_packet(8, 0, 0x12340001, {1, 2, 3}), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
  CHECK_EQ(words[IcmpWord::Kind], 0x0800);
  CHECK_EQ(words[IcmpWord::Rest], 0x12340001);
  CHECK_EQ(words[IcmpWord::Quoted], -1);
  CHECK_EQ(words[Word::PayloadOffset], 28);
  CHECK_EQ(words[Word::PayloadLength], 3);
  CHECK_EQ(parse_alone(icmp6_packet(135, 0, 0, Bytes(24, 7)), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
  CHECK_EQ(words[IcmpWord::Kind], 0x8700);
  CHECK_EQ(words[IcmpWord::Quoted], -1);
  CHECK_EQ(words[Word::PayloadLength], 24);
  for (size_t length = 0; length < 8; ++length) {
    CHECK_EQ(parse_alone(ip4_packet(Bytes(length, 0), {}, 1), words),
             ParseResult::BadTransportHeader);
    CHECK_EQ(parse_alone(ip6_packet(Bytes(length, 0), 58), words), ParseResult::BadTransportHeader);
  }
}

TEST(icmp_types_that_are_errors) {
  const Bytes quoted4 = ip4_packet(tcp_segment());
  const Bytes quoted6 = ip6_packet(tcp_segment());
  for (int type = 0; type < 256; ++type) {
    const auto byte = static_cast<uint8_t>(type);
    const bool is_error4 = type == 3 || type == 11 || type == 12;
    const bool is_error6 = type >= 1 && type <= 4;
    CHECK_EQ(quoted_by(icmp4_packet(byte, 0, 0, quoted4)), is_error4 ? 6 : -1);
    CHECK_EQ(quoted_by(icmp6_packet(byte, 0, 0, quoted6)), is_error6 ? 6 : -1);
  }
}

TEST(icmp_quotes_that_are_cut) {
  const Bytes quoted4 = ip4_packet(tcp_segment(), from_hex("9404000001010100"));
  for (size_t length = 20; length <= quoted4.size(); ++length) {
    CHECK_EQ(quoted_by(icmp4_packet(11, 0, 0, part(quoted4, 0, length))),
             length >= 28 + 8 ? 6 : -1);
  }
  const Bytes quoted6 = ip6_packet(udp_datagram(Bytes(5, 1)), 60, from_hex("1100010400000000"));
  for (size_t length = 40; length <= quoted6.size(); ++length) {
    CHECK_EQ(quoted_by(icmp6_packet(3, 0, 0, part(quoted6, 0, length))),
             length >= 48 + 8 ? 17 : -1);
  }
}

TEST(icmp_quotes_of_udp_and_echo) {
  Words words;
  const Bytes udp = ip4_packet(udp_datagram({1}), {}, 17);
  CHECK_EQ(parse_alone(icmp4_packet(3, 3, 0, udp), words), ParseResult::Ok);
  CHECK_EQ(words[IcmpWord::Quoted], IpProtocol::Udp);
  CHECK_EQ(words[Word::DestinationPort], 4660);
  CHECK_EQ(words[Word::SourcePort], 53);
  CHECK_EQ(words[Word::Sequence], 0);
  const Bytes echo4 = ip4_packet(from_hex("0800000012340567"), {}, 1);
  CHECK_EQ(parse_alone(icmp4_packet(11, 0, 0, echo4), words), ParseResult::Ok);
  CHECK_EQ(words[IcmpWord::Quoted], IpProtocol::Icmp);
  CHECK_EQ(words[Word::DestinationPort], 0x1234);
  CHECK_EQ(words[Word::SourcePort], 0);
  CHECK_EQ(words[Word::Sequence], 0x0567);
  const Bytes echo6 = ip6_packet(from_hex("8000000012340567"), 58);
  CHECK_EQ(parse_alone(icmp6_packet(1, 0, 0, echo6), words), ParseResult::Ok);
  CHECK_EQ(words[IcmpWord::Quoted], IpProtocol::Icmp6);
  CHECK_EQ(words[Word::DestinationPort], 0x1234);
  CHECK_EQ(words[Word::Sequence], 0x0567);
  // A reply, or what isn't the family's own, has no identifier.
  const Bytes reply = ip4_packet(from_hex("0000000012340567"), {}, 1);
  CHECK_EQ(parse_alone(icmp4_packet(11, 0, 0, reply), words), ParseResult::Ok);
  CHECK_EQ(words[IcmpWord::Quoted], IpProtocol::Icmp);
  CHECK_EQ(words[Word::DestinationPort], 0);
  CHECK_EQ(parse_alone(icmp4_packet(3, 2, 0, ip4_packet(Bytes(8, 8), {}, 253)), words),
           ParseResult::Ok);
  CHECK_EQ(words[IcmpWord::Quoted], 253);
  CHECK_EQ(words[IcmpWord::Peer + 3], static_cast<int32_t>(0xc0a80405));
  CHECK_EQ(words[Word::DestinationPort], 0);
}

// What is quoted where byte `at` of the quoted packet is another one.
static int32_t with_quoted(Bytes quoted, size_t at, uint8_t value) {
  quoted.at(at) = value;
  return quoted_by(quoted[0] >> 4 == 6 || (at == 0 && quoted.size() > 60)
                       ? icmp6_packet(1, 0, 0, quoted)
                       : icmp4_packet(3, 0, 0, quoted));
}

TEST(icmp_quotes_that_cannot_be_read) {
  const Bytes quoted4 = ip4_packet(tcp_segment());
  CHECK_EQ(with_quoted(quoted4, 8, 0), 6);
  CHECK_EQ(with_quoted(quoted4, 0, 0x55), -1);
  CHECK_EQ(with_quoted(quoted4, 0, 0x44), -1);
  CHECK_EQ(with_quoted(quoted4, 0, 0x4f), -1);
  CHECK_EQ(with_quoted(quoted4, 9, 17), 17);
  CHECK_EQ(with_quoted(quoted4, 7, 1), -1);
  // The first fragment has the header.
  CHECK_EQ(with_quoted(quoted4, 6, 0x20), 6);
  const Bytes quoted6 = ip6_packet(tcp_segment(), 44, from_hex("0600000100000001"));
  CHECK_EQ(with_quoted(quoted6, 7, 0), 6);
  CHECK_EQ(with_quoted(quoted6, 6, 17), 17);
  CHECK_EQ(with_quoted(quoted6, 40, 50), 50);
  CHECK_EQ(with_quoted(quoted6, 42, 1), -1);
  Bytes mapped = quoted6;
  std::fill_n(mapped.begin() + 24, 10, 0);
  mapped[34] = mapped[35] = 0xff;
  CHECK_EQ(quoted_by(icmp6_packet(1, 0, 0, mapped)), -1);
}

TEST(icmp_for_somebody_else) {
  Bytes packet = icmp4_packet(3, 1, 0, ip4_packet(tcp_segment()));
  packet[19] ^= 1;
  fix_ip4(packet);
  CHECK_EQ(quoted_by(packet), -1);
  packet = icmp6_packet(1, 0, 0, ip6_packet(tcp_segment()));
  packet[39] ^= 1;
  CHECK_EQ(quoted_by(packet), -1);
}

TEST(icmp_of_the_other_family) {
  Words words;
  Bytes packet = icmp4_packet(3, 1, 0, ip4_packet(tcp_segment()));
  packet[9] = 58;
  fix_ip4(packet);
  CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
  CHECK_EQ(words[Word::PayloadOffset], 20);
  CHECK_EQ(words[IcmpWord::Kind], 0);
  packet = icmp6_packet(1, 0, 0, ip6_packet(tcp_segment()));
  packet[6] = 1;
  CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
  CHECK_EQ(words[Word::PayloadOffset], 40);
  CHECK_EQ(words[IcmpWord::Kind], 0);
}
