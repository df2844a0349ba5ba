// Any bytes as a packet: nothing is read beyond them, and the words keep what parse.h says.

#include "harness.h"
#include "input.h"

using namespace netland;
using namespace netland::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes packet = packet_of(data, size);
  Words words;
  const ParseResult result = parse_alone(packet, words);
  check_words(packet.size(), result, words);
  return 0;
}
