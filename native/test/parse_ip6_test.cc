#include <algorithm>

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

static ParseResult result_of(const Bytes& packet) {
  Words words;
  return parse_alone(packet, words);
}

// A packet with one extension header of the kind `next` before its TCP segment.
static ParseResult with_extension(uint8_t next, const std::string& hex) {
  return result_of(ip6_packet(tcp_segment({}, {1, 2, 3}), next, from_hex(hex)));
}

TEST(ip6_words) {
  Words words;
  CHECK_EQ(parse_alone(ip6_packet(tcp_segment({}, {1, 2, 3})), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Family], 6);
  CHECK_EQ(words[Word::Protocol], 6);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
  CHECK_EQ(words[Word::TrafficClass], 0x12);
  CHECK_EQ(words[Word::HopLimit], 255);
  CHECK_EQ(words[Word::Identification], 0x12345);
  CHECK_EQ(words[Word::Source], static_cast<int32_t>(0xfd000000));
  CHECK_EQ(words[Word::Source + 1], 0);
  CHECK_EQ(words[Word::Source + 3], 1);
  CHECK_EQ(words[Word::Destination], static_cast<int32_t>(0xfd000000));
  CHECK_EQ(words[Word::Destination + 3], 2);
  CHECK_EQ(words[Word::PacketLength], 63);
  CHECK_EQ(words[Word::TransportOffset], 40);
  CHECK_EQ(words[Word::PayloadOffset], 60);
  CHECK_EQ(words[Word::PayloadLength], 3);
}

TEST(ip6_lengths_that_contradict) {
  Bytes packet = ip6_packet(tcp_segment());
  CHECK_EQ(result_of(part(packet, 0, 39)), ParseResult::Truncated);
  put16(packet, 4, 21);
  CHECK_EQ(result_of(packet), ParseResult::Truncated);
  put16(packet, 4, 0);
  CHECK_EQ(result_of(packet), ParseResult::BadTransportHeader);
  packet[6] = 0;  // a jumbogram
  CHECK_EQ(result_of(packet), ParseResult::BadHeader);
  packet[6] = 59;
  CHECK_EQ(result_of(packet), ParseResult::Ok);
  packet[6] = 6;
  put16(packet, 4, 19);
  CHECK_EQ(result_of(packet), ParseResult::BadTransportHeader);
}

TEST(ip6_padding_is_not_payload) {
  const Bytes packet = ip6_packet(tcp_segment({}, {5, 6}));
  Words words, padded;
  CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
  CHECK_EQ(parse_alone(packet + Bytes(6, 0xaa), padded), ParseResult::Ok);
  CHECK(words == padded);
}

TEST(ip6_of_the_largest_size) {
  std::mt19937 random(6);
  Words words;
  CHECK_EQ(parse_alone(ip6_packet(tcp_segment({}, random_bytes(random, 65515))), words),
           ParseResult::Ok);
  CHECK_EQ(words[Word::PacketLength], 65575);
  CHECK_EQ(words[Word::PayloadLength], 65515);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
}

TEST(ip6_mapped_addresses_are_martian) {
  for (const size_t at : {8, 24}) {
    Bytes packet = ip6_packet(tcp_segment());
    std::fill_n(packet.begin() + static_cast<std::ptrdiff_t>(at), 10, uint8_t{0});
    put16(packet, at + 10, 0xffff);
    Words words;
    CHECK_EQ(parse_alone(packet, words), ParseResult::Martian);
    CHECK_EQ(words[Word::Family], 6);
    CHECK_EQ(words[Word::Protocol], 6);
    CHECK_EQ(words[Word::TransportOffset], 40);
    CHECK_EQ(words[Word::SourcePort], 0);
    put16(packet, at + 10, 0xfffe);
    CHECK_EQ(result_of(packet), ParseResult::Ok);
  }
}

TEST(ip6_extension_headers_are_walked) {
  // Hop-by-hop with router alert and PadN, destination options of 16 bytes, routing with nothing
  // left, an atomic fragment, destination options again.
  const Bytes extensions = from_hex(
      "3c00050200000100"
      "2b010104000000000104000000000000"
      "2c00000000000000"
      "3c000006deadbeef"
      "0600010400000000");
  Words words;
  CHECK_EQ(parse_alone(ip6_packet(tcp_segment({}, {1, 2, 3}), 0, extensions), words),
           ParseResult::Ok);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
  CHECK_EQ(words[Word::Protocol], 6);
  CHECK_EQ(words[Word::TransportOffset], 88);
  CHECK_EQ(words[Word::PacketLength], 111);
  CHECK_EQ(words[Word::PayloadLength], 3);
}

