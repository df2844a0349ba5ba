#include "device/port_set.h"

#include <algorithm>

#include "core/descriptor.h"
#include "device/socket_address.h"

namespace netland {

namespace {

bool is_range(const int32_t* row) {
  return (row[0] == 4 || row[0] == 6) && row[1] >= 0 && row[1] <= row[2] && row[2] <= 0xffff;
}

PortRange range_of(const int32_t* row) {
  PortRange range{
      static_cast<uint16_t>(row[1]), static_cast<uint16_t>(row[2]), is_wildcard(row + 3), {}};
  std::copy_n(row + 3, 4, range.address.begin());
  return range;
}

bool earlier(const PortRange& a, const PortRange& b) { return a.first < b.first; }

/// What is for any address and touches or overlaps becomes one range.
std::vector<PortRange> join(std::vector<PortRange> wide) {
  std::sort(wide.begin(), wide.end(), earlier);
  std::vector<PortRange> joined;
  for (const PortRange& range : wide) {
    if (!joined.empty() && range.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

}  // namespace

bool PortSet::assign(const int32_t* rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!is_range(rows + i * kPortRangeWords)) return false;
  }
  for (const int family : {4, 6}) {
    Family& ports = of(family);
    std::vector<PortRange> wide;
    std::vector<PortRange> narrow;
    ports.any.reset();
    ports.some.reset();
    for (size_t i = 0; i < count; i++) {
      const int32_t* row = rows + i * kPortRangeWords;
      if (row[0] != family) continue;
      const PortRange range = range_of(row);
      (range.any_address ? wide : narrow).push_back(range);
      auto& bits = range.any_address ? ports.any : ports.some;
      for (uint32_t port = range.first; port <= range.last; port++) bits.set(port);
    }
    ports.ranges = join(std::move(wide));
    for (const PortRange& range : narrow) {
      // One port each, so that the filter's leaves don't overlap.
      for (uint32_t port = range.first; port <= range.last; port++) {
        if (ports.any.test(port)) continue;
        const auto single = static_cast<uint16_t>(port);
        ports.ranges.push_back({single, single, false, range.address});
      }
    }
    std::stable_sort(ports.ranges.begin(), ports.ranges.end(), earlier);
  }
  return true;
}

bool PortSet::contains(const int32_t* words) const noexcept {
  const Family& ports = of(words[Word::Family]);
  const auto port = static_cast<uint16_t>(words[Word::DestinationPort]);
  if (ports.any.test(port)) return true;
  if (!ports.some.test(port)) return false;
  const PortRange wanted{port, port, false, {}};
  const auto [begin, end] =
      std::equal_range(ports.ranges.begin(), ports.ranges.end(), wanted, earlier);
  return std::any_of(begin, end, [words](const PortRange& range) {
    return std::equal(range.address.begin(), range.address.end(), words + Word::Destination);
  });
}

}  // namespace netland
