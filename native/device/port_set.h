#pragma once

// Which local ports are ours, exactly: a socket filter thins out what arrives, this decides. It
// also holds for packets that were queued before the filter changed.

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace netland {

/// Ports `first` to `last` of one family, at every local address or at one.
struct PortRange {
  uint16_t first;
  uint16_t last;
  bool any_address;
  /// Four words; of use when not any_address.
  std::array<int32_t, 4> address;
};

/// Int32 words of a range where it crosses from JavaScript: family, first, last, address (4; a
/// wildcard stands for every address).
inline constexpr size_t kPortRangeWords = 7;

class PortSet {
 public:
  /// Replaces everything.
  /// @param rows `count` times kPortRangeWords
  /// @return false, and nothing is changed, when a row is no range
  bool assign(const int32_t* rows, size_t count);

  /// Whether the destination of a descriptor is ours.
  bool contains(const int32_t* words) const noexcept;

  /// Ordered by port; those that are for any address don't overlap others of their ports.
  const std::vector<PortRange>& ranges(int family) const noexcept { return of(family).ranges; }

 private:
  struct Family {
    std::vector<PortRange> ranges;
    std::bitset<65536> any;
    std::bitset<65536> some;
  };

  Family& of(int family) noexcept { return families_[family == 4 ? 0 : 1]; }
  const Family& of(int family) const noexcept { return families_[family == 4 ? 0 : 1]; }

  std::array<Family, 2> families_;
};

/// The local ports that a link on the host's own addresses has.
struct OurPorts {
  PortSet tcp;
  PortSet udp;
};

}  // namespace netland
