#include "device/raw_socket.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>

#include <cerrno>
#include <cstring>

#include "core/bytes.h"
#include "device/bpf_filter.h"
#include "device/socket_address.h"

namespace netland {

namespace {

constexpr size_t kIp6HeaderLength = 40;

// linux/in6.h, which can't be included beside netinet/in.h.
constexpr int kIp6FlowInfo = 11;

// Enough for the answers to a flight that was too large; a flood is to hold no more.
constexpr int kIcmpBuffer = 256 << 10;

/// Large buffers need CAP_NET_ADMIN; without it the kernel's limit holds.
void set_buffer(int fd, int forced, int plain, int bytes) noexcept {
  if (set_option(fd, SOL_SOCKET, forced, bytes) != 0) set_option(fd, SOL_SOCKET, plain, bytes);
}

/// To a raw socket every quote of its protocol seems to be its own: the kernel would believe a forged
/// ICMP error, and lower the MTU of its route. TypeScript judges them.
int ignore_path_mtu(int fd, int family) noexcept {
  return family == 4 ? set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE)
                     : set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_INTERFACE);
}

int open_socket(int family, int protocol, const char* device, Fd& out) noexcept {
  Fd fd(socket(domain_of(family), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd) return -errno;
  // First of all: every packet of the host arrives until there is a filter.
  int failed = attach_filter(fd.get(), drop_all());
  if (failed == 0) failed = bind_to_device(fd.get(), device);
  if (failed == 0) failed = ignore_path_mtu(fd.get(), family);
  if (failed == 0) out = std::move(fd);
  return failed;
}

/// That packets come with what they don't contain.
int ask_for_notes(int fd, int family) noexcept {
  int failed = set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  if (failed != 0) return failed;
  if (family == 4) return set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
  for (const int name : {IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, kIp6FlowInfo}) {
    failed = set_option(fd, IPPROTO_IPV6, name, 1);
    if (failed != 0) return failed;
  }
  return 0;
}

/// The kernel keeps all but errors to itself, before any program of ours is asked.
int admit_errors(int fd, int family) noexcept {
  if (family == 4) {
    icmp_filter filter{};
    filter.data = ~(1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED | 1u << ICMP_PARAMETERPROB);
    return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) == 0 ? 0 : -errno;
  }
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  for (const int type :
       {ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED, ICMP6_PARAM_PROB}) {
    ICMP6_FILTER_SETPASS(type, &filter);
  }
  const int failed = setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
  return failed == 0 ? 0 : -errno;
}

template <typename T>
T read_as(const cmsghdr* control) {
  T value;
  std::memcpy(&value, CMSG_DATA(control), sizeof value);
  return value;
}

}  // namespace

int open_tcp_socket(int family, const RawSocketOptions& options, Fd& out) noexcept {
  Fd fd;
  int failed = open_socket(family, IPPROTO_TCP, options.device, fd);
  if (failed == 0) failed = ask_for_notes(fd.get(), family);
  if (failed == 0) {
    failed = family == 4 ? set_option(fd.get(), IPPROTO_IP, IP_HDRINCL, 1)
                         : set_option(fd.get(), IPPROTO_IPV6, IPV6_HDRINCL, 1);
  }
  // Who may send to all hosts is decided above.
  if (failed == 0) failed = set_option(fd.get(), SOL_SOCKET, SO_BROADCAST, 1);
  if (failed != 0) return failed;
  set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer);
  set_buffer(fd.get(), SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer);
  drain(fd.get());
  out = std::move(fd);
  return 0;
}

int open_udp_socket(int family, const RawSocketOptions& options, Fd& out) noexcept {
  Fd fd;
  int failed = open_socket(family, IPPROTO_UDP, options.device, fd);
  if (failed == 0) failed = ask_for_notes(fd.get(), family);
  if (failed != 0) return failed;
  set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer);
  drain(fd.get());
  out = std::move(fd);
  return 0;
}

int open_icmp_socket(int family, const RawSocketOptions& options, Fd& out) noexcept {
  Fd fd;
  int failed = open_socket(family, icmp_of(family), options.device, fd);
  if (failed == 0) failed = admit_errors(fd.get(), family);
  if (failed == 0) failed = ask_for_notes(fd.get(), family);
  if (failed != 0) return failed;
  set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, kIcmpBuffer);
  drain(fd.get());
  out = std::move(fd);
  return 0;
}

