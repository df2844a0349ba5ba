#include "core/flow_hash.h"

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

// The vector for 36 bytes 0, 1, 2, ... under the key 0 to 7 of Linux's lib/tests/siphash_kunit.c.
TEST(hash_of_the_published_vector) {
  Words words{};
  const auto word = [](int first) {
    return first | (first + 1) << 8 | (first + 2) << 16 | (first + 3) << 24;
  };
  for (int i = 0; i < 4; ++i) {
    words[Word::Destination + i] = word(4 * i);
    words[Word::Source + i] = word(16 + 4 * i);
  }
  words[Word::SourcePort] = 0x2120;
  words[Word::DestinationPort] = 0x2322;
  CHECK_EQ(flow_hash(kKey, words.data()), 0x7c46fb7fu);
}

TEST(hash_depends_on_key_and_every_part) {
  Words words{};
  words[Word::SourcePort] = 1;
  words[Word::DestinationPort] = 2;
  const uint32_t hash = flow_hash(kKey, words.data());
  CHECK(flow_hash({kKey.k0 ^ 1, kKey.k1}, words.data()) != hash);
  CHECK(flow_hash({kKey.k0, kKey.k1 ^ 1}, words.data()) != hash);
  for (int i = Word::Source; i <= Word::DestinationPort; ++i) {
    Words changed = words;
    changed[i] ^= 1;
    CHECK(flow_hash(kKey, changed.data()) != hash);
  }
}
