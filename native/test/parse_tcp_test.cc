#include <memory>

#include "core/tcp_options.h"
#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

// Words of a segment with these options, which are padded by ends of the list.
static Words options_of(const std::string& hex) {
  Bytes options = from_hex(hex);
  options.resize((options.size() + 3) / 4 * 4);
  Words words;
  CHECK_EQ(parse_alone(ip4_packet(tcp_segment(options, {1})), words), ParseResult::Ok);
  CHECK_EQ(static_cast<size_t>(words[Word::OptionsLength]), options.size());
  CHECK_EQ(words[Word::PayloadLength], 1);
  return words;
}

TEST(tcp_words) {
  Bytes segment = tcp_segment();
  segment[12] |= 0x0f;
  segment[13] = 0xa5;
  Words words;
  CHECK_EQ(parse_alone(ip4_packet(segment), words), ParseResult::Ok);
  CHECK_EQ(words[Word::SourcePort], 4660);
  CHECK_EQ(words[Word::DestinationPort], 80);
  CHECK_EQ(words[Word::Sequence], -16);
  CHECK_EQ(words[Word::Acknowledgment], static_cast<int32_t>(0x80000001));
  CHECK_EQ(words[Word::Flags], 0xfa5);
  CHECK_EQ(words[Word::Window], 0xfedc);
  CHECK_EQ(words[Word::Urgent], 0x0102);
  CHECK_EQ(words[Word::Hash], static_cast<int32_t>(flow_hash(kKey, words.data())));
  for (int i = Word::Options; i < Word::Identification; ++i) CHECK_EQ(words[i], 0);
}

TEST(tcp_data_offset) {
  for (uint8_t offset = 0; offset < 16; ++offset) {
    Bytes segment = tcp_segment({}, Bytes(20, 1));
    segment[12] = static_cast<uint8_t>(offset << 4);
    Words words;
    const bool fits = offset >= 5 && offset <= 10;
    CHECK_EQ(parse_alone(ip4_packet(segment), words),
             fits ? ParseResult::Ok : ParseResult::BadTransportHeader);
    CHECK_EQ(words[Word::PayloadLength], fits ? 40 - 4 * offset : 0);
    CHECK_EQ(words[Word::Source + 3], 0x0a010203);
  }
}

TEST(tcp_checksum_states) {
  for (const bool is6 : {false, true}) {
    const Bytes segment = tcp_segment({}, {1, 2, 3, 4, 5});
    Bytes packet = is6 ? ip6_packet(segment) : ip4_packet(segment);
    const size_t at = is6 ? 40 : 20;
    Words words;
    CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
    CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
    put16(packet, at + 16, plain_pseudo_sum(packet, at));
    CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
    CHECK_EQ(words[Word::Checksum], ChecksumState::Partial);
    packet[at + 17] ^= 1;
    CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
    CHECK_EQ(words[Word::Checksum], ChecksumState::Bad);
    put16(packet, at + 16, 0);
    CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
    CHECK_EQ(words[Word::Checksum], ChecksumState::Bad);
  }
}

TEST(tcp_checksum_that_is_right_and_looks_partial) {
  // The header without its checksum is made to sum to 0 modulo 65535: both readings hold.
  Bytes packet = ip4_packet(tcp_segment({}, {0, 0}));
  Bytes segment = part(packet, 20, packet.size());
  put16(segment, 16, 0);
  put16(segment, 20, static_cast<uint16_t>(~plain_sum(segment)));
  std::copy(segment.begin(), segment.end(), packet.begin() + 20);
  fix_tcp(packet, 20);
  put16(segment, 16, 0);
  const uint16_t field = static_cast<uint16_t>(packet[36] << 8 | packet[37]);
  CHECK_EQ(field, static_cast<uint16_t>(~plain_pseudo_sum(packet, 20)));
  Words words;
  CHECK_EQ(parse_alone(packet, words), ParseResult::Ok);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
}

