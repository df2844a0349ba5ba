#pragma once

// A port guard: a kernel socket that listens on a port (of UDP: is bound to it) and discards all, so
// that the kernel neither answers what arrives there nor uses the port itself.

#include <cstdint>

#include "device/fd.h"

namespace netland {

enum class GuardForm : int32_t {
  /// A socket filter that drops everything. Needs CAP_NET_ADMIN on TCP sockets of current kernels.
  Filter = 1,
  /// A TCP MD5 key (RFC 2385) for every peer, and 255 as the lowest accepted TTL or hop limit.
  Md5 = 2,
  /// On a UDP port: a filter, which needs no privilege.
  Datagram = 3,
};

/// What a guard is for; an address in words (descriptor.h), maybe a wildcard.
struct GuardPlace {
  const int32_t* address;
  uint16_t port;
  /// Interface name; empty: all.
  const char* device = "";
};

/// Guards a port. Never shares it: EADDRINUSE whenever the kernel has anything on it, TIME-WAIT
/// included. 0 or -errno (EADDRINUSE, EACCES, EADDRNOTAVAIL, EMFILE, …).
int open_guard(const GuardPlace& place, GuardForm form, Fd& out) noexcept;

/// A socket that is in a multicast group: the system receives what is for it, and tells the routers.
/// @param interface index; 0: the system's choice
/// @return 0 or -errno (ENODEV, ENOBUFS, EINVAL, …)
int join_group(const int32_t* group, int32_t interface, Fd& out) noexcept;

/// Whether the form, one of TCP's, works here: the options can be set and, where the loopback interface lets it be
/// tried, the kernel stays silent when a SYN comes to a guard.
/// @return 0; -errno of the option that was refused; -EPROTO when the kernel answered
int probe_guard(int family, GuardForm form) noexcept;

}  // namespace netland