TEST(ip6_extension_headers_that_are_refused) {
  CHECK_EQ(with_extension(60, "0600010400000000"), ParseResult::Ok);
  CHECK_EQ(with_extension(60, "06ff010400000000"), ParseResult::BadHeader);  // beyond the packet
  CHECK_EQ(with_extension(60, "0603010400000000"), ParseResult::BadHeader);  // one byte beyond it
  CHECK_EQ(with_extension(43, "0602000000000000"),
           ParseResult::BadTransportHeader);                                 // up to its end
  CHECK_EQ(with_extension(60, "0600010500000000"), ParseResult::BadHeader);  // option beyond
  CHECK_EQ(with_extension(60, "0600000000000001"), ParseResult::BadHeader);  // without its length
  CHECK_EQ(with_extension(60, "0600010300000000"), ParseResult::Ok);         // PadN, Pad1
  CHECK_EQ(with_extension(0, "06001e0400000000"), ParseResult::Ok);          // unknown, skippable
  CHECK_EQ(with_extension(0, "06005e0400000000"), ParseResult::BadHeader);   // discard
  CHECK_EQ(with_extension(43, "0600000000000000"), ParseResult::Ok);
}

TEST(ip6_extension_header_cut_by_the_payload_length) {
  for (const uint8_t next : {0, 43, 44, 60}) {
    for (size_t length = 1; length < 8; ++length) {
      const Bytes all = from_hex("0600010400000000");
      const Bytes header = part(all, 0, length);
      CHECK_EQ(result_of(ip6_packet({}, next, header)), ParseResult::BadHeader);
      Words words;
      parse_alone(ip6_packet({}, next, header), words);
      CHECK(words == Words{});
    }
  }
}

TEST(ip6_extension_header_that_ends_the_packet) {
  CHECK_EQ(result_of(ip6_packet({}, 60, from_hex("0600010400000000"))),
           ParseResult::BadTransportHeader);
  CHECK_EQ(result_of(ip6_packet({}, 60, from_hex("0600000000000001"))), ParseResult::BadHeader);
  CHECK_EQ(result_of(ip6_packet({}, 60, from_hex("0600000000000102"))), ParseResult::BadHeader);
  CHECK_EQ(result_of(ip6_packet({}, 43, from_hex("0600000000000000"))),
           ParseResult::BadTransportHeader);
  CHECK_EQ(result_of(ip6_packet({}, 44, from_hex("0600000000000000"))),
           ParseResult::BadTransportHeader);
}

// What a packet with an extension header of the kind `next` is to be answered with: kind and
// pointer; 0 for nothing.
static std::pair<int32_t, int32_t> problem_of(uint8_t next, const std::string& hex,
                                              bool multicast = false) {
  Bytes packet = ip6_packet(tcp_segment({}, {1, 2, 3}), next, from_hex(hex));
  if (multicast) packet[24] = 0xff;
  Words words;
  const ParseResult result = parse_alone(packet, words);
  check_words(packet.size(), result, words);
  if (result != ParseResult::Ok || words[Word::Protocol] != IpProtocol::None) return {0, 0};
  return {words[IcmpWord::Kind], words[IcmpWord::Rest]};
}

TEST(ip6_parameter_problems) {
  using Problem = std::pair<int32_t, int32_t>;
  const Problem none{0, 0};
  CHECK(problem_of(60, "0600010400000000") == none);
  // By the two highest bits of an unknown option's type.
  CHECK(problem_of(0, "06003e0400000000") == none);
  CHECK(problem_of(0, "06007e0400000000") == none);
  CHECK(problem_of(0, "0600be0400000000") == Problem(0x402, 42));
  CHECK(problem_of(0, "0600fe0400000000") == Problem(0x402, 42));
  CHECK(problem_of(0, "0600be0400000000", true) == Problem(0x402, 42));
  CHECK(problem_of(0, "0600fe0400000000", true) == none);
  CHECK(problem_of(60, "060000000100c200") == Problem(0x402, 46));
  CHECK(problem_of(60, "060000000100c201") == none);  // beyond its header
  // Only in the order in which they stand.
  CHECK(problem_of(60, "060040008000c000") == none);
  CHECK(problem_of(60, "060080004000c000") == Problem(0x402, 42));
  // A segment is left.
  CHECK(problem_of(43, "0600040100000000") == Problem(0x400, 42));
  CHECK(problem_of(60, "2b000104000000000600ff0200000000") == Problem(0x400, 50));
  // Hop-by-hop options belong right behind the fixed header only.
  CHECK(problem_of(60, "00000104000000000600010400000000") == Problem(0x401, 40));
  CHECK(problem_of(0, "00000104000000000600010400000000") == Problem(0x401, 40));
  // Before a fragment header all the same.
  CHECK(problem_of(60, "2c00be04000000000600000100000001") == Problem(0x402, 42));
  CHECK(problem_of(44, "3c000001000000010600be0400000000") == none);
}

