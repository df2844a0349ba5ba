#include "device/route.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "device/interfaces.h"
#include "device/netlink.h"
#include "device/socket_address.h"

namespace netland {

namespace {

/// A datagram socket's port means nothing here; connect wants one.
constexpr uint16_t kAnyPort = 1;

int open_socket(int family, const std::string& device, Fd& out) noexcept {
  Fd fd(socket(domain_of(family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  int failed = bind_to_device(fd.get(), device.c_str());
  // Or there would be no way to a broadcast address.
  if (failed == 0) failed = set_option(fd.get(), SOL_SOCKET, SO_BROADCAST, 1);
  if (failed == 0) out = std::move(fd);
  return failed;
}

/// A datagram socket sends nothing when it is connected: the kernel looks up the route.
/// @param scope as of SocketAddress
int look_up(int fd, const int32_t* remote, Route& out, int32_t scope = 0) noexcept {
  SocketAddress name;
  name.set(remote, kAnyPort, scope);
  if (connect(fd, name.raw(), name.length) != 0) return -errno;
  SocketAddress source;
  source.length = sizeof source.storage;
  if (getsockname(fd, source.raw(), &source.length) != 0) return -errno;
  source.get(out.source);
  const bool v4 = family_of(remote) == 4;
  socklen_t length = sizeof out.mtu;
  const int failed =
      getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &out.mtu, &length);
  return failed == 0 ? 0 : -errno;
}

/// Lets go of the address and the port that connect has chosen.
void disconnect(int fd) noexcept {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  connect(fd, &none, sizeof none);
}

}  // namespace

int RouteFinder::find(const int32_t* remote, const int32_t* local, Route& out) noexcept {
  const int family = family_of(remote);
  if (local != nullptr && family_of(local) != family) return -ENETUNREACH;
  if (family == 6 && is_group(remote)) return find_group6(remote, local, out);
  Fd& fd = sockets_[family == 4 ? 0 : 1];
  int failed = fd ? 0 : open_socket(family, device_, fd);
  if (failed != 0) return failed;
  failed = look_up(fd.get(), remote, out);
  disconnect(fd.get());
  // What the kernel would choose by itself is the way from that address; another address may have
  // another way, or be the only one that has any.
  if (local == nullptr || (failed == 0 && std::equal(local, local + 4, out.source))) return failed;
  return find_from(remote, local, out);
}

int RouteFinder::find_from(const int32_t* remote, const int32_t* local, Route& out) noexcept {
  Fd fd;
  int failed = open_socket(family_of(remote), device_, fd);
  // Without a port: none is used up.
  if (failed == 0) failed = set_option(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (failed != 0) return failed;
  SocketAddress name;
  name.set(local, 0);
  if (bind(fd.get(), name.raw(), name.length) != 0) return -errno;
  return look_up(fd.get(), remote, out);
}

/// Through the interface of the local address, or the first one: a group is reached through any.
int RouteFinder::find_group6(const int32_t* group, const int32_t* local, Route& out) noexcept {
  int32_t own[4];
  const int32_t interface = local != nullptr ? interface_of(local) : multicast_interface6(own);
  if (interface == 0) return local != nullptr ? -EADDRNOTAVAIL : -ENETUNREACH;
  Fd fd;
  int failed = open_socket(6, device_, fd);
  if (failed == 0) failed = set_option(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, interface);
  if (failed == 0) failed = set_option(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (failed != 0) return failed;
  if (local != nullptr) {
    SocketAddress name;
    name.set(local, 0, interface);
    if (bind(fd.get(), name.raw(), name.length) != 0) return -errno;
  }
  return look_up(fd.get(), group, out, interface);
}

int RouteFinder::kind_of(const int32_t* address) noexcept {
  const int failed = netlink_ ? 0 : open_netlink(netlink_);
  return failed != 0 ? failed : address_kind(netlink_.get(), address);
}

void RouteFinder::close() noexcept {
  for (Fd& fd : sockets_) fd.reset();
  netlink_.reset();
}

}  // namespace netland
