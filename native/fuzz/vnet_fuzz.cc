// Any bytes as a packet behind any virtio_net_hdr: nothing is read or written beyond them, and the
// words keep what parse.h and vnet_header.h say.

#include <memory>

#include "device/vnet_header.h"
#include "harness.h"
#include "input.h"

using namespace netland;
using namespace netland::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kVnetHeader) return 0;
  const size_t before = size - kVnetHeader;
  const VnetHeader header = load_vnet_header(data + before);
  const Bytes packet = packet_of(data, before);
  const std::unique_ptr<uint8_t[]> block(new uint8_t[packet.size()]);
  std::copy(packet.begin(), packet.end(), block.get());
  for (const size_t start : {0, 14}) {
    Words words;
    words.fill(-1);
    const ParseResult result =
        parse_offloaded(header, start, block.get(), 0, packet.size(), 7, kKey, words.data());
    const int32_t size_of_each = words[Word::GsoSize];
    CHECK(size_of_each >= 0 && (size_of_each == 0 || size_of_each < words[Word::PayloadLength]));
    check_words(packet.size(), result, words);
  }
  return 0;
}
