#include "device/next_hop.h"

#include <net/if.h>

#include <algorithm>

#include "core/descriptor.h"
#include "device/packet_socket.h"

namespace netland {

namespace {

/// Places of the cache, a power of two.
constexpr size_t kPlaces = 256;

/// Rules that choose between tables change without notice.
constexpr auto kLifetime = std::chrono::seconds(1);

size_t place_of(const int32_t* words) noexcept {
  uint32_t hash = static_cast<uint32_t>(words[Word::Interface]);
  for (int i = 0; i < 4; i++) {
    hash = (hash ^ static_cast<uint32_t>(words[Word::Destination + i])) * 0x9e3779b1U;
    hash = (hash ^ static_cast<uint32_t>(words[Word::Source + i])) * 0x85ebca6bU;
  }
  return (hash ^ hash >> 16) % kPlaces;
}

}  // namespace

int NextHops::open() {
  int failed = open_netlink(questions_);
  if (failed == 0) failed = open_monitor(monitor_, true);
  if (failed == 0) answers_.resize(kPlaces);
  return failed;
}

void NextHops::begin() noexcept {
  const auto now = Clock::now();
  if (!read_monitor(monitor_.get()) && now < until_) return;
  until_ = now + kLifetime;
  generation_++;
}

const NextHop* NextHops::find(const int32_t* words) noexcept {
  Answer& answer = answers_[place_of(words)];
  const int32_t* source = words + Word::Source;
  const int32_t* destination = words + Word::Destination;
  const int32_t interface = device_ > 0 ? device_ : words[Word::Interface];
  if (answer.generation != generation_ || answer.interface != interface ||
      !std::equal(source, source + 4, answer.source) ||
      !std::equal(destination, destination + 4, answer.destination)) {
    answer.generation = generation_;
    answer.interface = interface;
    std::copy_n(source, 4, answer.source);
    std::copy_n(destination, 4, answer.destination);
    answer.stale = false;
    answer.there = look_up(answer);
  }
  if (!answer.there) return nullptr;
  if (!answer.stale) return &answer.hop;
  answer.stale = false;
  return nullptr;
}

bool NextHops::look_up(Answer& answer) noexcept {
  UnicastRoute route;
  NextHop& hop = answer.hop;
  const int fd = questions_.get();
  if (unicast_route(fd, answer.destination, answer.source, answer.interface, route) != 0) {
    return false;
  }
  char name[IF_NAMESIZE];
  hop.interface = route.interface;
  if (if_indextoname(static_cast<unsigned>(hop.interface), name) == nullptr) return false;
  hop.mtu = interface_mtu(name);
  return hop.mtu > 0 && hardware_address_of(hop.interface, hop.own) == 0 &&
         find_neighbor(fd, route, hop.peer, answer.stale) == 0;
}

}  // namespace netland
