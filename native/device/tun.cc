#include "device/tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace netland {

static_assert(kInterfaceName == IFNAMSIZ);

int open_tun(char (&name)[kInterfaceName], Fd& out) noexcept {
  Fd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return -errno;
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::memcpy(request.ifr_name, name, kInterfaceName - 1);
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) return -errno;
  std::memcpy(name, request.ifr_name, kInterfaceName);
  out = std::move(fd);
  return 0;
}

Received read_tun(int fd, Intake& intake) noexcept {
  const ReceiveArea& area = intake.area();
  intake.begin();
  size_t packets = 0;
  while (packets < area.slots) {
    const ssize_t length = read(fd, area.slab + area.offset(packets), kSlotRoom);
    if (length >= 0) {
      intake.add(packets, static_cast<size_t>(length), 0);
      packets++;
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      // EBADFD, EIO: the device was deleted.
      return {packets, errno == EBADFD || errno == EIO ? ENETDOWN : errno};
    }
  }
  return {packets, 0};
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
