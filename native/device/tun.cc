#include "device/tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace netland {
namespace {

static_assert(kInterfaceName == IFNAMSIZ);

// What the kernel may leave to us, as much of it as it knows; older headers lack the last two.
constexpr unsigned kSegments = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
constexpr unsigned kDatagrams = 0x20 | 0x40;  // TUN_F_USO4 and TUN_F_USO6: both or none
constexpr unsigned kOffloads[] = {kSegments | kDatagrams, kSegments, TUN_F_CSUM};

/// Packets start at multiples of this.
constexpr size_t kAlignment = 64;

// Whoever had the device before may have chosen otherwise.
bool set_header(int fd) noexcept {
  int size = kVnetHeader;
  int native = 0;
  if (ioctl(fd, TUNSETVNETHDRSZ, &size) != 0) return false;
  // Unknown where the host's byte order is the only one.
  ioctl(fd, TUNSETVNETLE, &native);
  ioctl(fd, TUNSETVNETBE, &native);
  return true;
}

bool set_offload(int fd) noexcept {
  for (const unsigned offload : kOffloads) {
    if (ioctl(fd, TUNSETOFFLOAD, offload) == 0) return true;
  }
  return false;
}

// `flags`: those that the device was attached with.
int choose_offload(int flags, Tun& tun) noexcept {
  const int fd = tun.fd.get();
  tun.header = (flags & IFF_VNET_HDR) != 0;
  if (tun.header && !set_header(fd)) return -errno;
  tun.offload = tun.offload && tun.header && set_offload(fd);
  if (!tun.offload) ioctl(fd, TUNSETOFFLOAD, 0);
  return 0;
}

// Whether it was attached without IFF_NO_PI. TUNGETIFF doesn't tell, since that bit is IFF_NOFILTER
// there. Four zero bytes are an empty packet behind its struct tun_pi, or else one of no IP version,
// which the kernel refuses. Of a device that is down nothing is known.
bool has_packet_information(const Tun& tun) noexcept {
  const uint8_t probe[kVnetHeader + 4] = {};
  return write(tun.fd.get(), probe, tun.header ? sizeof probe : 4) >= 0;
}

// EBADFD, EIO, EFAULT: the device was deleted. EBADF: somebody has closed the descriptor.
bool is_gone(int error) noexcept {
  return error == EBADFD || error == EIO || error == EFAULT || error == EBADF;
}

int attach(int fd, int flags, char (&name)[kInterfaceName]) noexcept {
  ifreq request{};
  request.ifr_flags = static_cast<short>(flags);
  std::memcpy(request.ifr_name, name, kInterfaceName - 1);
  if (ioctl(fd, TUNSETIFF, &request) != 0) return -errno;
  std::memcpy(name, request.ifr_name, kInterfaceName);
  return 0;
}

}  // namespace

int open_tun(Tun& tun) noexcept {
  Fd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return -errno;
  unsigned known = 0;
  int flags = IFF_TUN | IFF_NO_PI;
  if (tun.offload && ioctl(fd.get(), TUNGETFEATURES, &known) == 0 && (known & IFF_VNET_HDR) != 0) {
    flags |= IFF_VNET_HDR;
  }
  int failed = attach(fd.get(), flags, tun.name);
  // A device that was made for several queues is attached to as such only.
  if (failed == -EINVAL) failed = attach(fd.get(), flags | IFF_MULTI_QUEUE, tun.name);
  if (failed != 0) return failed;
  tun.fd = std::move(fd);
  return choose_offload(flags, tun);
}

int adopt_tun(int fd, Tun& tun) noexcept {
  ifreq request{};
  if (ioctl(fd, TUNGETIFF, &request) != 0) return errno == EBADF ? -EBADF : -EINVAL;
  const int flags = static_cast<unsigned short>(request.ifr_flags);
  if ((flags & IFF_TUN) == 0) return -EPROTOTYPE;
  const int status = fcntl(fd, F_GETFL);
  int failed = status < 0 ? -errno : fcntl(fd, F_SETFL, status | O_NONBLOCK);
  if (failed == 0) failed = fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (failed != 0) return -errno;
  std::memcpy(tun.name, request.ifr_name, kInterfaceName);
  tun.fd = Fd(fd);
  failed = choose_offload(flags, tun);
  if (failed == 0 && has_packet_information(tun)) failed = -EPROTO;
  if (failed != 0) tun.fd.release();
  return failed;
}

Received read_tun(int fd, bool header, Intake& intake) noexcept {
  const ReceiveArea& area = intake.area();
  intake.begin();
  uint8_t bytes[kVnetHeader];
  const size_t before = header ? kVnetHeader : 0;
  size_t packets = 0;
  size_t at = 0;
  while (packets < area.slots && area.size - at >= kSlotRoom) {
    iovec parts[] = {{bytes, before}, {area.slab + at, kSlotRoom}};
    const ssize_t read = readv(fd, parts, 2);
    if (read >= 0) {
      const size_t length = static_cast<size_t>(read) - std::min(static_cast<size_t>(read), before);
      const VnetHeader said = header ? load_vnet_header(bytes) : VnetHeader{};
      intake.add_at(at, length, 0, header ? &said : nullptr);
      packets++;
      at += (length + kAlignment - 1) / kAlignment * kAlignment;
      if (at > area.size) break;
    } else if (errno == EAGAIN) {
      return {packets, 0};
    } else if (errno != EINTR) {
      return {packets, is_gone(errno) ? ENETDOWN : errno};
    }
  }
  return {packets, 0, true};
}

int write_tun(int fd, mmsghdr* messages, unsigned count) noexcept {
  for (unsigned i = 0; i < count; i++) {
    const msghdr& header = messages[i].msg_hdr;
    if (writev(fd, header.msg_iov, static_cast<int>(header.msg_iovlen)) < 0) {
      return i > 0 ? static_cast<int>(i) : -1;
    }
  }
  return static_cast<int>(count);
}

}  // namespace netland
