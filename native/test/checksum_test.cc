#include "core/checksum.h"

#include <algorithm>
#include <memory>

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

using Sum = uint16_t (*)(const uint8_t*, size_t);

// Every start, every length up to 400, and some long ones, against the plain sum.
static void check_against_plain_sum(Sum sum) {
  std::mt19937 random(1);
  for (size_t start = 0; start < 40; ++start) {
    for (size_t length = 0; length < 400; ++length) {
      const Bytes bytes = random_bytes(random, length);
      const std::unique_ptr<uint8_t[]> block(new uint8_t[start + length]);
      std::copy(bytes.begin(), bytes.end(), block.get() + start);
      CHECK_EQ(sum(block.get() + start, length), plain_sum(bytes));
    }
  }
  for (const size_t length : {4095, 65535, 65536, 1 << 20}) {
    const Bytes bytes = random_bytes(random, length);
    CHECK_EQ(sum(bytes.data(), length), plain_sum(bytes));
  }
}

// All bits set is where a carry is lost most easily.
static void check_extremes(Sum sum) {
  for (const size_t length : {2, 64, 65534, 1 << 21}) {
    CHECK_EQ(sum(Bytes(length, 0xff).data(), length), 0xffff);
    CHECK_EQ(sum(Bytes(length, 0).data(), length), 0);
  }
  const Bytes one{0xab};
  CHECK_EQ(sum(one.data(), 1), 0xab00);
}

TEST(sum_of_the_example_of_rfc_1071) {
  const Bytes bytes = from_hex("0001f203f4f5f6f7");
  CHECK_EQ(sum16(bytes.data(), bytes.size()), 0xddf2);
  CHECK_EQ(sum16(bytes.data(), 3), 0xf201);
  // §3: the same numbers byte-swapped give the byte-swapped sum.
  const Bytes swapped = from_hex("010003f2f5f4f7f6");
  CHECK_EQ(sum16(swapped.data(), swapped.size()), 0xf2dd);
}

TEST(portable_sum_at_any_place_and_length) { check_against_plain_sum(sum16_portable); }
TEST(portable_sum_keeps_carries) { check_extremes(sum16_portable); }
TEST(dispatched_sum_at_any_place_and_length) { check_against_plain_sum(sum16); }
TEST(dispatched_sum_keeps_carries) { check_extremes(sum16); }

TEST(avx2_sum_at_any_place_and_length) {
  if (!has_avx2()) SKIP("the CPU has no AVX2");
  check_against_plain_sum(sum16_avx2);
}
TEST(avx2_sum_keeps_carries) {
  if (!has_avx2()) SKIP("the CPU has no AVX2");
  check_extremes(sum16_avx2);
}

TEST(chain_split_everywhere) {
  std::mt19937 random(2);
  const Bytes bytes = random_bytes(random, 151);
  const auto whole = static_cast<uint16_t>(~plain_sum(bytes));
  for (size_t first = 0; first <= bytes.size(); ++first) {
    for (size_t second = first; second <= bytes.size(); ++second) {
      ChecksumChain chain;
      chain.add(bytes.data(), first);
      chain.add(bytes.data() + first, second - first);
      chain.add(bytes.data() + second, bytes.size() - second);
      CHECK_EQ(chain.checksum(), whole);
    }
  }
}

TEST(chain_of_many_odd_pieces) {
  std::mt19937 random(3);
  const Bytes bytes = random_bytes(random, 5000);
  ChecksumChain chain(0x12345);
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = std::min<size_t>(random() % 300 | 1, bytes.size() - at);
    chain.add(bytes.data() + at, length);
    at += length;
  }
  CHECK_EQ(chain.sum(), fold_sum(uint64_t{plain_sum(bytes)} + 0x12345));
}

TEST(fold_of_large_sums) {
  CHECK_EQ(fold_sum(0), 0);
  CHECK_EQ(fold_sum(0xffff), 0xffff);
  CHECK_EQ(fold_sum(0x10000), 1);
  CHECK_EQ(fold_sum(~uint64_t{0}), 0xffff);
  CHECK_EQ(fold_sum(0xffffffffffff0001), 1);
  std::mt19937_64 random(4);
  for (int i = 0; i < 100000; ++i) {
    const uint64_t sum = random();
    const uint64_t rest = sum % 0xffff;
    CHECK_EQ(fold_sum(sum), rest == 0 ? 0xffff : rest);
  }
}
