#include "device/port_guard.h"

#include <linux/tcp.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/build.h"
#include "core/descriptor.h"
#include "core/parse.h"
#include "device/bpf_filter.h"
#include "device/raw_socket.h"
#include "device/socket_address.h"

namespace netland {

namespace {

// linux/in6.h, which can't be included beside netinet/in.h.
constexpr int kIp6MinHopCount = 73;
constexpr int kHighestTtl = 255;

constexpr int32_t kLoopback4[4] = {0, 0, 0xffff, 0x7f000001};
constexpr int32_t kLoopback6[4] = {0, 0, 0, 1};

/// How long an answer over the loopback interface is waited for.
constexpr int kProbeMilliseconds = 100;

int require_md5(int fd, int family) noexcept {
  tcp_md5sig key{};
  auto* peer = reinterpret_cast<sockaddr*>(&key.tcpm_addr);
  peer->sa_family = static_cast<sa_family_t>(domain_of(family));
  key.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
  key.tcpm_prefixlen = 0;
  // Nobody has to know it: no segment is meant to pass.
  key.tcpm_keylen = 1;
  key.tcpm_key[0] = 1;
  return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &key, sizeof key) == 0 ? 0 : -errno;
}

int silence(int fd, int family, GuardForm form) noexcept {
  if (form != GuardForm::Md5) return attach_filter(fd, drop_all());
  const int failed = family == 4 ? set_option(fd, IPPROTO_IP, IP_MINTTL, kHighestTtl)
                                 : set_option(fd, IPPROTO_IPV6, kIp6MinHopCount, kHighestTtl);
  return failed != 0 ? failed : require_md5(fd, family);
}

/// A TCP or UDP socket bound to a place; SO_REUSEADDR and SO_REUSEPORT stay off, see open_guard.
int open_bound(const GuardPlace& place, const GuardForm* form, Fd& out) noexcept {
  const int family = family_of(place.address);
  const bool datagram = form != nullptr && *form == GuardForm::Datagram;
  const int type = datagram ? SOCK_DGRAM : SOCK_STREAM;
  Fd fd(socket(domain_of(family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  int failed = form == nullptr ? 0 : silence(fd.get(), family, *form);
  if (failed == 0 && family == 6) failed = set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (failed == 0) failed = bind_to_device(fd.get(), place.device);
  if (failed != 0) return failed;
  SocketAddress name;
  name.set(place.address, place.port);
  if (bind(fd.get(), name.raw(), name.length) != 0) return -errno;
  out = std::move(fd);
  return 0;
}

/// The three ports on loopback between which a guard is tried.
struct Trial {
  Fd raw;
  Fd guard;
  /// Bound, but not listening: the kernel answers with RST.
  Fd closed;
  /// Where the answers go.
  Fd client;
  uint16_t guard_port = 0;
  uint16_t closed_port = 0;
  uint16_t client_port = 0;
};

int port_of(const Fd& fd, uint16_t& port) noexcept {
  SocketAddress name;
  name.length = sizeof name.storage;
  if (getsockname(fd.get(), name.raw(), &name.length) != 0) return -errno;
  port = name.port();
  return 0;
}

int set_up(Trial& trial, const int32_t* address, GuardForm form) noexcept {
  const GuardPlace place{address, 0};
  int failed = open_guard(place, form, trial.guard);
  if (failed == 0) failed = open_bound(place, nullptr, trial.closed);
  if (failed == 0) failed = open_bound(place, nullptr, trial.client);
  if (failed == 0) failed = port_of(trial.guard, trial.guard_port);
  if (failed == 0) failed = port_of(trial.closed, trial.closed_port);
  if (failed == 0) failed = port_of(trial.client, trial.client_port);
  if (failed == 0) failed = open_tcp_socket(family_of(address), {}, trial.raw);
  if (failed != 0) return failed;
  const PortRange client{trial.client_port, trial.client_port, true, {}};
  return attach_filter(trial.raw.get(), admit_ports(family_of(address), {client}));
}

int send_syn(const Trial& trial, const int32_t* address, uint16_t port) noexcept {
  int32_t words[Word::Stride] = {};
  words[Word::Family] = family_of(address);
  words[Word::Protocol] = IPPROTO_TCP;
  words[Word::HopLimit] = 64;
  for (int i = 0; i < 4; i++) words[Word::Source + i] = words[Word::Destination + i] = address[i];
  words[Word::SourcePort] = trial.client_port;
  words[Word::DestinationPort] = port;
  words[Word::Flags] = Flag::SYN;
  uint8_t packet[kMaxHeaderLength];
  const size_t length = build_headers(words, Payload{}, packet);
  SocketAddress name;
  name.set(address, 0);
  const ssize_t sent =
      sendto(trial.raw.get(), packet, length, MSG_DONTWAIT, name.raw(), name.length);
  return sent < 0 ? -errno : 0;
}

/// Source port of the next segment that comes to the client; 0 when there is none in time.
uint16_t next_answer(const Trial& trial, const int32_t* address) noexcept {
  pollfd waiting{trial.raw.get(), POLLIN, 0};
  if (poll(&waiting, 1, kProbeMilliseconds) <= 0) return 0;
  uint8_t bytes[256];
  const ssize_t length = recv(trial.raw.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  const size_t header = family_of(address) == 4 ? static_cast<size_t>(bytes[0] & 0xf) * 4 : 0;
  if (length < 0 || static_cast<size_t>(length) < header + 2) return 0;
  return load_be16(bytes + header);
}

}  // namespace

int open_guard(const GuardPlace& place, GuardForm form, Fd& out) noexcept {
  Fd fd;
  const int failed = open_bound(place, &form, fd);
  if (failed != 0) return failed;
  if (form != GuardForm::Datagram && listen(fd.get(), 1) != 0) return -errno;
  out = std::move(fd);
  return 0;
}

int join_group(const int32_t* group, int32_t interface, Fd& out) noexcept {
  const int family = family_of(group);
  // Bound to nothing it gets nothing.
  Fd fd(socket(domain_of(family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  SocketAddress name;
  name.set(group, 0);
  group_req request{};
  request.gr_interface = static_cast<uint32_t>(interface);
  std::memcpy(&request.gr_group, &name.storage, name.length);
  const int level = family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
  if (setsockopt(fd.get(), level, MCAST_JOIN_GROUP, &request, sizeof request) != 0) return -errno;
  out = std::move(fd);
  return 0;
}

int probe_guard(int family, GuardForm form) noexcept {
  const int32_t* address = family == 4 ? kLoopback4 : kLoopback6;
  Trial trial;
  const int failed = set_up(trial, address, form);
  // Without an address on the loopback interface only the options can be tried.
  if (failed == -EADDRNOTAVAIL) return 0;
  if (failed != 0) return failed;
  // The second SYN is answered for certain, and loopback keeps the order: silence before its RST
  // is silence.
  if (send_syn(trial, address, trial.guard_port) != 0) return 0;
  if (send_syn(trial, address, trial.closed_port) != 0) return 0;
  for (;;) {
    const uint16_t from = next_answer(trial, address);
    if (from == trial.guard_port) return -EPROTO;
    if (from == 0 || from == trial.closed_port) return 0;
  }
}

}  // namespace netland
