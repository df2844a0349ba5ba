#include "core/fragment.h"

#include <algorithm>

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

namespace {

Words datagram_words(int32_t family, int32_t protocol, int32_t limit) {
  Words words{};
  words[Word::Family] = family;
  words[Word::Protocol] = protocol;
  words[Word::HopLimit] = 64;
  words[Word::Identification] = family == 4 ? 0x1234 | kMayFragment : 0x54321;
  words[BuildWord::FragmentId] = static_cast<int32_t>(0xfedcba98);
  words[Word::Source + 2] = words[Word::Destination + 2] = family == 4 ? 0xffff : 1;
  words[Word::Source + 3] = 0x0a000001;
  words[Word::Destination + 3] = 0x0a000002;
  words[Word::SourcePort] = 1000;
  words[Word::DestinationPort] = 2000;
  words[Word::Fragment] = limit;
  return words;
}

// The payload in three pieces.
Payload in_pieces(const Bytes& data) {
  Payload payload;
  payload.length = data.size();
  payload.count = 3;
  const size_t third = data.size() / 3;
  payload.pieces[0] = {data.data(), third};
  payload.pieces[1] = {data.data() + third, 0};
  payload.pieces[2] = {data.data() + third, data.size() - third};
  return payload;
}

// The packets that lie one behind the other.
std::vector<Bytes> apart(const Bytes& all) {
  std::vector<Bytes> packets;
  for (size_t at = 0; at < all.size();) {
    const bool is4 = all[at] >> 4 == 4;
    const size_t field = at + (is4 ? 2 : 4);
    const size_t length = static_cast<size_t>(all[field] << 8 | all[field + 1]) + (is4 ? 0 : 40);
    packets.push_back(part(all, at, at + length));
    at += length;
  }
  return packets;
}

std::vector<Bytes> build_all(Words words, const Bytes& data) {
  words[Word::PayloadLength] = static_cast<int32_t>(data.size());
  Bytes out(data.size() * 8 + 2000);
  out.resize(build_packets(words.data(), in_pieces(data), out.data(), out.size()));
  return apart(out);
}

// Puts fragments together again, which come in order, and checks what each says.
Bytes joined(const std::vector<Bytes>& packets, const Words& words) {
  Bytes all;
  for (size_t i = 0; i < packets.size(); ++i) {
    Words parsed;
    CHECK_EQ(parse_alone(packets[i], parsed), ParseResult::Ok);
    check_words(packets[i].size(), ParseResult::Ok, parsed);
    CHECK(packets[i].size() <= static_cast<size_t>(words[Word::Fragment]));
    const bool last = i + 1 == packets.size();
    CHECK_EQ(parsed[Word::Fragment],
             static_cast<int32_t>(all.size()) | (last ? 0 : kMoreFragments));
    CHECK_EQ(parsed[Word::Protocol], words[Word::Protocol]);
    CHECK_EQ(parsed[Word::Identification],
             words[Word::Family] == 4 ? 0x1234 | kMayFragment : words[BuildWord::FragmentId]);
    CHECK_EQ(parsed[Word::HopLimit], 64);
    if (!last) CHECK(parsed[Word::PayloadLength] % 8 == 0);
    const auto from = static_cast<size_t>(parsed[Word::PayloadOffset]);
    all = all + part(packets[i], from, from + static_cast<size_t>(parsed[Word::PayloadLength]));
  }
  return all;
}

}  // namespace

TEST(fragments_of_every_size_make_the_whole) {
  std::mt19937 random(11);
  for (int run = 0; run < 3000; ++run) {
    const int32_t family = random() % 2 ? 4 : 6;
    const int32_t protocols[] = {17, family == 4 ? 1 : 58, 2, 6};
    const int32_t protocol = protocols[random() % 4];
    Words words = datagram_words(family, protocol, 1280);
    const Bytes data = random_bytes(random, random() % 5000);
    words[Word::PayloadLength] = static_cast<int32_t>(data.size());
    const bool alert = protocol != 6 && random() % 4 == 0;
    if (alert) words[Word::Options] = Option::RouterAlert;
    words[Word::Fragment] = 0;
    const std::vector<Bytes> whole = build_all(words, data);
    CHECK_EQ(whole.size(), 1u);
    const size_t before = alert ? (family == 4 ? 24 : 48) : family == 4 ? 20 : 40;
    const auto length = static_cast<int32_t>(whole[0].size());
    words[Word::Fragment] = static_cast<int32_t>(96 + random() % 1400);
    const std::vector<Bytes> packets = build_all(words, data);
    if (length <= words[Word::Fragment]) {
      CHECK(packets == whole);
      continue;
    }
    CHECK(packets.size() > 1);
    CHECK(joined(packets, words) == part(whole[0], before, whole[0].size()));
  }
}

TEST(fragments_of_the_longest_datagram) {
  const Bytes data(65507, 7);
  const std::vector<Bytes> packets = build_all(datagram_words(4, 17, 1500), data);
  CHECK_EQ(packets.size(), 45u);
  CHECK_EQ(packets[0].size(), 1500u);
  CHECK_EQ(build_all(datagram_words(6, 17, 1500), data).size(), 46u);
}

// The last one may be as long as the limit, the others what is left of it by eights.
TEST(fragments_at_the_edge) {
  const auto sizes = [](int32_t limit, size_t length) {
    std::vector<size_t> all;
    for (const Bytes& packet : build_all(datagram_words(4, 17, limit), Bytes(length, 1))) {
      all.push_back(packet.size());
    }
    return all;
  };
  CHECK(sizes(101, 73) == std::vector<size_t>({101}));
  CHECK(sizes(101, 74) == std::vector<size_t>({100, 22}));
  CHECK(sizes(101, 80 - 8 + 81) == std::vector<size_t>({100, 101}));
  CHECK(sizes(101, 80 - 8 + 82) == std::vector<size_t>({100, 100, 22}));
}

TEST(fragments_that_cannot_be) {
  const Bytes data(200, 1);
  const auto count = [&data](const Words& words) { return build_all(words, data).size(); };
  Words words = datagram_words(4, 17, 68);
  CHECK(count(words) > 1);
  words[Word::Identification] = 0x1234;  // DF
  CHECK_EQ(count(words), 0u);
  words[Word::Fragment] = 1000;
  CHECK_EQ(count(words), 1u);
  CHECK_EQ(count(datagram_words(4, 17, 27)), 0u);
  CHECK(count(datagram_words(4, 17, 28)) > 1);
  CHECK_EQ(count(datagram_words(6, 17, 55)), 0u);
  CHECK(count(datagram_words(6, 17, 56)) > 1);
  // The first has room for all of the transport header.
  CHECK_EQ(count(datagram_words(4, 6, 43)), 0u);
  CHECK(count(datagram_words(4, 6, 44)) > 1);
  CHECK_EQ(count(datagram_words(4, 17, -1)), 1u);
}

TEST(fragments_need_room) {
  Words words = datagram_words(4, 17, 100);
  const Bytes data(200, 1);
  words[Word::PayloadLength] = 200;
  Bytes out(300, 0);
  const size_t length = build_packets(words.data(), in_pieces(data), out.data(), out.size());
  CHECK_EQ(length, 8u + 200 + 3 * 20);
  CHECK_EQ(build_packets(words.data(), in_pieces(data), out.data(), length), length);
  CHECK_EQ(build_packets(words.data(), in_pieces(data), out.data(), length - 1), 0u);
}
