// Any bytes, as a packet and as what a raw IPv6 socket delivers: nothing is read beyond them, and
// the words keep what parse.h says.

#include <memory>

#include "harness.h"
#include "input.h"

using namespace netland;
using namespace netland::test;

static void parse_as_payload(const Bytes& bytes) {
  if (bytes.size() < 32) return;
  const size_t length = bytes.size() - 32;
  const std::unique_ptr<uint8_t[]> block(new uint8_t[length]);
  std::copy(bytes.begin() + 32, bytes.end(), block.get());
  const Ip6Ancillary ancillary{&bytes[0], &bytes[16], 64, 0, 1};
  Words words;
  const ParseResult result =
      parse_ip6_payload(block.get(), 0, length, 7, ancillary, kKey, words.data());
  CHECK(result == ParseResult::Ok || result == ParseResult::Martian ||
        result == ParseResult::BadTcpHeader);
  check_words(length, result, words);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes packet = packet_of(data, size);
  Words words;
  const ParseResult result = parse_alone(packet, words);
  check_words(packet.size(), result, words);
  parse_as_payload(packet);
  return 0;
}