TEST(ip6_parameter_problem_words) {
  Words words;
  const Bytes packet = ip6_packet(tcp_segment(), 60, from_hex("2b000104000000000600ff0200000000"));
  CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
  CHECK_EQ(words[Word::Family], 6);
  CHECK_EQ(words[Word::Destination + 3], 2);
  CHECK_EQ(words[Word::PacketLength], 76);
  CHECK_EQ(words[Word::TransportOffset], 48);
  CHECK_EQ(words[Word::PayloadOffset], 48);
  CHECK_EQ(words[Word::PayloadLength], 28);
  CHECK_EQ(words[Word::SourcePort], 0);
}

TEST(ip6_router_alert) {
  const auto options = [](uint8_t protocol, const std::string& hex, uint8_t next = 0) {
    Bytes extension = from_hex(hex);
    extension[0] = protocol;
    Words words;
    const Bytes packet = ip6_packet(Bytes(24, 0), next, extension);
    CHECK_EQ(parse_alone(packet, words),
             protocol == 6 ? ParseResult::BadTransportHeader : ParseResult::Ok);
    return words[Word::Options];
  };
  CHECK_EQ(options(58, "0000050200000100"), Option::RouterAlert);
  CHECK_EQ(options(253, "0000010005020000"), Option::RouterAlert);
  CHECK_EQ(options(58, "0000050300000000"), 0);
  CHECK_EQ(options(58, "0000050200000100", 60), 0);
  CHECK_EQ(options(6, "0000050200000100"), 0);
  Words words;
  const Bytes tcp = ip6_packet(tcp_segment(), 0, from_hex("0600050200000100"));
  CHECK_EQ(parse_alone(tcp, words), ParseResult::Ok);
  CHECK_EQ(words[Word::Options], 0);
}

TEST(ip6_fragments) {
  Words words;
  const Bytes more = from_hex("060000010000abcd");
  const Bytes packet = ip6_packet(tcp_segment(), 44, more);
  CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
  check_words(packet.size(), ParseResult::Ok, words);
  CHECK_EQ(words[Word::Protocol], 6);
  CHECK_EQ(words[Word::Fragment], kMoreFragments);
  CHECK_EQ(words[Word::Identification], 0xabcd);
  CHECK_EQ(words[Word::TransportOffset], 48);
  CHECK_EQ(words[Word::PayloadOffset], 48);
  CHECK_EQ(words[Word::PayloadLength], 20);
  CHECK_EQ(words[Word::Source + 3], 1);
  const auto fragment_of = [&words](const std::string& hex) {
    CHECK_EQ(parse_alone(ip6_packet(tcp_segment(), 44, from_hex(hex)), words), ParseResult::Ok);
    return words[Word::Fragment];
  };
  CHECK_EQ(fragment_of("060000080000abcd"), 8);
  CHECK_EQ(fragment_of("0600fff98000abcd"), 0xfff9);
  CHECK_EQ(words[Word::Identification], static_cast<int32_t>(0x8000abcd));
  CHECK_EQ(fragment_of("06ff00060000abcd"), 0);  // reserved bits
  CHECK_EQ(words[Word::Identification], 0x12345);
}

TEST(ip6_other_protocols) {
  Words words;
  for (const uint8_t next : {1, 2, 50, 51, 59, 135, 253}) {
    CHECK_EQ(parse_alone(ip6_packet(Bytes(16, 0), next), words), ParseResult::Ok);
    CHECK_EQ(words[Word::Protocol], next);
    CHECK_EQ(words[IcmpWord::Kind], 0);
    CHECK_EQ(words[IcmpWord::Rest], 6);
    CHECK_EQ(words[Word::TransportOffset], 40);
    CHECK_EQ(words[Word::PayloadOffset], 40);
    CHECK_EQ(words[Word::PayloadLength], 16);
  }
  const Bytes behind = from_hex("3c00010400000000fd00010400000000");
  CHECK_EQ(parse_alone(ip6_packet(Bytes(3, 0), 0, behind), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Protocol], 253);
  CHECK_EQ(words[IcmpWord::Rest], 48);
  CHECK_EQ(words[Word::PayloadOffset], 56);
}
