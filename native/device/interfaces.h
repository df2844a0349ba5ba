#pragma once

// Which interface has which address.

#include <cstdint>

namespace netland {

/// Index of the interface that has the address; 0 when there is none.
int32_t interface_of(const int32_t* address) noexcept;

/// The first interface that is up and can send to groups, but for loopback, and has a link-local
/// IPv6 address, which goes into `address`; its index, 0 when there is none.
int32_t multicast_interface6(int32_t* address) noexcept;

}  // namespace netland
