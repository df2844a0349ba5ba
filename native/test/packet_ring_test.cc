#include "core/packet_ring.h"

#include <deque>

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

TEST(ring_gives_packets_in_order_around_its_end) {
  constexpr size_t kSlots = 5, kSize = 3;
  Bytes memory(kSlots * kSize);
  std::vector<uint32_t> lengths(kSlots);
  PacketRing ring(memory.data(), lengths.data(), kSize, kSlots);
  std::deque<Bytes> model;
  std::mt19937 random(5);
  for (int step = 0; step < 10000; ++step) {
    if (random() % 2 == 0) {
      uint8_t* slot = ring.back();
      CHECK_EQ(slot == nullptr, model.size() == kSlots);
      if (slot == nullptr) continue;
      model.push_back(random_bytes(random, random() % (kSize + 1)));
      std::copy(model.back().begin(), model.back().end(), slot);
      ring.push(model.back().size());
    } else {
      const size_t count = random() % (model.size() + 1);
      ring.pop(count);
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(count));
    }
    CHECK_EQ(ring.size(), model.size());
    CHECK_EQ(ring.empty(), model.empty());
    CHECK_EQ(ring.full(), model.size() == ring.capacity());
    for (size_t i = 0; i < model.size(); ++i) {
      CHECK(Bytes(ring.packet(i), ring.packet(i) + ring.length(i)) == model[i]);
    }
  }
}
