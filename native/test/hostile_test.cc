#include <set>

#include "core/fragment.h"
#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

namespace {

ParseResult check(const Bytes& packet) {
  Words words;
  const ParseResult result = parse_alone(packet, words);
  check_words(packet.size(), result, words);
  return result;
}

void mutate(Bytes& packet, std::mt19937& random) {
  for (uint32_t n = random() % 4 + 1; n > 0 && !packet.empty(); --n) {
    const size_t at = random() % std::min<size_t>(packet.size(), random() % 2 ? 24 : packet.size());
    switch (random() % 5) {
      case 0:
        packet[at] = static_cast<uint8_t>(random());
        break;
      case 1:
        packet[at] ^= static_cast<uint8_t>(1 << random() % 8);
        break;
      case 2:
        packet.resize(random() % (packet.size() + 1));
        break;
      case 3:
        packet[at] = random() % 2 ? 0 : 255;
        break;
      default:
        packet.insert(packet.begin() + static_cast<std::ptrdiff_t>(at), packet[at]);
    }
  }
}

// Whatever they are, the fragments stay within their room and the payload.
void check_fragments(Words words, const Payload& payload) {
  for (const int32_t limit : {words[Word::Fragment], 48, 1280}) {
    words[Word::Fragment] = limit;
    Fragments fragments;
    if (!fragments.begin(words.data(), payload)) continue;
    uint8_t headers[kMaxHeaderLength];
    Payload part;
    size_t carried = 0;
    for (size_t length; (length = fragments.next(headers, part)) > 0; carried += part.length) {
      CHECK(length <= sizeof headers);
      CHECK(length + part.length <= static_cast<size_t>(limit));
    }
    CHECK_EQ(carried, payload.length);
  }
}

}  // namespace

TEST(packets_cut_at_each_length) {
  for (const Bytes& packet : sample_packets()) {
    for (size_t length = 0; length < packet.size(); ++length) {
      const Bytes cut = part(packet, 0, length);
      CHECK_EQ(check(cut), ParseResult::Truncated);
    }
  }
}

// The same, with an IP header that says so.
TEST(packets_shorter_by_their_own_header) {
  for (const Bytes& packet : sample_packets()) {
    const bool is4 = packet[0] >> 4 == 4;
    for (size_t length = is4 ? 20 : 41; length < packet.size(); ++length) {
      Bytes cut = part(packet, 0, length);
      put16(cut, is4 ? 2 : 4, static_cast<uint32_t>(is4 ? length : length - 40));
      if (is4 && length >= static_cast<size_t>(cut[0] & 15) * 4) fix_ip4(cut);
      Words words, padded;
      const ParseResult result = parse_alone(cut, words);
      check_words(cut.size(), result, words);
      CHECK(result != ParseResult::BadIpChecksum);
      // Bytes beyond the stated length change nothing.
      CHECK_EQ(parse_alone(cut + Bytes(9, 0x5a), padded),
               is4 && result == ParseResult::Truncated ? check(cut + Bytes(9, 0x5a)) : result);
      if (result != ParseResult::Truncated) CHECK(words == padded);
    }
  }
}

TEST(mutated_packets) {
  std::mt19937 random(8);
  const std::vector<Bytes> originals = sample_packets();
  std::set<ParseResult> seen;
  for (int run = 0; run < 300000; ++run) {
    Bytes packet = originals[random() % originals.size()];
    mutate(packet, random);
    const bool whole_ip4 = packet.size() >= 20 && packet[0] >> 4 == 4 &&
                           packet.size() >= static_cast<size_t>(packet[0] & 15) * 4 &&
                           (packet[0] & 15) >= 5;
    if (whole_ip4 && random() % 4 != 0) fix_ip4(packet);
    seen.insert(check(packet));
  }
  // Martian needs twelve bytes right at once.
  CHECK_EQ(seen.size(), kParseResults - 1);
}

TEST(random_bytes_behind_a_version) {
  std::mt19937 random(9);
  for (int run = 0; run < 200000; ++run) {
    Bytes packet = random_bytes(random, random() % 120);
    if (!packet.empty()) packet[0] = random() % 2 ? 0x45 : 0x60;
    if (packet.size() > 40 && packet[0] == 0x60) {
      put16(packet, 4, static_cast<uint32_t>(packet.size() - 40));
      const uint8_t kinds[] = {0, 6, 43, 44, 60, 17, 58, 59};
      packet[6] = kinds[random() % 8];
    } else if (packet.size() >= 20 && packet[0] == 0x45) {
      put16(packet, 2, static_cast<uint32_t>(packet.size()));
      const uint8_t kinds[] = {6, 6, 17, 1, 2};
      packet[9] = kinds[random() % 5];
      put16(packet, 6, 0);
      fix_ip4(packet);
    }
    check(packet);
  }
}

// Words that no core would write: nothing beyond the buffers is touched.
TEST(build_from_random_words) {
  std::mt19937 random(10);
  Bytes memory(5000);
  const Slab entries[] = {{memory.data(), memory.size()}, {}};
  std::array<int32_t, kMaxSlices * kSliceWords> slices{};
  int built = 0;
  for (int run = 0; run < 200000; ++run) {
    Words words;
    for (auto& word : words) word = static_cast<int32_t>(random() >> random() % 32);
    for (auto& word : slices) word = static_cast<int32_t>(random() >> random() % 32);
    const bool sane = random() % 8 != 0;
    if (sane) {
      const int32_t protocols[] = {6, 6, 17, 1, 58, 2, 59, 253};
      words[Word::Family] = random() % 2 ? 4 : 6;
      words[Word::Protocol] = protocols[random() % 8];
      words[Word::Checksum] = ChecksumState::Verified;
      words[Word::SliceCount] = static_cast<int32_t>(random() % 2);
      slices[0] = 0;
      slices[1] = static_cast<int32_t>(random() % 5100);
      slices[2] = words[Word::PayloadLength] =
          words[Word::SliceCount] == 0 ? 0 : static_cast<int32_t>(random() % 3000);
    }
    Payload payload;
    if (!find_payload(words.data(), slices.data(), {entries, 2}, payload)) continue;
    Bytes packet(packet_length(words.data()));
    const size_t length = build_packet(words.data(), payload, packet.data(), packet.size());
    CHECK_EQ(length, packet.size());
    check_fragments(words, payload);
    if (length == 0 || !sane) continue;
    ++built;
    Words parsed;
    const ParseResult result = parse_alone(packet, parsed);
    CHECK_EQ(result, ParseResult::Ok);
    CHECK_EQ(parsed[Word::Checksum], ChecksumState::Verified);
  }
  CHECK(built > 50000);
}
