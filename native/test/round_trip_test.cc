#include <algorithm>

#include "core/build.h"
#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

namespace {

struct Segment {
  Words words{};
  std::array<int32_t, kMaxSlices * kSliceWords> slices{};
  Bytes payload;
};

int32_t bits(std::mt19937& random, int count) {
  return static_cast<int32_t>(random() & ((uint64_t{1} << count) - 1));
}

// Any segment that can be sent, its payload in up to eight slices of the slabs.
Segment random_segment(std::mt19937& random, const std::vector<Bytes>& slabs) {
  Segment segment;
  Words& words = segment.words;
  const bool is4 = random() % 2 == 0;
  words[Word::Family] = is4 ? 4 : 6;
  words[Word::Protocol] = 6;
  words[Word::TrafficClass] = bits(random, 8);
  words[Word::HopLimit] = bits(random, 8);
  for (int i = Word::Source; i < Word::SourcePort; ++i) words[i] = bits(random, 32);
  if (is4) {
    for (const int at : {Word::Source, Word::Destination}) {
      words[at] = words[at + 1] = 0;
      words[at + 2] = 0xffff;
    }
  }
  words[Word::SourcePort] = bits(random, 16);
  words[Word::DestinationPort] = bits(random, 16);
  words[Word::Sequence] = bits(random, 32);
  words[Word::Acknowledgment] = bits(random, 32);
  words[Word::Flags] = bits(random, 9);
  words[Word::Window] = bits(random, 16);
  words[Word::Urgent] = bits(random, 16);
  words[Word::Identification] = bits(random, is4 ? 17 : 20);
  const int32_t options = words[Word::Options] = bits(random, 5);
  if (options & Option::Mss) words[Word::Mss] = bits(random, 16);
  if (options & Option::WindowScale) words[Word::WindowScale] = bits(random, 4) % 15;
  if (options & Option::Timestamps) {
    words[Word::TsVal] = bits(random, 32);
    words[Word::TsEcr] = bits(random, 32);
  }
  if (options & Option::Sack) {
    words[Word::SackCount] = bits(random, 2) + 1;
    for (int i = 0; i < 2 * words[Word::SackCount]; ++i) {
      words[Word::Sack + i] = bits(random, 32);
    }
  }
  const int32_t count = words[Word::SliceCount] = bits(random, 4) % (kMaxSlices + 1);
  for (int32_t i = 0; i < count; ++i) {
    const size_t slab = random() % slabs.size();
    const size_t offset = random() % slabs[slab].size();
    const size_t length = std::min<size_t>(random() % 700, slabs[slab].size() - offset);
    int32_t* slice = &segment.slices[static_cast<size_t>(i * kSliceWords)];
    slice[0] = static_cast<int32_t>(slab);
    slice[1] = static_cast<int32_t>(offset);
    slice[2] = static_cast<int32_t>(length);
    segment.payload = segment.payload + part(slabs[slab], offset, offset + length);
  }
  words[Word::PayloadLength] = static_cast<int32_t>(segment.payload.size());
  return segment;
}

// The blocks that 40 bytes of options don't hold are not sent.
void trim_sack(Words& words) {
  const int32_t options = words[Word::Options];
  int32_t used = options & Option::Mss ? 4 : 0;
  used += options & Option::WindowScale ? 4 : 0;
  used += options & Option::Timestamps ? 12 : options & Option::SackPermitted ? 4 : 0;
  words[Word::SackCount] = std::min(words[Word::SackCount], (36 - used) / 8);
  for (int i = 2 * words[Word::SackCount]; i < 8; ++i) words[Word::Sack + i] = 0;
}

}  // namespace

TEST(what_is_built_is_parsed_to_the_same_words) {
  std::mt19937 random(7);
  const std::vector<Bytes> slabs = {random_bytes(random, 65536), random_bytes(random, 999)};
  const Slab entries[] = {{const_cast<uint8_t*>(slabs[0].data()), slabs[0].size()},
                          {const_cast<uint8_t*>(slabs[1].data()), slabs[1].size()}};
  for (int run = 0; run < 20000; ++run) {
    Segment segment = random_segment(random, slabs);
    Payload payload;
    CHECK(find_payload(segment.words.data(), segment.slices.data(), {entries, 2}, payload));
    Bytes packet(packet_length(segment.words.data()));
    const bool partial = run % 8 == 0;
    CHECK_EQ(build_packet(segment.words.data(), payload, packet.data(), packet.size(),
                          partial ? TransportChecksum::Partial : TransportChecksum::Complete),
             packet.size());
    const size_t headers = header_length(segment.words.data());
    CHECK(part(packet, headers, packet.size()) == segment.payload);

    const size_t transport = packet[0] >> 4 == 4 ? 20 : 40;
    if (!partial) {
      Bytes checked = packet;
      fix_tcp(checked, transport);
      CHECK(checked == packet);
    }

    Words parsed;
    CHECK_EQ(parse_alone(packet, parsed), ParseResult::Ok);
    Words expected = segment.words;
    trim_sack(expected);
    const auto place = static_cast<int32_t>(transport);
    const auto end = static_cast<int32_t>(headers);
    expected[Word::Checksum] = partial ? ChecksumState::Partial : ChecksumState::Verified;
    expected[Word::Hash] = static_cast<int32_t>(flow_hash(kKey, expected.data()));
    expected[Word::Slab] = 7;
    expected[Word::PacketLength] = static_cast<int32_t>(packet.size());
    expected[Word::TransportOffset] = place;
    expected[Word::OptionsLength] = end - place - 20;
    expected[Word::PayloadOffset] = end;
    expected[Word::SliceCount] = 0;
    CHECK(parsed == expected);
  }
}
