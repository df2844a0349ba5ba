#include "core/cut.h"

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

namespace {

constexpr int32_t kSize = 1000;

Words super_words(int32_t protocol, int32_t length) {
  Words words{};
  words[Word::Family] = 4;
  words[Word::Protocol] = protocol;
  words[Word::GsoSize] = kSize;
  words[Word::PayloadLength] = length;
  words[Word::SliceCount] = 3;
  words[Word::Sequence] = -1500;
  words[Word::Identification] = 0xfffe;
  words[Word::Flags] = Flag::ACK | Flag::PSH | Flag::FIN | Flag::CWR;
  return words;
}

// 2,500 bytes in three slices.
constexpr int32_t kSlices[kMaxSlices * kSliceWords] = {1, 10, 700, 2, 0, 800, 3, 50, 1000};

}  // namespace

TEST(a_super_segment_is_cut_as_a_device_would) {
  const Words words = super_words(IpProtocol::Tcp, 2500);
  CHECK(is_super(words.data()));
  Piece first;
  Piece middle;
  Piece last;
  cut_piece(words.data(), kSlices, 0, first);
  cut_piece(words.data(), kSlices, kSize, middle);
  cut_piece(words.data(), kSlices, 2 * kSize, last);
  CHECK_EQ(first.words[Word::Flags], Flag::ACK | Flag::CWR);
  CHECK_EQ(middle.words[Word::Flags], int32_t{Flag::ACK});
  CHECK_EQ(last.words[Word::Flags], Flag::ACK | Flag::PSH | Flag::FIN);
  CHECK_EQ(middle.words[Word::Sequence], -500);
  CHECK_EQ(last.words[Word::Sequence], 500);
  CHECK_EQ(middle.words[Word::Identification], 0xffff);
  CHECK_EQ(last.words[Word::Identification], 0);
  CHECK_EQ(last.words[Word::PayloadLength], 500);
  CHECK(!is_super(first.words) && !is_super(last.words));
  CHECK_EQ(first.words[Word::SliceCount], 2);
  CHECK_EQ(first.slices[5], 300);
  CHECK_EQ(middle.words[Word::SliceCount], 2);
  CHECK_EQ(middle.slices[0], 2);
  CHECK_EQ(middle.slices[1], 300);
  CHECK_EQ(middle.slices[2], 500);
  CHECK_EQ(middle.slices[5], 500);
  CHECK_EQ(last.words[Word::SliceCount], 1);
  CHECK_EQ(last.slices[1], 550);
}

TEST(datagrams_that_are_cut_keep_their_words) {
  const Words words = super_words(IpProtocol::Udp, 2500);
  Piece last;
  cut_piece(words.data(), kSlices, 2 * kSize, last);
  CHECK_EQ(last.words[Word::Sequence], -1500);
  CHECK_EQ(last.words[Word::Flags], words[Word::Flags]);
}
