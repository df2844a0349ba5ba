#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

static ParseResult result_of(const Bytes& packet) {
  Words words;
  return parse_alone(packet, words);
}

static int32_t fragment_of(const Bytes& packet) {
  Words words;
  const ParseResult result = parse_alone(packet, words);
  CHECK_EQ(result, ParseResult::Ok);
  check_words(packet.size(), result, words);
  return words[Word::Fragment];
}

static Bytes with_byte(Bytes packet, size_t at, uint8_t value, bool right_checksum = true) {
  packet.at(at) = value;
  if (right_checksum) fix_ip4(packet);
  return packet;
}

TEST(ip4_words) {
  const Bytes segment = tcp_segment({}, {1, 2, 3});
  Words words;
  CHECK_EQ(parse_alone(ip4_packet(segment), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Family], 4);
  CHECK_EQ(words[Word::Protocol], 6);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
  CHECK_EQ(words[Word::Direction], Direction::In);
  CHECK_EQ(words[Word::Interface], 0);
  CHECK_EQ(words[Word::TrafficClass], 0x12);
  CHECK_EQ(words[Word::HopLimit], 64);
  CHECK_EQ(words[Word::GsoSize], 0);
  CHECK_EQ(words[Word::Source], 0);
  CHECK_EQ(words[Word::Source + 1], 0);
  CHECK_EQ(words[Word::Source + 2], 0xffff);
  CHECK_EQ(words[Word::Source + 3], 0x0a010203);
  CHECK_EQ(words[Word::Destination + 2], 0xffff);
  CHECK_EQ(words[Word::Destination + 3], static_cast<int32_t>(0xc0a80405));
  CHECK_EQ(words[Word::Slab], 7);
  CHECK_EQ(words[Word::PacketOffset], 0);
  CHECK_EQ(words[Word::PacketLength], 43);
  CHECK_EQ(words[Word::TransportOffset], 20);
  CHECK_EQ(words[Word::OptionsLength], 0);
  CHECK_EQ(words[Word::PayloadOffset], 40);
  CHECK_EQ(words[Word::PayloadLength], 3);
  CHECK_EQ(words[Word::Identification], 0x1234);
  CHECK_EQ(words[Word::SliceCount], 0);
}

TEST(ip4_at_an_offset_of_the_slab) {
  const Bytes packet = ip4_packet(tcp_segment({1, 1, 1, 0}, {9}));
  const Bytes slab = Bytes(1001, 0xee) + packet + Bytes(10, 0xee);
  Words words;
  CHECK_EQ(parse(slab.data(), 1001, packet.size(), 3, kKey, words.data()), ParseResult::Ok);
  CHECK_EQ(words[Word::Slab], 3);
  CHECK_EQ(words[Word::PacketOffset], 1001);
  CHECK_EQ(words[Word::TransportOffset], 1021);
  CHECK_EQ(words[Word::OptionsLength], 4);
  CHECK_EQ(words[Word::PayloadOffset], 1045);
  CHECK_EQ(slab[static_cast<size_t>(words[Word::PayloadOffset])], 9);
}

TEST(ip4_lengths_that_contradict) {
  const Bytes packet = ip4_packet(tcp_segment());
  CHECK_EQ(result_of({}), ParseResult::Truncated);
  CHECK_EQ(result_of(with_byte(packet, 0, 0x44)), ParseResult::BadHeader);
  CHECK_EQ(result_of(with_byte(packet, 0, 0x40, false)), ParseResult::BadHeader);
  CHECK_EQ(result_of(with_byte(packet, 0, 0x4f, false)), ParseResult::Truncated);
  CHECK_EQ(result_of(with_byte(packet, 0, 0x55, false)), ParseResult::BadVersion);
  CHECK_EQ(result_of(with_byte(packet, 3, 41)), ParseResult::Truncated);
  CHECK_EQ(result_of(with_byte(packet, 3, 19)), ParseResult::BadHeader);
  CHECK_EQ(result_of(with_byte(packet, 3, 0)), ParseResult::BadHeader);
  CHECK_EQ(result_of(with_byte(packet, 3, 20)), ParseResult::BadTransportHeader);
  CHECK_EQ(result_of(with_byte(packet, 3, 39)), ParseResult::BadTransportHeader);
}

TEST(ip4_header_checksum) {
  for (size_t at = 1; at < 20; ++at) {
    Bytes packet = ip4_packet(tcp_segment());
    packet[at] ^= 0x10;
    CHECK_EQ(result_of(packet), ParseResult::BadIpChecksum);
  }
}

TEST(ip4_padding_is_not_payload) {
  const Bytes packet = ip4_packet(tcp_segment({}, {5, 6}));
  Words words, padded;
  CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
  CHECK_EQ(parse_alone(packet + Bytes(6, 0xaa), padded), ParseResult::Ok);
  CHECK(words == padded);
}