void drain(int fd) noexcept {
  uint8_t byte;
  while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) >= 0 || errno == EINTR) continue;
}

RawReceiver::RawReceiver(int family, int protocol, size_t slots)
    : family_(family),
      protocol_(protocol),
      messages_(slots),
      vectors_(slots),
      names_(slots),
      controls_(slots) {}

void RawReceiver::prepare(const ReceiveArea& area) {
  // Raw IPv6 delivers what follows the IP header: room for the IP header is left in front.
  const size_t skip = family_ == 4 ? 0 : kIp6HeaderLength;
  for (size_t i = 0; i < messages_.size(); i++) {
    vectors_[i] = {area.slab + area.offset(i) + skip, kSlotRoom - skip};
    msghdr& header = messages_[i].msg_hdr;
    header.msg_name = &names_[i];
    header.msg_namelen = sizeof names_[i];
    header.msg_iov = &vectors_[i];
    header.msg_iovlen = 1;
    header.msg_control = controls_[i].bytes;
    header.msg_controllen = sizeof controls_[i].bytes;
    header.msg_flags = 0;
  }
}

Received RawReceiver::receive(int fd, Intake& intake) {
  prepare(intake.area());
  intake.begin();
  const auto room = static_cast<unsigned>(messages_.size());
  int packets = recvmmsg(fd, messages_.data(), room, MSG_DONTWAIT, nullptr);
  while (packets < 0 && errno == EINTR) {
    packets = recvmmsg(fd, messages_.data(), room, MSG_DONTWAIT, nullptr);
  }
  if (packets < 0) return {0, errno == EAGAIN ? 0 : errno};
  for (int i = 0; i < packets; i++) {
    const auto slot = static_cast<size_t>(i);
    take(messages_[slot], slot, intake);
  }
  return {static_cast<size_t>(packets), 0, static_cast<unsigned>(packets) == room};
}

void RawReceiver::take(const mmsghdr& message, size_t slot, Intake& intake) {
  msghdr header = message.msg_hdr;
  const Notes notes = read_control(header, intake.counters());
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    intake.counters().add(Counter::Oversized);
    return;
  }
  size_t length = message.msg_len;
  if (family_ == 6) {
    const ReceiveArea& area = intake.area();
    if (!write_ip6_header(message, notes, area.slab + area.offset(slot))) {
      intake.counters().add(Counter::ReceiveErrors);
      return;
    }
    length += kIp6HeaderLength;
  }
  intake.add(slot, length, notes.interface);
}

RawReceiver::Notes RawReceiver::read_control(msghdr& message, Counters& counters) {
  Notes notes;
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SO_RXQ_OVFL) {
      const auto dropped = read_as<uint32_t>(at);
      counters.add(Counter::KernelDrops, dropped - dropped_);
      dropped_ = dropped;
    } else if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
      notes.interface = read_as<in_pktinfo>(at).ipi_ifindex;
    } else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
      notes.interface = static_cast<int32_t>(read_as<in6_pktinfo>(at).ipi6_ifindex);
      notes.destination = CMSG_DATA(at);  // in6_pktinfo starts with the address
    } else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_HOPLIMIT) {
      notes.hop_limit = read_as<int32_t>(at);
    } else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == kIp6FlowInfo) {
      notes.flow = ntohl(read_as<uint32_t>(at));
    }
  }
  return notes;
}

/// The header as it was, except for extension headers, which the kernel has dealt with.
bool RawReceiver::write_ip6_header(const mmsghdr& message, const Notes& notes, uint8_t* out) const {
  const auto* source = static_cast<const sockaddr_in6*>(message.msg_hdr.msg_name);
  if (notes.destination == nullptr || message.msg_hdr.msg_namelen < sizeof *source) return false;
  store_be32(out, 6u << 28 | (notes.flow & 0x0fffffff));
  store_be16(out + 4, message.msg_len);
  out[6] = static_cast<uint8_t>(protocol_);
  out[7] = static_cast<uint8_t>(notes.hop_limit);
  std::memcpy(out + 8, &source->sin6_addr, 16);
  std::memcpy(out + 24, notes.destination, 16);
  return true;
}

}  // namespace netland
