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
  CHECK_EQ(words[Word::OptionsOffset], 60);
  CHECK_EQ(words[Word::PayloadOffset], 60);
  CHECK_EQ(words[Word::PayloadLength], 3);
}

TEST(ip6_lengths_that_contradict) {
  Bytes packet = ip6_packet(tcp_segment());
  CHECK_EQ(result_of(part(packet, 0, 39)), ParseResult::Truncated);
  put16(packet, 4, 21);
  CHECK_EQ(result_of(packet), ParseResult::Truncated);
  put16(packet, 4, 0);
  CHECK_EQ(result_of(packet), ParseResult::BadHeader);
  put16(packet, 4, 19);
  CHECK_EQ(result_of(packet), ParseResult::BadTcpHeader);
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
  CHECK_EQ(with_extension(43, "0602000000000000"), ParseResult::BadTcpHeader);  // up to its end
  CHECK_EQ(with_extension(60, "0600010500000000"), ParseResult::BadHeader);     // option beyond
  CHECK_EQ(with_extension(60, "0600000000000001"), ParseResult::BadHeader);  // without its length
  CHECK_EQ(with_extension(60, "0600010300000000"), ParseResult::Ok);         // PadN, Pad1
  CHECK_EQ(with_extension(0, "06001e0400000000"), ParseResult::Ok);          // unknown, skippable
  CHECK_EQ(with_extension(0, "06005e0400000000"), ParseResult::BadHeader);   // discard
  CHECK_EQ(with_extension(0, "0600c20400010000"), ParseResult::BadHeader);   // jumbo payload
  CHECK_EQ(with_extension(43, "0600000000000000"), ParseResult::Ok);
  CHECK_EQ(with_extension(43, "0600000100000000"), ParseResult::BadHeader);  // a segment is left
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
  CHECK_EQ(result_of(ip6_packet({}, 60, from_hex("0600010400000000"))), ParseResult::BadTcpHeader);
  CHECK_EQ(result_of(ip6_packet({}, 60, from_hex("0600000000000001"))), ParseResult::BadHeader);
  CHECK_EQ(result_of(ip6_packet({}, 60, from_hex("0600000000000102"))), ParseResult::BadHeader);
  CHECK_EQ(result_of(ip6_packet({}, 43, from_hex("0600000000000000"))), ParseResult::BadTcpHeader);
  CHECK_EQ(result_of(ip6_packet({}, 44, from_hex("0600000000000000"))), ParseResult::BadTcpHeader);
}

TEST(ip6_fragments) {
  Words words;
  const Bytes more = from_hex("060000010000abcd");
  CHECK_EQ(parse_alone(ip6_packet(tcp_segment(), 44, more), words), ParseResult::Fragment);
  CHECK_EQ(words[Word::Protocol], 6);
  CHECK_EQ(words[Word::TransportOffset], 48);
  CHECK_EQ(words[Word::Source + 3], 1);
  CHECK_EQ(with_extension(44, "060000080000abcd"), ParseResult::Fragment);
  CHECK_EQ(with_extension(44, "0600fff80000abcd"), ParseResult::Fragment);
  CHECK_EQ(with_extension(44, "06ff00060000abcd"), ParseResult::Ok);  // reserved bits
}

TEST(ip6_what_is_not_tcp) {
  Words words;
  for (const uint8_t next : {17, 50, 51, 58, 59, 135, 253}) {
    CHECK_EQ(parse_alone(ip6_packet(Bytes(16, 0), next), words), ParseResult::NotTcp);
    CHECK_EQ(words[Word::Protocol], next);
    CHECK_EQ(words[Word::TransportOffset], 40);
  }
  // Hop-by-hop options belong right behind the fixed header only.
  const Bytes late = from_hex("00000104000000000600010400000000");
  CHECK_EQ(parse_alone(ip6_packet(tcp_segment(), 60, late), words), ParseResult::NotTcp);
  CHECK_EQ(words[Word::Protocol], 0);
  CHECK_EQ(words[Word::TransportOffset], 48);
}

TEST(ip6_payload_of_a_raw_socket) {
  const Bytes packet = ip6_packet(tcp_segment({}, {1, 2, 3}));
  Words whole, payload;
  CHECK_EQ(parse_alone(packet, whole), ParseResult::Ok);
  const Ip6Ancillary ancillary{&packet[8], &packet[24], 255, 0x12, 9};
  const Bytes slab = part(packet, 40, packet.size());
  CHECK_EQ(parse_ip6_payload(slab.data(), 0, slab.size(), 7, ancillary, kKey, payload.data()),
           ParseResult::Ok);
  CHECK_EQ(payload[Word::Interface], 9);
  CHECK_EQ(payload[Word::PacketLength], 23);
  CHECK_EQ(payload[Word::PayloadOffset], 20);
  CHECK_EQ(payload[Word::Identification], 0);
  payload[Word::Interface] = 0;
  payload[Word::Identification] = whole[Word::Identification];
  payload[Word::PacketLength] += 40;
  for (const int word : {Word::TransportOffset, Word::OptionsOffset, Word::PayloadOffset}) {
    payload[static_cast<size_t>(word)] += 40;
  }
  CHECK(payload == whole);
}

TEST(ip6_payload_that_is_refused) {
  const Bytes packet = ip6_packet(tcp_segment());
  const Bytes mapped = from_hex("00000000000000000000ffff0a000001");
  const Bytes slab = part(packet, 40, packet.size());
  Words words;
  Ip6Ancillary ancillary{&packet[8], mapped.data(), 255, 0, 9};
  CHECK_EQ(parse_ip6_payload(slab.data(), 0, slab.size(), 7, ancillary, kKey, words.data()),
           ParseResult::Martian);
  ancillary.destination = &packet[24];
  CHECK_EQ(parse_ip6_payload(slab.data(), 0, 19, 7, ancillary, kKey, words.data()),
           ParseResult::BadTcpHeader);
  CHECK_EQ(parse_ip6_payload(slab.data(), 0, 0, 7, ancillary, kKey, words.data()),
           ParseResult::BadTcpHeader);
  CHECK_EQ(words[Word::Family], 6);
  CHECK_EQ(words[Word::Interface], 9);
}
