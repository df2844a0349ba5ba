#pragma once

// Raw IP sockets, for each family one for TCP, one for UDP, and one for the ICMP errors about both:
// opened so that nothing comes in yet, and read in batches.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <vector>

#include "device/fd.h"
#include "device/intake.h"

namespace netland {

struct RawSocketOptions {
  /// Interface name to bind to; empty: all.
  const char* device = "";
  /// Bytes the kernel may hold for us; it doubles them.
  int receive_buffer = 8 << 20;
  int send_buffer = 8 << 20;
};

/// The protocol of the family's ICMP.
inline int icmp_of(int family) noexcept {
  if (family == 4) return IPPROTO_ICMP;
  return IPPROTO_ICMPV6;
}

/// Opens a socket behind a filter that drops everything, with nothing in its queue.
/// @return 0 or -errno: EPERM without CAP_NET_RAW, EAFNOSUPPORT without IPv6, ENODEV
int open_tcp_socket(int family, const RawSocketOptions& options, Fd& out) noexcept;

/// The same for UDP; it only receives: packets of every protocol leave through TCP's.
int open_udp_socket(int family, const RawSocketOptions& options, Fd& out) noexcept;

/// The same for ICMP errors; it only receives, and `options` say nothing of its buffers.
int open_icmp_socket(int family, const RawSocketOptions& options, Fd& out) noexcept;

/// Discards what is queued.
void drain(int fd) noexcept;

/// Reads a raw socket in batches of as many packets as the area has slots.
class RawReceiver {
 public:
  RawReceiver(int family, int protocol, size_t slots);

  /// One recvmmsg; the descriptors are in the intake afterwards.
  Received receive(int fd, Intake& intake);

 private:
  struct Control {
    alignas(cmsghdr) uint8_t bytes[192];
  };
  struct Notes {
    int32_t interface = 0;
    int32_t hop_limit = 64;
    uint32_t flow = 0;
    const uint8_t* destination = nullptr;
  };

  void prepare(const ReceiveArea& area);
  Notes read_control(msghdr& message, Counters& counters);
  void take(const mmsghdr& message, size_t slot, Intake& intake);
  bool write_ip6_header(const mmsghdr& message, const Notes& notes, uint8_t* out) const;

  int family_;
  int protocol_;
  uint32_t dropped_ = 0;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
  std::vector<sockaddr_in6> names_;
  std::vector<Control> controls_;
};

}  // namespace netland
