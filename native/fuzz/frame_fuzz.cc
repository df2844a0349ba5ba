// Any bytes as a frame: nothing is read beyond them, and the words keep what frame.h says.

#include <algorithm>
#include <memory>

#include "core/frame.h"
#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

static constexpr uint64_t kOwnBits = 0x0242ac110002;

// By the first byte: a type that is known, and to whom it is.
static void put_right(uint8_t* frame) {
  static constexpr uint8_t kTypes[][2] = {{8, 0}, {0x86, 0xdd}, {8, 6}};
  const uint8_t wish = frame[0];
  if (wish % 4 < 3) std::copy_n(kTypes[wish % 4], 2, frame + 12);
  frame[0] = wish & 0x10 ? 0xff : 0x02;
  for (size_t i = 1; i < 6; i++) frame[i] = static_cast<uint8_t>(kOwnBits >> 8 * (5 - i));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A block of its own: the sanitizer knows its end.
  const std::unique_ptr<uint8_t[]> block(new uint8_t[size]);
  std::copy(data, data + size, block.get());
  if (size >= kEthernetHeader) put_right(block.get());
  Words words;
  words.fill(-1);
  FrameKind kind;
  const HardwareAddress own{0x0242, 0xac110002};
  const ParseResult result = parse_frame(block.get(), 0, size, 7, kKey, own, words.data(), kind);
  const bool read = kind == FrameKind::Arp || kind == FrameKind::Ip4 || kind == FrameKind::Ip6;
  if (!read) CHECK(result == ParseResult::Ok && words == Words{});
  if (kind == FrameKind::Arp && result != ParseResult::Ok) CHECK(words == Words{});
  if (result != ParseResult::Ok || !read) return 0;
  const int64_t end = int64_t{words[Word::PayloadOffset]} + words[Word::PayloadLength];
  CHECK(words[Word::PacketOffset] == static_cast<int32_t>(kEthernetHeader));
  CHECK(end <= static_cast<int64_t>(size));
  return 0;
}
