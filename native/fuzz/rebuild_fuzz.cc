// Any bytes that parse, but for fragments and what is behind extension headers, are built again from
// their descriptor, with their payload in slices, and parse to the same words.

#include "core/build.h"
#include "harness.h"
#include "input.h"

using namespace netland;
using namespace netland::test;

namespace {

// Cuts the payload into slices of a length that `seed` chooses.
void cut_payload(Words& words, int32_t seed, int32_t* slices) {
  const int32_t length = words[Word::PayloadLength];
  const int32_t each = std::max(length / kMaxSlices + 1, seed);
  int32_t count = 0;
  for (int32_t at = 0; at < length; at += each, ++count) {
    slices[kSliceWords * count] = 0;
    slices[kSliceWords * count + 1] = words[Word::PayloadOffset] + at;
    slices[kSliceWords * count + 2] = std::min(each, length - at);
  }
  words[Word::SliceCount] = count;
}

void compare(Words first, Words second) {
  for (Words* words : {&first, &second}) {
    std::fill(&(*words)[Word::PacketOffset], &(*words)[Word::PayloadLength], 0);
    (*words)[Word::Checksum] = (*words)[Word::SliceCount] = 0;
  }
  CHECK(first == second);
}

// What the second descriptor has in common with the first.
void check_same(Words first, Words second) {
  CHECK(second[Word::Checksum] == ChecksumState::Verified ||
        second[Word::Checksum] == ChecksumState::None);
  const bool tcp = first[Word::Protocol] == IpProtocol::Tcp;
  if (!tcp) {
    // In IPv6 where the protocol was named is another place.
    const bool named = first[Word::Family] == 6 && first[Word::Protocol] != IpProtocol::Udp &&
                       first[Word::Protocol] != IpProtocol::Icmp6;
    if (named) first[IcmpWord::Rest] = second[IcmpWord::Rest];
    return compare(first, second);
  }
  first[Word::Flags] &= kFlagMask;
  const int32_t blocks = second[Word::SackCount];
  CHECK(blocks <= first[Word::SackCount]);
  std::fill(&first[Word::Sack + 2 * blocks], &first[Word::Identification], 0);
  first[Word::SackCount] = blocks;
  if (blocks == 0) first[Word::Options] &= ~Option::Sack;
  compare(first, second);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes packet = packet_of(data, size);
  Words words;
  if (parse_alone(packet, words) != ParseResult::Ok || words[Word::Fragment] != 0) return 0;
  if (words[Word::Protocol] == IpProtocol::None && words[IcmpWord::Kind] != 0) return 0;
  int32_t slices[kMaxSlices * kSliceWords] = {};
  cut_payload(words, data[0], slices);
  const Slab slab{packet.data(), packet.size()};
  Payload payload;
  CHECK(find_payload(words.data(), slices, {&slab, 1}, payload));
  Bytes built(packet_length(words.data()));
  CHECK_EQ(build_packet(words.data(), payload, built.data(), built.size()), built.size());
  if (built.empty()) return 0;  // its options take more room in Linux's layout than they had
  Words again;
  CHECK_EQ(parse_alone(built, again), ParseResult::Ok);
  check_same(words, again);
  return 0;
}