TEST(tcp_options_one_by_one) {
  Words words = options_of("020405b4");
  CHECK_EQ(words[Word::Options], Option::Mss);
  CHECK_EQ(words[Word::Mss], 1460);
  words = options_of("030307");
  CHECK_EQ(words[Word::Options], Option::WindowScale);
  CHECK_EQ(words[Word::WindowScale], 7);
  CHECK_EQ(options_of("03030e")[Word::WindowScale], 14);
  CHECK_EQ(options_of("03030f")[Word::WindowScale], 14);
  CHECK_EQ(options_of("0303ff")[Word::WindowScale], 14);
  CHECK_EQ(options_of("0402")[Word::Options], Option::SackPermitted);
  words = options_of("080a80000001ffffffff");
  CHECK_EQ(words[Word::Options], Option::Timestamps);
  CHECK_EQ(words[Word::TsVal], static_cast<int32_t>(0x80000001));
  CHECK_EQ(words[Word::TsEcr], -1);
}

TEST(tcp_sack_blocks) {
  std::string hex;
  for (int32_t count = 1; count <= 4; ++count) {
    const std::string digit = std::to_string(count);
    hex += "0000000" + digit + "f000000" + digit;
    std::ostringstream head;
    head << "05" << (count < 2 ? "0" : "") << std::hex << 2 + 8 * count;
    const Words words = options_of(head.str() + hex);
    CHECK_EQ(words[Word::Options], Option::Sack);
    CHECK_EQ(words[Word::SackCount], count);
    for (int32_t i = 0; i < 4; ++i) {
      CHECK_EQ(words[Word::Sack + 2 * i], i < count ? i + 1 : 0);
      CHECK_EQ(words[Word::Sack + 2 * i + 1],
               i < count ? static_cast<int32_t>(0xf0000001 + static_cast<uint32_t>(i)) : 0);
    }
  }
  CHECK_EQ(options_of("0502")[Word::Options], 0);
  CHECK_EQ(options_of("050c00000001000000020003")[Word::Options], 0);
}

TEST(tcp_options_of_a_length_of_their_own_are_skipped) {
  for (const char* hex :
       {"0203050303074242", "02060102030403030700", "030400000303070000", "04030003030700",
        "080800000000000003030700", "fe040000030307", "1e02030307", "4202010101030307"}) {
    const Words words = options_of(hex);
    const bool reads_scale = std::string(hex) != "0203050303074242";
    CHECK_EQ(words[Word::Options] & ~Option::WindowScale, 0);
    CHECK_EQ(words[Word::WindowScale], reads_scale ? 7 : words[Word::WindowScale]);
  }
}

TEST(tcp_options_end) {
  // End of list; a length of 0, 1 or beyond the header; a kind without a length.
  for (const char* hex : {"0303070002040102", "0303070000000000", "030307020002", "030307020104",
                          "0303070208040000", "0303070105ff0000", "03030701010102"}) {
    Words words;
    Bytes options = from_hex(hex);
    while (options.size() % 4 != 0) options.insert(options.begin(), 1);
    CHECK_EQ(parse_alone(ip4_packet(tcp_segment(options)), words), ParseResult::Ok);
    CHECK_EQ(words[Word::Options], Option::WindowScale);
    CHECK_EQ(words[Word::Mss], 0);
  }
}

TEST(tcp_option_that_comes_twice) {
  CHECK_EQ(options_of("0204000102040002")[Word::Mss], 2);
  const Words words = options_of(
      "0512000000010000000200000003000000040101"
      "050a0000000500000006");
  CHECK_EQ(words[Word::SackCount], 1);
  CHECK_EQ(words[Word::Sack], 5);
  CHECK_EQ(words[Word::Sack + 1], 6);
  CHECK_EQ(words[Word::Sack + 2], 0);
  CHECK_EQ(words[Word::Sack + 3], 0);
}

// Every pair of bytes at the end of the options, which lie alone in a heap block.
TEST(tcp_options_are_read_within_their_length) {
  for (size_t length = 0; length <= kMaxTcpOptions; ++length) {
    for (uint32_t last = 0; last < 0x10000; last += length < 12 ? 1 : 251) {
      const std::unique_ptr<uint8_t[]> block(new uint8_t[length]);
      for (size_t i = 0; i < length; ++i) block[i] = 1;
      if (length > 1) block[length - 2] = static_cast<uint8_t>(last >> 8);
      if (length > 0) block[length - 1] = static_cast<uint8_t>(last);
      Words words{};
      read_tcp_options(block.get(), length, words.data());
      CHECK_EQ(words[Word::Options] & ~Option::SackPermitted, 0);
    }
  }
}
