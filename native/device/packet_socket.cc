#include "device/packet_socket.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "core/bytes.h"
#include "device/bpf_filter.h"
#include "device/socket_address.h"

namespace netland {

namespace {

constexpr size_t kAddressLength = 6;

int join(int fd, int interface, int type, const HardwareAddress& address) noexcept {
  packet_mreq request{};
  request.mr_ifindex = interface;
  request.mr_type = static_cast<unsigned short>(type);
  request.mr_alen = kAddressLength;
  store_be16(request.mr_address, address.high);
  store_be32(request.mr_address + 2, address.low);
  const int failed = setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request);
  return failed == 0 ? 0 : -errno;
}

int configure(int fd, const PacketSocketOptions& options) noexcept {
  int failed = set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
  if (failed == 0) failed = set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  if (failed == 0) failed = set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  for (const auto& [forced, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    // Without CAP_NET_ADMIN the kernel's limit holds.
    if (set_option(fd, SOL_SOCKET, forced, options.buffer) != 0) {
      set_option(fd, SOL_SOCKET, plain, options.buffer);
    }
  }
  // A device that can't filter by address goes over to letting everything in, by itself.
  if (failed == 0) failed = join(fd, options.interface, PACKET_MR_UNICAST, options.own);
  if (failed == 0) failed = join(fd, options.interface, PACKET_MR_ALLMULTI, {});
  return failed;
}

}  // namespace

int hardware_address_of(int interface, HardwareAddress& out) noexcept {
  ifreq request{};
  if (if_indextoname(static_cast<unsigned>(interface), request.ifr_name) == nullptr) return -errno;
  const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0) return -errno;
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) return -EPROTOTYPE;
  uint8_t bytes[kAddressLength];
  std::memcpy(bytes, request.ifr_hwaddr.sa_data, sizeof bytes);
  out = {load_be16(bytes), load_be32(bytes + 2)};
  return 0;
}

int open_packet_socket(const PacketSocketOptions& options, Fd& out) noexcept {
  // Without a protocol nothing comes in before it is bound.
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  int failed = attach_filter(fd.get(), admit_frames(options.own));
  if (failed == 0) failed = configure(fd.get(), options);
  if (failed != 0) return failed;
  sockaddr_ll name{};
  name.sll_family = AF_PACKET;
  name.sll_protocol = htons(ETH_P_ALL);
  name.sll_ifindex = options.interface;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return -errno;
  out = std::move(fd);
  return 0;
}

int open_frame_sender(Fd& out) noexcept {
  // Without a protocol nothing comes in.
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return -errno;
  const int failed = set_option(fd.get(), SOL_PACKET, PACKET_VNET_HDR, 1);
  if (failed != 0) return failed;
  const int buffer = PacketSocketOptions{}.buffer;
  if (set_option(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, buffer) != 0) {
    set_option(fd.get(), SOL_SOCKET, SO_SNDBUF, buffer);
  }
  out = std::move(fd);
  return 0;
}

PacketReceiver::PacketReceiver(const HardwareAddress& own, size_t slots)
    : own_(own), messages_(slots), vectors_(2 * slots), headers_(slots), controls_(slots) {}

void PacketReceiver::prepare(const ReceiveArea& area) {
  for (size_t i = 0; i < messages_.size(); i++) {
    vectors_[2 * i] = {&headers_[i], kVnetHeader};
    vectors_[2 * i + 1] = {area.slab + area.offset(i), kEthernetHeader + kSlotRoom};
    msghdr& header = messages_[i].msg_hdr;
    header.msg_iov = &vectors_[2 * i];
    header.msg_iovlen = 2;
    header.msg_control = controls_[i].bytes;
    header.msg_controllen = sizeof controls_[i].bytes;
    header.msg_flags = 0;
  }
}

Received PacketReceiver::receive(int fd, Intake& intake) {
  prepare(intake.area());
  intake.begin();
  const auto room = static_cast<unsigned>(messages_.size());
  int frames = recvmmsg(fd, messages_.data(), room, MSG_DONTWAIT, nullptr);
  while (frames < 0 && errno == EINTR) {
    frames = recvmmsg(fd, messages_.data(), room, MSG_DONTWAIT, nullptr);
  }
  if (frames < 0) return {0, errno == EAGAIN ? 0 : errno};
  const auto count = static_cast<size_t>(frames);
  for (size_t i = 0; i < count; i++) {
    msghdr& header = messages_[i].msg_hdr;
    count_drops(header, intake.counters());
    const size_t length = messages_[i].msg_len;
    if ((header.msg_flags & MSG_TRUNC) != 0) {
      intake.counters().add(Counter::Oversized);
    } else if (length > kVnetHeader) {
      intake.add_frame(i, length - kVnetHeader, own_, headers_[i]);
    }
  }
  return {count, 0, count == room};
}

void PacketReceiver::count_drops(msghdr& message, Counters& counters) {
  for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
    if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SO_RXQ_OVFL) continue;
    uint32_t dropped;
    std::memcpy(&dropped, CMSG_DATA(at), sizeof dropped);
    counters.add(Counter::KernelDrops, dropped - dropped_);
    dropped_ = dropped;
  }
}

}  // namespace netland
