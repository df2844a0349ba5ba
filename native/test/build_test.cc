#include "core/build.h"

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

// A descriptor of the captured SYN's connection.
static Words segment_words(int32_t flags, int32_t options) {
  Words words{};
  words[Word::Family] = 4;
  words[Word::Protocol] = 6;
  words[Word::TrafficClass] = 0x10;
  words[Word::HopLimit] = 64;
  words[Word::Identification] = 0x2db8;
  words[Word::Source + 2] = words[Word::Destination + 2] = 0xffff;
  words[Word::Source + 3] = 0x0af9ac2a;
  words[Word::Destination + 3] = 0x0af9accb;
  words[Word::SourcePort] = 32896;
  words[Word::DestinationPort] = 6378;
  words[Word::Sequence] = 1368668675;
  words[Word::Flags] = flags;
  words[Word::Window] = 29200;
  words[Word::Options] = options;
  words[Word::Mss] = 1460;
  words[Word::WindowScale] = 7;
  words[Word::TsVal] = static_cast<int32_t>(0xb51917bb);
  words[Word::TsEcr] = 0;
  return words;
}

static Bytes build(const Words& words, TransportChecksum checksum = TransportChecksum::Complete) {
  Bytes packet(packet_length(words.data()));
  const Payload none{};
  CHECK_EQ(build_packet(words.data(), none, packet.data(), packet.size(), checksum), packet.size());
  return packet;
}

static Bytes options_of(const Words& words) {
  const Bytes packet = build(words);
  return part(packet, 40, packet.size());
}

TEST(build_the_captured_syn) {
  const Words words = segment_words(
      Flag::SYN, Option::Mss | Option::SackPermitted | Option::Timestamps | Option::WindowScale);
  const Bytes captured = captured_packets().at(0);
  CHECK(build(words, TransportChecksum::Partial) == captured);
  Bytes finished = captured;
  fix_tcp(finished, 20);
  CHECK(build(words) == finished);
}

TEST(build_the_other_captured_packets_from_their_descriptors) {
  const std::vector<Bytes> packets = captured_packets();
  for (const Bytes& packet : packets) {
    Words words;
    CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
    const bool partial = words[Word::Checksum] == ChecksumState::Partial;
    Bytes expected = packet;
    if (words[Word::Checksum] == ChecksumState::Bad) fix_tcp(expected, 20);
    CHECK(build(words, partial ? TransportChecksum::Partial : TransportChecksum::Complete) ==
          expected);
  }
}

TEST(build_options_as_linux_lays_them_out) {
  const int32_t mss = Option::Mss, scale = Option::WindowScale, permitted = Option::SackPermitted,
                stamps = Option::Timestamps;
  const struct {
    int32_t options;
    const char* hex;
  } cases[] = {
      {0, ""},
      {mss, "020405b4"},
      {mss | permitted | stamps | scale, "020405b40402080ab51917bb0000000001030307"},
      {mss | stamps | scale, "020405b40101080ab51917bb0000000001030307"},
      {mss | permitted | scale, "020405b40101040201030307"},
      {mss | scale, "020405b401030307"},
      {mss | permitted, "020405b401010402"},
      {mss | permitted | stamps, "020405b40402080ab51917bb00000000"},
      {stamps, "0101080ab51917bb00000000"},
      {Option::Sack, ""},  // no blocks
  };
  for (const auto& [options, hex] : cases) {
    CHECK(options_of(segment_words(Flag::SYN, options)) == from_hex(hex));
  }
}

TEST(build_sack_blocks_that_fit) {
  Words words = segment_words(Flag::ACK, Option::Sack);
  std::string blocks;
  for (int i = 0; i < 8; ++i) {
    words[Word::Sack + i] = i + 1;
    blocks += "0000000" + std::to_string(i + 1);
  }
  words[Word::SackCount] = 4;
  CHECK(options_of(words) == from_hex("01010522" + blocks));
  words[Word::SackCount] = 99;
  CHECK(options_of(words) == from_hex("01010522" + blocks));
  words[Word::SackCount] = -1;
  CHECK(options_of(words).empty());
  words[Word::SackCount] = 1;
  CHECK(options_of(words) == from_hex("0101050a" + blocks.substr(0, 16)));

  words[Word::SackCount] = 4;
  words[Word::Options] |= Option::Timestamps;
  CHECK(options_of(words) == from_hex("0101080ab51917bb000000000101051a" + blocks.substr(0, 48)));
  words[Word::Options] |= Option::Mss | Option::WindowScale;
  CHECK(options_of(words) ==
        from_hex("020405b40101080ab51917bb000000000103030701010512" + blocks.substr(0, 32)));
}

