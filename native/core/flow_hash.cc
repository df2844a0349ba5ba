#include "core/flow_hash.h"

#include <bit>

#include "core/descriptor.h"

namespace netland {
namespace {

struct State {
  uint32_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 5) ^ v0;
    v0 = std::rotl(v0, 16);
    v2 += v3;
    v3 = std::rotl(v3, 8) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 7) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 13) ^ v2;
    v2 = std::rotl(v2, 16);
  }

  void absorb(uint32_t word) noexcept {
    v3 ^= word;
    round();
    v0 ^= word;
  }
};

}  // namespace

uint32_t flow_hash(const HashKey& key, const int32_t* words) noexcept {
  State state{key.k0, key.k1, 0x6c796765 ^ key.k0, 0x74656462 ^ key.k1};
  for (int i = 0; i < 4; ++i) state.absorb(static_cast<uint32_t>(words[Word::Destination + i]));
  for (int i = 0; i < 4; ++i) state.absorb(static_cast<uint32_t>(words[Word::Source + i]));
  state.absorb(static_cast<uint32_t>(words[Word::DestinationPort]) << 16 |
               (static_cast<uint32_t>(words[Word::SourcePort]) & 0xffff));
  state.absorb(uint32_t{36} << 24);  // the message's length, and no bytes left
  state.v2 ^= 0xff;
  for (int i = 0; i < 3; ++i) state.round();
  return state.v1 ^ state.v3;
}

}  // namespace netland