TEST(ip4_options_are_skipped) {
  const Bytes options = from_hex("9404000001010100");  // router alert, NOPs, end
  Words words;
  CHECK_EQ(parse_alone(ip4_packet(tcp_segment({}, {1}), options), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
  CHECK_EQ(words[Word::TransportOffset], 28);
  CHECK_EQ(words[Word::PacketLength], 49);
  CHECK_EQ(words[Word::PayloadLength], 1);
}

TEST(ip4_fragments) {
  Words words;
  const Bytes packet = ip4_packet(tcp_segment());
  CHECK_EQ(parse_alone(with_byte(packet, 6, 0x20), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Fragment], kMoreFragments);
  CHECK_EQ(words[Word::Identification], 0x1234 | kMayFragment);
  CHECK_EQ(words[Word::PayloadOffset], 20);
  CHECK_EQ(words[Word::PayloadLength], 20);
  CHECK_EQ(words[Word::Protocol], 6);
  CHECK_EQ(words[Word::Source + 3], 0x0a010203);
  CHECK_EQ(words[Word::TransportOffset], 20);
  CHECK_EQ(words[Word::SourcePort], 0);
  CHECK_EQ(fragment_of(with_byte(packet, 7, 1)), 8);
  CHECK_EQ(fragment_of(with_byte(with_byte(packet, 6, 0x3f), 7, 0xff)), 65528 | kMoreFragments);
  CHECK_EQ(fragment_of(with_byte(packet, 6, 0xc0)), 0);
  CHECK_EQ(fragment_of(with_byte(packet, 6, 0x00)), 0);
  // Nothing of it is read, not even that there is nothing.
  CHECK_EQ(fragment_of(with_byte(ip4_packet({}, {}, 17), 7, 1)), 8);
}

TEST(ip4_dont_fragment) {
  Words words;
  const Bytes packet = ip4_packet(tcp_segment());
  parse_alone(packet, words);
  CHECK_EQ(words[Word::Identification], 0x1234);
  parse_alone(with_byte(packet, 6, 0x80), words);
  CHECK_EQ(words[Word::Identification], 0x1234 | kMayFragment);
}

TEST(ip4_other_protocols) {
  Words words;
  CHECK_EQ(parse_alone(ip4_packet({1, 2, 3, 4, 5, 6, 7, 8}, {}, 2), words), ParseResult::Ok);
  CHECK_EQ(words[Word::Family], 4);
  CHECK_EQ(words[Word::Protocol], IpProtocol::Igmp);
  CHECK_EQ(words[Word::PayloadOffset], 20);
  CHECK_EQ(words[Word::PayloadLength], 8);
  CHECK_EQ(words[IcmpWord::Rest], 0);
  CHECK_EQ(words[Word::HopLimit], 64);
  CHECK_EQ(words[Word::Destination + 3], static_cast<int32_t>(0xc0a80405));
  CHECK_EQ(words[Word::PacketLength], 28);
  CHECK_EQ(words[Word::TransportOffset], 20);
  CHECK_EQ(words[Word::Hash], 0);
}

TEST(ip4_of_the_largest_size) {
  std::mt19937 random(6);
  Words words;
  CHECK_EQ(parse_alone(ip4_packet(tcp_segment({}, random_bytes(random, 65495))), words),
           ParseResult::Ok);
  CHECK_EQ(words[Word::PacketLength], 65535);
  CHECK_EQ(words[Word::PayloadLength], 65495);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
}

// The expectations are the fixture's own notes.
TEST(captured_packets) {
  struct Expected {
    int32_t source_port, destination_port;
    uint32_t sequence, acknowledgment;
    int32_t flags, window, checksum, options;
  };
  constexpr int32_t kSynOptions =
      Option::Mss | Option::SackPermitted | Option::Timestamps | Option::WindowScale;
  const Expected expected[] = {
      {32896, 6378, 1368668675, 0, Flag::SYN, 29200, ChecksumState::Partial, kSynOptions},
      {6378, 32896, 2882988348, 1368668676, Flag::SYN | Flag::ACK, 28960, ChecksumState::Verified,
       kSynOptions},
      {32896, 6378, 1368668676, 2882988349, Flag::ACK, 229, ChecksumState::Partial,
       Option::Timestamps},
      {6378, 33964, 2221282036, 81895238, Flag::ACK, 227, ChecksumState::Partial,
       Option::Timestamps},
      {33964, 6378, 81895238, 2221282036, Flag::ACK, 229, ChecksumState::Verified,
       Option::Timestamps},
      {33964, 6378, 81895238, 2221282037, Flag::ACK, 229, ChecksumState::Bad, Option::Timestamps},
      {6378, 33964, 2221282037, 81895239, Flag::ACK, 227, ChecksumState::Partial,
       Option::Timestamps},
  };
  const std::vector<Bytes> packets = captured_packets();
  CHECK_EQ(packets.size(), std::size(expected));
  for (size_t i = 0; i < packets.size(); ++i) {
    Words words;
    CHECK_EQ(parse_alone(packets[i], words), ParseResult::Ok);
    CHECK_EQ(words[Word::SourcePort], expected[i].source_port);
    CHECK_EQ(words[Word::DestinationPort], expected[i].destination_port);
    CHECK_EQ(static_cast<uint32_t>(words[Word::Sequence]), expected[i].sequence);
    CHECK_EQ(static_cast<uint32_t>(words[Word::Acknowledgment]), expected[i].acknowledgment);
    CHECK_EQ(words[Word::Flags], expected[i].flags);
    CHECK_EQ(words[Word::Window], expected[i].window);
    CHECK_EQ(words[Word::Checksum], expected[i].checksum);
    CHECK_EQ(words[Word::Options], expected[i].options);
    CHECK_EQ(words[Word::PayloadLength], 0);
  }
}

TEST(captured_packet_with_the_fin_bit_put_back) {
  Bytes packet = captured_packets().at(5);
  packet[33] |= Flag::FIN;
  Words words;
  CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
}
