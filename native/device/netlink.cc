#include "device/netlink.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "device/socket_address.h"

namespace netland {

namespace {

/// One message with its attributes.
class Request {
 public:
  Request(uint16_t type, uint16_t flags) noexcept {
    header()->nlmsg_type = type;
    header()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    header()->nlmsg_seq = 1;
    header()->nlmsg_len = NLMSG_HDRLEN;
  }

  template <typename T>
  T* body() noexcept {
    header()->nlmsg_len = NLMSG_LENGTH(sizeof(T));
    return static_cast<T*>(NLMSG_DATA(header()));
  }

  void attribute(uint16_t type, const void* data, size_t length) noexcept {
    auto* at = reinterpret_cast<rtattr*>(bytes_ + NLMSG_ALIGN(header()->nlmsg_len));
    at->rta_type = type;
    at->rta_len = static_cast<uint16_t>(RTA_LENGTH(length));
    std::memcpy(RTA_DATA(at), data, length);
    header()->nlmsg_len =
        static_cast<uint32_t>(NLMSG_ALIGN(header()->nlmsg_len) + RTA_ALIGN(at->rta_len));
  }

  /// An address (four words) in its family's bytes.
  void address(uint16_t type, const int32_t* words) noexcept {
    uint8_t bytes[16];
    for (int i = 0; i < 4; i++) store_be32(bytes + 4 * i, static_cast<uint32_t>(words[i]));
    const size_t length = family_of(words) == 4 ? 4 : 16;
    attribute(type, bytes + 16 - length, length);
  }

  nlmsghdr* header() noexcept { return reinterpret_cast<nlmsghdr*>(bytes_); }

 private:
  alignas(nlmsghdr) uint8_t bytes_[256] = {};
};

/// Sends the request and takes its answer, which the kernel gives within the call.
/// @return bytes of the answer or -errno, which may be the answer itself
ssize_t ask(int fd, Request& request, uint8_t* answer, size_t room) noexcept {
  if (send(fd, request.header(), request.header()->nlmsg_len, 0) < 0) return -errno;
  ssize_t length;
  do {
    length = recv(fd, answer, room, 0);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return -errno;
  if (static_cast<size_t>(length) < sizeof(nlmsghdr)) return -EBADMSG;
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (header->nlmsg_type != NLMSG_ERROR) return length;
  nlmsgerr error;
  if (static_cast<size_t>(length) < NLMSG_LENGTH(sizeof error)) return -EBADMSG;
  std::memcpy(&error, NLMSG_DATA(header), sizeof error);
  return error.error != 0 ? error.error : length;
}

/// Calls `each` with the attributes behind a body of so many bytes.
template <typename Each>
void read_attributes(uint8_t* answer, ssize_t length, size_t body, Each each) noexcept {
  auto* at = reinterpret_cast<rtattr*>(answer + NLMSG_SPACE(body));
  int left = static_cast<int>(length) - static_cast<int>(NLMSG_SPACE(body));
  for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    each(at->rta_type, static_cast<const uint8_t*>(RTA_DATA(at)), RTA_PAYLOAD(at));
  }
}

/// For requests whose answer says no more than that they succeeded.
int change(Request& request) noexcept {
  Fd fd;
  const int failed = open_netlink(fd);
  if (failed != 0) return failed;
  alignas(nlmsghdr) uint8_t answer[1024];
  const ssize_t length = ask(fd.get(), request, answer, sizeof answer);
  return length < 0 ? static_cast<int>(length) : 0;
}

/// The four words of an address with `length` bits, counted within its family, kept.
void mask_address(const int32_t* address, int length, int32_t* out) noexcept {
  int left = family_of(address) == 4 ? length + 96 : length;
  for (int i = 0; i < 4; i++, left -= 32) {
    const uint32_t mask = left >= 32 ? ~0U : left <= 0 ? 0 : ~0U << (32 - left);
    out[i] = static_cast<int32_t>(static_cast<uint32_t>(address[i]) & mask);
  }
}

/// The interface that packets to an address leave by; 0: none.
int32_t interface_to(const int32_t* address) noexcept {
  Fd fd;
  if (open_netlink(fd) != 0) return 0;
  const int family = family_of(address);
  Request request(RTM_GETROUTE, 0);
  auto* body = request.body<rtmsg>();
  body->rtm_family = static_cast<uint8_t>(domain_of(family));
  body->rtm_dst_len = family == 4 ? 32 : 128;
  request.address(RTA_DST, address);
  alignas(nlmsghdr) uint8_t answer[2048];
  const ssize_t length = ask(fd.get(), request, answer, sizeof answer);
  if (length < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(rtmsg)))) return 0;
  int32_t interface = 0;
  read_attributes(answer, length, sizeof(rtmsg),
                  [&](uint16_t type, const uint8_t* data, size_t size) {
                    if (type != RTA_OIF || size != sizeof interface) return;
                    std::memcpy(&interface, data, sizeof interface);
                  });
  return interface;
}

