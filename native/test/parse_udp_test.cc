#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

static Bytes packet_of(const Bytes& datagram, bool is6) {
  return is6 ? ip6_packet(datagram, 17) : ip4_packet(datagram, {}, 17);
}

static ParseResult read(const Bytes& packet, Words& words) {
  const ParseResult result = parse_alone(packet, words);
  check_words(packet.size(), result, words);
  return result;
}

TEST(udp_words) {
  for (const bool is6 : {false, true}) {
    const int32_t start = is6 ? 40 : 20;
    Words words;
    CHECK_EQ(read(packet_of(udp_datagram({1, 2, 3}), is6), words), ParseResult::Ok);
    CHECK_EQ(words[Word::Protocol], IpProtocol::Udp);
    CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
    CHECK_EQ(words[Word::SourcePort], 4660);
    CHECK_EQ(words[Word::DestinationPort], 53);
    CHECK_EQ(words[Word::Hash], static_cast<int32_t>(flow_hash(kKey, words.data())));
    CHECK_EQ(words[Word::TransportOffset], start);
    CHECK_EQ(words[Word::PayloadOffset], start + 8);
    CHECK_EQ(words[Word::PayloadLength], 3);
    CHECK_EQ(words[Word::PacketLength], start + 11);
    CHECK_EQ(read(packet_of(udp_datagram(), is6), words), ParseResult::Ok);
    CHECK_EQ(words[Word::PayloadLength], 0);
  }
}

TEST(udp_length) {
  for (const bool is6 : {false, true}) {
    Words words;
    Bytes datagram = udp_datagram({1, 2, 3, 4});
    for (uint32_t length = 0; length < 20; ++length) {
      put16(datagram, 4, length);
      const bool all = is6 && length == 0;
      const bool right = all || (length >= 8 && length <= 12);
      CHECK_EQ(read(packet_of(datagram, is6), words),
               right ? ParseResult::Ok : ParseResult::BadTransportHeader);
      CHECK_EQ(words[Word::PayloadLength], all ? 4 : right ? static_cast<int32_t>(length) - 8 : 0);
    }
    for (size_t length = 0; length < 8; ++length) {
      CHECK_EQ(read(packet_of(part(datagram, 0, length), is6), words),
               ParseResult::BadTransportHeader);
    }
  }
}

// The checksum covers what the length says, and no more.
TEST(udp_with_bytes_behind_it) {
  for (const bool is6 : {false, true}) {
    const size_t at = is6 ? 40 : 20;
    Bytes packet = packet_of(udp_datagram({1, 2, 3}), is6) + Bytes{7, 7, 7, 7};
    put16(packet, is6 ? 4 : 2, static_cast<uint32_t>(packet.size() - (is6 ? 40 : 0)));
    if (!is6) fix_ip4(packet);
    Words words;
    CHECK_EQ(read(packet, words), ParseResult::Ok);
    CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
    CHECK_EQ(words[Word::PayloadLength], 3);
    CHECK_EQ(static_cast<size_t>(words[Word::PacketLength]), at + 15);
  }
}

TEST(udp_checksum_states) {
  for (const bool is6 : {false, true}) {
    const size_t at = is6 ? 40 : 20;
    Bytes packet = packet_of(udp_datagram({1, 2, 3, 4, 5}), is6);
    const auto state = [&packet] {
      Words words;
      CHECK_EQ(read(packet, words), ParseResult::Ok);
      return words[Word::Checksum];
    };
    CHECK_EQ(state(), ChecksumState::Verified);
    packet.back() ^= 1;
    CHECK_EQ(state(), ChecksumState::Bad);
    put16(packet, at + 6, plain_pseudo_sum(packet, at, 17));
    CHECK_EQ(state(), ChecksumState::Partial);
    put16(packet, at + 6, 0);
    CHECK_EQ(state(), is6 ? ChecksumState::Bad : ChecksumState::None);
  }
}

// 0xffff stands for a sum of zero; a zero there would say that there is none.
TEST(udp_checksum_that_comes_to_zero) {
  for (const bool is6 : {false, true}) {
    const size_t at = is6 ? 40 : 20;
    Bytes packet = packet_of(udp_datagram({0, 0}), is6);
    const uint32_t sum = packet[at + 6] << 8 | packet[at + 7];
    put16(packet, at + 8, sum);
    put16(packet, at + 6, 0xffff);
    Words words;
    CHECK_EQ(read(packet, words), ParseResult::Ok);
    CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
    put16(packet, at + 6, 0);
    CHECK_EQ(read(packet, words), ParseResult::Ok);
    CHECK_EQ(words[Word::Checksum], is6 ? ChecksumState::Bad : ChecksumState::None);
  }
}
