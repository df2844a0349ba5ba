#include "core/cut.h"

#include <algorithm>

#include "core/descriptor.h"

namespace netland {

namespace {

/// Flags that only the last, and only the first of the pieces keeps.
constexpr int32_t kLastOnly = Flag::FIN | Flag::PSH;
constexpr int32_t kFirstOnly = Flag::CWR;

void cut_slices(const int32_t* slices, int32_t count, int32_t from, Piece& out) noexcept {
  int32_t left = out.words[Word::PayloadLength];
  int32_t used = 0;
  for (int32_t i = 0; i < count && left > 0; i++, slices += kSliceWords) {
    const int32_t skip = std::min(from, slices[2]);
    const int32_t take = std::min(left, slices[2] - skip);
    from -= skip;
    if (take == 0) continue;
    int32_t* to = out.slices + used++ * kSliceWords;
    to[0] = slices[0];
    to[1] = slices[1] + skip;
    to[2] = take;
    left -= take;
  }
  out.words[Word::SliceCount] = used;
}

void cut_tcp_header(int32_t from, bool last, int32_t* words) noexcept {
  int32_t& flags = words[Word::Flags];
  if (!last) flags &= ~kLastOnly;
  if (from > 0) flags &= ~kFirstOnly;
  words[Word::Sequence] = static_cast<int32_t>(static_cast<uint32_t>(words[Word::Sequence]) +
                                               static_cast<uint32_t>(from));
  words[Word::Urgent] = std::max(words[Word::Urgent] - from, 0);
  if (words[Word::Urgent] == 0) flags &= ~Flag::URG;
}

}  // namespace

void cut_piece(const int32_t* words, const int32_t* slices, int32_t from, Piece& out) noexcept {
  std::copy_n(words, static_cast<int32_t>(Word::Stride), out.words);
  const int32_t size = words[Word::GsoSize];
  const int32_t length = std::min(size, words[Word::PayloadLength] - from);
  const bool last = from + length == words[Word::PayloadLength];
  out.words[Word::GsoSize] = 0;
  out.words[Word::PayloadLength] = length;
  if (words[Word::Protocol] == IpProtocol::Tcp) cut_tcp_header(from, last, out.words);
  if (words[Word::Family] == 4) {
    const int32_t id = words[Word::Identification];
    out.words[Word::Identification] = (id & kMayFragment) | ((id + from / size) & 0xffff);
  }
  cut_slices(slices, words[Word::SliceCount], from, out);
}

}  // namespace netland
