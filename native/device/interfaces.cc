#include "device/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>

#include "device/socket_address.h"

namespace netland {

namespace {

/// Index of the first interface with an address that is wanted; 0 when there is none.
template <typename Wanted>
int32_t find_interface(Wanted wanted) noexcept {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return 0;
  unsigned found = 0;
  for (const ifaddrs* each = all; each != nullptr && found == 0; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    const int family = each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    SocketAddress name;
    std::memcpy(&name.storage, each->ifa_addr,
                family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    int32_t own[4];
    name.get(own);
    if (wanted(*each, own)) found = if_nametoindex(each->ifa_name);
  }
  freeifaddrs(all);
  return static_cast<int32_t>(found);
}

}  // namespace

int32_t interface_of(const int32_t* address) noexcept {
  return find_interface([address](const ifaddrs&, const int32_t* own) {
    return std::equal(address, address + 4, own);
  });
}

int32_t multicast_interface6(int32_t* address) noexcept {
  constexpr unsigned kWanted = IFF_UP | IFF_MULTICAST;
  return find_interface([address](const ifaddrs& each, const int32_t* own) {
    if ((each.ifa_flags & (kWanted | IFF_LOOPBACK)) != kWanted) return false;
    // fe80::/10
    if ((static_cast<uint32_t>(own[0]) & 0xffc00000) != 0xfe800000) return false;
    std::copy_n(own, 4, address);
    return true;
  });
}

}  // namespace netland