TEST(build_ip6_header) {
  Words words = segment_words(Flag::ACK, 0);
  words[Word::Family] = 6;
  for (int i = 0; i < 4; ++i) {
    words[Word::Source + i] = 0x01010101 * (i + 1);
    words[Word::Destination + i] = 0x10101010 * (i + 1);
  }
  words[Word::Identification] = 0x7ffabcde;
  words[Word::TrafficClass] = 0x1b8;
  const Bytes packet = build(words);
  const Bytes expected = from_hex(
      "6b8abcde00140640"
      "01010101020202020303030304040404"
      "10101010202020203030303040404040");
  CHECK(part(packet, 0, 40) == expected);
}

TEST(build_cuts_words_to_their_fields) {
  Words words = segment_words(0, Option::Mss | Option::WindowScale);
  words[Word::Flags] = -1;
  words[Word::Window] = 0x12345;
  words[Word::Urgent] = 0x54321;
  words[Word::SourcePort] = 0x10050;
  words[Word::Identification] = 0x45678;
  words[Word::HopLimit] = 0x1ff;
  words[Word::TrafficClass] = 0x1b8;
  words[Word::Mss] = 0x105dc;
  words[Word::WindowScale] = 0x10e;
  const Bytes packet = build(words);
  CHECK_EQ(packet[1], 0xb8);
  CHECK(part(packet, 4, 10) == from_hex("56784000ff06"));
  CHECK(part(packet, 20, 24) == from_hex("005018ea"));
  CHECK(part(packet, 32, 36) == from_hex("71ff2345"));
  CHECK(part(packet, 38, 48) == from_hex("4321020405dc0103030e"));
}

TEST(build_refuses_what_cannot_be_sent) {
  const auto refused = [](const Words& words) {
    Payload payload;
    payload.length = static_cast<size_t>(std::max(0, words[Word::PayloadLength]));
    Bytes out(kMaxHeaderLength, 0xcc);
    return packet_length(words.data()) == 0 &&
           build_headers(words.data(), payload, out.data()) == 0 &&
           build_packet(words.data(), payload, out.data(), out.size()) == 0 &&
           out == Bytes(kMaxHeaderLength, 0xcc);
  };
  Words words = segment_words(Flag::ACK, 0);
  CHECK(!refused(words));
  words[Word::Family] = 5;
  CHECK(refused(words));
  CHECK_EQ(header_length(words.data()), 0u);
  words = segment_words(Flag::ACK, 0);
  words[Word::Protocol] = 256;
  CHECK(refused(words));
  words[Word::Protocol] = -1;
  CHECK(refused(words));
  words = segment_words(Flag::ACK, 0);
  words[Word::PayloadLength] = -1;
  CHECK(refused(words));
  words[Word::PayloadLength] = 65535 - 39;
  CHECK(refused(words));
  words[Word::PayloadLength] = 65535 - 40;
  CHECK_EQ(packet_length(words.data()), 65535u);
  words[Word::Family] = 6;
  words[Word::PayloadLength] = 65535 - 20;
  CHECK_EQ(packet_length(words.data()), kMaxPacketLength);
  words[Word::PayloadLength] = 65535 - 19;
  CHECK(refused(words));
}

TEST(build_needs_room_and_the_payload_it_was_told_of) {
  Words words = segment_words(Flag::ACK, 0);
  Bytes out(100, 0xcc);
  const Payload none{};
  CHECK_EQ(build_packet(words.data(), none, out.data(), 39), 0u);
  words[Word::PayloadLength] = 1;
  CHECK_EQ(build_headers(words.data(), none, out.data()), 0u);
  CHECK_EQ(build_packet(words.data(), none, out.data(), out.size()), 0u);
  CHECK(out == Bytes(100, 0xcc));
}

// What stands behind the IP header of the packet of another protocol.
static Bytes build_other(Words words, int32_t protocol, const Bytes& data,
                         TransportChecksum checksum = TransportChecksum::Complete) {
  words[Word::Protocol] = protocol;
  words[Word::PayloadLength] = static_cast<int32_t>(data.size());
  Payload payload;
  payload.count = data.empty() ? 0 : 1;
  payload.pieces[0] = {data.data(), data.size()};
  payload.length = data.size();
  Bytes packet(packet_length(words.data()));
  CHECK_EQ(build_packet(words.data(), payload, packet.data(), packet.size(), checksum),
           packet.size());
  const size_t start = words[Word::Family] == 4 ? static_cast<size_t>(packet[0] & 15) * 4 : 40;
  CHECK_EQ(packet[words[Word::Family] == 4 ? 9 : 6],
           start == 40 && words[Word::Options] != 0 ? 0 : protocol);
  return part(packet, start, packet.size());
}

