#pragma once

// Through which interface, and to which hardware address, the kernel would send a packet: for frames
// that carry packets of the host's own past the kernel's IP.

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/frame.h"
#include "device/fd.h"
#include "device/netlink.h"

namespace netland {

struct NextHop {
  int32_t interface = 0;
  /// Of the interface, bytes.
  int32_t mtu = 0;
  HardwareAddress own;
  HardwareAddress peer;
};

/// The kernel's routes and neighbours. Answers are kept until either, or a link or an address,
/// changes, and a second at most.
class NextHops {
 public:
  /// @param device index of the interface that everything has to go through; 0: any
  explicit NextHops(int32_t device) noexcept : device_(device) {}

  /// 0 or -errno.
  int open();

  /// Hears of changes; before each batch.
  void begin() noexcept;

  /// The way of a descriptor's packet; null where the kernel has to find it, or there is none in
  /// frames: to this host, to many, through an interface that isn't Ethernet, of a neighbour that
  /// isn't resolved. Of one that is stale it is null once, since what the kernel itself sends makes
  /// it confirm the neighbour.
  const NextHop* find(const int32_t* words) noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  struct Answer {
    uint32_t generation = 0;
    int32_t interface = 0;
    int32_t source[4] = {};
    int32_t destination[4] = {};
    bool there = false;
    bool stale = false;
    NextHop hop;
  };

  bool look_up(Answer& answer) noexcept;

  int32_t device_;
  uint32_t generation_ = 1;
  Clock::time_point until_{};
  Fd questions_;
  Fd monitor_;
  std::vector<Answer> answers_;
};

}  // namespace netland
