// How long the core takes for one packet, and how many bytes it gets through. Numbers to look at;
// nothing depends on them.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "core/build.h"
#include "core/checksum.h"
#include "core/flow_hash.h"
#include "core/parse.h"

using namespace netland;

namespace {

constexpr HashKey kKey{1, 2};

// Keeps a result from being optimised away.
template <typename T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

double nanoseconds_of(auto&& operation, size_t count) {
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < count; ++i) operation();
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
  return taken.count() / static_cast<double>(count);
}

// The best of five runs of about 20 ms each.
void measure(const char* name, size_t bytes, auto&& operation) {
  const double once = nanoseconds_of(operation, 100);
  const auto count = static_cast<size_t>(2e7 / std::max(once, 1.0)) + 1;
  double best = once;
  for (int run = 0; run < 5; ++run) best = std::min(best, nanoseconds_of(operation, count));
  std::printf("%-22s %6zu bytes %9.1f ns", name, bytes, best);
  if (bytes > 0) std::printf(" %7.2f GB/s", static_cast<double>(bytes) / best);
  std::printf("\n");
}

void fill_segment(int32_t family, int32_t payload, int32_t* words) {
  words[Word::Family] = family;
  words[Word::Protocol] = 6;
  words[Word::HopLimit] = 64;
  for (int i = 0; i < 8; ++i) words[Word::Source + i] = 0x0a000001 + i;
  words[Word::SourcePort] = 40000;
  words[Word::DestinationPort] = 80;
  words[Word::Flags] = Flag::ACK;
  words[Word::Window] = 1000;
  words[Word::Options] = Option::Timestamps;
  words[Word::TsVal] = 123456;
  words[Word::PayloadLength] = payload;
  words[Word::SliceCount] = 1;
}

void measure_packets(int32_t family, int32_t size, std::vector<uint8_t>& memory) {
  int32_t words[Word::Stride] = {};
  fill_segment(family, size, words);
  const int32_t slices[kSliceWords] = {0, 1, size};
  const Slab slab{memory.data(), memory.size()};
  Payload payload;
  std::vector<uint8_t> packet(kMaxPacketLength);
  size_t length = 0;
  measure(family == 4 ? "build_headers IPv4" : "build_headers IPv6", static_cast<size_t>(size),
          [&] {
            find_payload(words, slices, {&slab, 1}, payload);
            keep(build_headers(words, payload, packet.data()));
          });
  measure(family == 4 ? "build_packet IPv4" : "build_packet IPv6", static_cast<size_t>(size), [&] {
    find_payload(words, slices, {&slab, 1}, payload);
    length = build_packet(words, payload, packet.data(), packet.size());
    keep(length);
  });
  int32_t parsed[Word::Stride];
  measure(family == 4 ? "parse IPv4" : "parse IPv6", static_cast<size_t>(size), [&] {
    keep(parse(packet.data(), 0, length, 0, kKey, parsed));
    keep(parsed);
  });
}

}  // namespace

int main() {
  std::vector<uint8_t> memory(1 << 20);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<uint8_t>(i * 31);
  for (const size_t size : {20, 64, 128, 256, 536, 1460, 9000, 65535}) {
    measure("sum16_portable", size, [&] { keep(sum16_portable(memory.data() + 1, size)); });
    if (has_avx2()) {
      measure("sum16_avx2", size, [&] { keep(sum16_avx2(memory.data() + 1, size)); });
    }
  }
  int32_t words[Word::Stride] = {};
  fill_segment(4, 0, words);
  measure("flow_hash", 0, [&] { keep(flow_hash(kKey, words)); });
  for (const int32_t family : {4, 6}) {
    for (const int32_t size : {0, 1448, 65000}) measure_packets(family, size, memory);
  }
  return 0;
}