TEST(build_udp) {
  for (const int32_t family : {4, 6}) {
    Words words = segment_words(0, 0);
    words[Word::Family] = family;
    words[Word::DestinationPort] = 53;
    Bytes datagram = build_other(words, 17, {1, 2, 3});
    CHECK(part(datagram, 0, 6) == from_hex("80800035000b"));
    CHECK(part(datagram, 8, 11) == Bytes({1, 2, 3}));
    const Bytes partial = build_other(words, 17, {1, 2, 3}, TransportChecksum::Partial);
    words[Word::Checksum] = ChecksumState::None;
    const Bytes none = build_other(words, 17, {1, 2, 3});
    CHECK((part(none, 6, 8) == Bytes({0, 0})) == (family == 4));
    // A payload that makes the sum zero.
    words[Word::Checksum] = ChecksumState::Verified;
    const Bytes zero = build_other(words, 17, {0, 0});
    const Bytes made = build_other(words, 17, part(zero, 6, 8));
    CHECK(part(made, 6, 8) == Bytes({0xff, 0xff}));
    // The uncomplemented sum of the pseudo-header alone.
    CHECK(part(partial, 6, 8) != part(datagram, 6, 8));
  }
}

TEST(build_icmp_and_others) {
  Words words = segment_words(0, 0);
  words[IcmpWord::Kind] = 0x0800;
  words[IcmpWord::Rest] = 0x12340001;
  const Bytes echo = build_other(words, 1, {1, 2});
  CHECK(echo == from_hex("0800e4c8123400010102"));
  CHECK(build_other(words, 58, {1, 2}) == Bytes({1, 2}));
  CHECK(build_other(words, 2, {1, 2}) == Bytes({1, 2}));
  words[Word::Family] = 6;
  words[IcmpWord::Kind] = 0x8000;
  CHECK_EQ(build_other(words, 58, {1, 2}).size(), 10u);
  CHECK(build_other(words, 1, {}) == Bytes());
}

TEST(build_router_alert) {
  Words words = segment_words(0, Option::RouterAlert);
  words[Word::Protocol] = 2;
  CHECK_EQ(ip_header_length(words.data()), 24u);
  const Bytes igmp = build(words);
  CHECK(part(igmp, 0, 4) == from_hex("46100018"));
  CHECK(part(igmp, 20, 24) == from_hex("94040000"));
  CHECK_EQ(plain_sum(part(igmp, 0, 24)), 0xffff);
  words[Word::Family] = 6;
  words[Word::Source] = words[Word::Destination] = 1;
  words[Word::Protocol] = 58;
  const Bytes mld = build(words);
  CHECK_EQ(mld[6], 0);
  CHECK(part(mld, 40, 48) == from_hex("3a00050200000100"));
  Words parsed;
  CHECK_EQ(parse_alone(mld, parsed), ParseResult::Ok);
  CHECK_EQ(parsed[Word::Options], Option::RouterAlert);
  CHECK_EQ(parsed[Word::Checksum], ChecksumState::Verified);
  words[Word::Protocol] = 6;
  CHECK_EQ(ip_header_length(words.data()), 40u);
}

TEST(find_payload_within_the_slabs) {
  Bytes memory(100);
  const Slab entries[] = {{memory.data(), 100}, {}, {memory.data(), 10}};
  const SlabTable slabs{entries, 3};
  int32_t slices[kMaxSlices * kSliceWords] = {};
  Words words{};
  Payload payload;
  const auto finds = [&](int32_t slab, int32_t offset, int32_t length) {
    slices[3] = slab;
    slices[4] = offset;
    slices[5] = length;
    words[Word::PayloadLength] = length;
    return find_payload(words.data(), slices, slabs, payload);
  };
  words[Word::SliceCount] = 2;
  CHECK(finds(0, 0, 100));
  CHECK_EQ(payload.length, 100u);
  CHECK_EQ(payload.count, 2);
  CHECK(payload.pieces[1].data == memory.data());
  CHECK(finds(0, 100, 0));
  CHECK(finds(2, 9, 1));
  CHECK(!finds(2, 9, 2));
  CHECK(!finds(0, 101, 0));
  CHECK(!finds(0, 0, 101));
  CHECK(!finds(0, -1, 1));
  CHECK(!finds(0, 1, -1));
  CHECK(!finds(1, 0, 0));
  CHECK(!finds(3, 0, 0));
  CHECK(!finds(-1, 0, 0));
  CHECK(!finds(0, 0x7fffffff, 0x7fffffff));
  CHECK(finds(0, 0, 5));
  words[Word::PayloadLength] = 6;
  CHECK(!find_payload(words.data(), slices, slabs, payload));
  words[Word::PayloadLength] = 0;
  words[Word::SliceCount] = 0;
  CHECK(find_payload(words.data(), slices, slabs, payload));
  CHECK_EQ(payload.length, 0u);
  words[Word::SliceCount] = kMaxSlices + 1;
  CHECK(!find_payload(words.data(), slices, slabs, payload));
  words[Word::SliceCount] = -1;
  CHECK(!find_payload(words.data(), slices, slabs, payload));
}