int interface_request(const char* name, unsigned long what, ifreq& request) noexcept {
  const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  request = {};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  return ioctl(fd.get(), what, &request) == 0 ? 0 : -errno;
}

}  // namespace

int add_address(int32_t interface, const int32_t* address, int prefix_length) noexcept {
  const int family = family_of(address);
  Request request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  auto* body = request.body<ifaddrmsg>();
  body->ifa_family = static_cast<uint8_t>(domain_of(family));
  body->ifa_prefixlen = static_cast<uint8_t>(prefix_length);
  body->ifa_flags = family == 6 ? IFA_F_NODAD : 0;
  body->ifa_index = static_cast<uint32_t>(interface);
  request.address(IFA_LOCAL, address);
  request.address(IFA_ADDRESS, address);
  const int failed = change(request);
  return failed == -EEXIST ? 0 : failed;
}

int add_route(int32_t interface, const int32_t* network, int prefix_length) noexcept {
  const int family = family_of(network);
  int32_t masked[4];
  mask_address(network, prefix_length, masked);
  Request request(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  auto* body = request.body<rtmsg>();
  body->rtm_family = static_cast<uint8_t>(domain_of(family));
  body->rtm_dst_len = static_cast<uint8_t>(prefix_length);
  body->rtm_table = RT_TABLE_MAIN;
  body->rtm_protocol = RTPROT_STATIC;
  body->rtm_scope = family == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  body->rtm_type = RTN_UNICAST;
  if (prefix_length > 0) request.address(RTA_DST, masked);
  request.attribute(RTA_OIF, &interface, sizeof interface);
  const int failed = change(request);
  return failed == -EEXIST && interface_to(masked) == interface ? 0 : failed;
}

int set_up_interface(int32_t interface, int mtu) noexcept {
  Request request(RTM_NEWLINK, NLM_F_ACK);
  auto* body = request.body<ifinfomsg>();
  body->ifi_index = interface;
  body->ifi_flags = IFF_UP;
  body->ifi_change = IFF_UP;
  if (mtu > 0) request.attribute(IFLA_MTU, &mtu, sizeof mtu);
  return change(request);
}

int interface_mtu(const char* name) noexcept {
  ifreq request;
  const int failed = interface_request(name, SIOCGIFMTU, request);
  return failed != 0 ? failed : request.ifr_mtu;
}

int interface_is_up(const char* name) noexcept {
  ifreq request;
  const int failed = interface_request(name, SIOCGIFFLAGS, request);
  if (failed != 0) return failed;
  return (request.ifr_flags & IFF_UP) != 0 ? 1 : 0;
}

int open_netlink(Fd& out) noexcept {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return -errno;
  out = std::move(fd);
  return 0;
}

int address_kind(int fd, const int32_t* address) noexcept {
  const int family = family_of(address);
  Request request(RTM_GETROUTE, 0);
  auto* body = request.body<rtmsg>();
  body->rtm_family = static_cast<uint8_t>(domain_of(family));
  body->rtm_dst_len = family == 4 ? 32 : 128;
  request.address(RTA_DST, address);
  alignas(nlmsghdr) uint8_t answer[2048];
  const ssize_t length = ask(fd, request, answer, sizeof answer);
  // No route, an unreachable one, no IPv6: in any case it is foreign.
  if (length == -ENETUNREACH || length == -EHOSTUNREACH || length == -EINVAL || length == -EACCES ||
      length == -EAFNOSUPPORT || length == -EOPNOTSUPP) {
    return 0;
  }
  if (length < 0) return static_cast<int>(length);
  rtmsg route;
  if (static_cast<size_t>(length) < NLMSG_LENGTH(sizeof route)) return -EBADMSG;
  std::memcpy(&route, NLMSG_DATA(reinterpret_cast<const nlmsghdr*>(answer)), sizeof route);
  const auto kind = route.rtm_type == RTN_LOCAL       ? AddressKind::Local
                    : route.rtm_type == RTN_BROADCAST ? AddressKind::Broadcast
                                                      : AddressKind::Foreign;
  return static_cast<int>(kind);
}

int unicast_route(int fd, const int32_t* remote, const int32_t* local, int32_t interface,
                  UnicastRoute& out) noexcept {
  const int family = family_of(remote);
  Request request(RTM_GETROUTE, 0);
  auto* body = request.body<rtmsg>();
  body->rtm_family = static_cast<uint8_t>(domain_of(family));
  body->rtm_dst_len = body->rtm_src_len = family == 4 ? 32 : 128;
  request.address(RTA_DST, remote);
  request.address(RTA_SRC, local);
  if (interface > 0) request.attribute(RTA_OIF, &interface, sizeof interface);
  alignas(nlmsghdr) uint8_t answer[2048];
  const ssize_t length = ask(fd, request, answer, sizeof answer);
  if (length < 0) return static_cast<int>(length);
  rtmsg route;
  if (static_cast<size_t>(length) < NLMSG_LENGTH(sizeof route)) return -EBADMSG;
  std::memcpy(&route, NLMSG_DATA(reinterpret_cast<const nlmsghdr*>(answer)), sizeof route);
  if (route.rtm_type != RTN_UNICAST) return -EOPNOTSUPP;
  out.interface = 0;
  std::memcpy(out.next_hop, remote, sizeof out.next_hop);
  bool plain = true;
  read_attributes(
      answer, length, sizeof route, [&](uint16_t type, const uint8_t* data, size_t size) {
        if (type == RTA_OIF && size == sizeof out.interface) {
          std::memcpy(&out.interface, data, sizeof out.interface);
        } else if (type == RTA_GATEWAY && size == (family == 4 ? 4U : 16U)) {
          for (size_t i = 0; i < size; i += 4) {
            out.next_hop[(16 - size + i) / 4] = static_cast<int32_t>(load_be32(data + i));
          }
        } else if (type == RTA_VIA || type == RTA_ENCAP || type == RTA_NEWDST) {
          plain = false;
        }
      });
  return plain && out.interface > 0 ? 0 : -EOPNOTSUPP;
}

int find_neighbor(int fd, const UnicastRoute& route, HardwareAddress& out, bool& stale) noexcept {
  Request request(RTM_GETNEIGH, 0);
  auto* body = request.body<ndmsg>();
  body->ndm_family = static_cast<uint8_t>(domain_of(family_of(route.next_hop)));
  body->ndm_ifindex = route.interface;
  request.address(NDA_DST, route.next_hop);
  alignas(nlmsghdr) uint8_t answer[1024];
  const ssize_t length = ask(fd, request, answer, sizeof answer);
  if (length < 0) return static_cast<int>(length);
  ndmsg neighbor;
  if (static_cast<size_t>(length) < NLMSG_LENGTH(sizeof neighbor)) return -EBADMSG;
  std::memcpy(&neighbor, NLMSG_DATA(reinterpret_cast<const nlmsghdr*>(answer)), sizeof neighbor);
  constexpr int kValid = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
  if ((neighbor.ndm_state & kValid) == 0) return -EHOSTUNREACH;
  stale = (neighbor.ndm_state & NUD_STALE) != 0;
  int failed = -EHOSTUNREACH;
  read_attributes(answer, length, sizeof neighbor,
                  [&](uint16_t type, const uint8_t* data, size_t size) {
                    if (type != NDA_LLADDR || size != 6) return;
                    out = {load_be16(data), load_be32(data + 2)};
                    failed = 0;
                  });
  return failed;
}

int open_monitor(Fd& out, bool neighbors) noexcept {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return -errno;
  sockaddr_nl name{};
  name.nl_family = AF_NETLINK;
  name.nl_groups =
      RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (neighbors) name.nl_groups |= RTMGRP_NEIGH;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) return -errno;
  out = std::move(fd);
  return 0;
}

bool read_monitor(int fd) noexcept {
  bool changed = false;
  uint8_t bytes[4096];
  for (;;) {
    if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) >= 0) {
      changed = true;
    } else if (errno == ENOBUFS) {
      changed = true;  // some were lost
    } else if (errno != EINTR) {
      return changed;
    }
  }
}

}  // namespace netland
