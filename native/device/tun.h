#pragma once

// TUN devices: IP packets through a descriptor, no link layer; with offload a virtio_net_hdr before
// each of them, so that one can be of 64 KiB and stand for many.

#include <sys/socket.h>

#include "device/fd.h"
#include "device/intake.h"

namespace netland {

/// Longest interface name, with its terminating zero.
inline constexpr size_t kInterfaceName = 16;

struct Tun {
  /// Before it is opened the wanted name, maybe with %d for the first free number.
  char name[kInterfaceName] = {};
  /// Before: whether it is wanted; afterwards whether it is there.
  bool offload = true;
  /// Afterwards: whether a virtio_net_hdr is before each packet. Without offload it says nothing.
  bool header = false;
  Fd fd;
};

/// Makes a TUN device, or attaches to the one of that name; it goes away with the descriptor unless
/// someone has made it persistent.
/// @return 0 or -errno: ENOENT (no TUN driver), EPERM, EBUSY (in use), EINVAL (not a TUN device)
int open_tun(Tun& tun) noexcept;

/// Takes a descriptor that somebody else has attached to a TUN device, and makes it non-blocking.
/// Its offload can only be used if it was attached with IFF_VNET_HDR.
/// @return 0 or -errno, and then the descriptor is the caller's as before: EBADF, EINVAL (not
///   attached to a TUN device), EPROTOTYPE (a TAP device, which carries Ethernet frames),
///   EPROTO (attached without IFF_NO_PI)
int adopt_tun(int fd, Tun& tun) noexcept;

/// Reads packets, one behind the other, until the area is full or none is left. ENETDOWN: the device
/// is gone.
/// @param header whether a virtio_net_hdr is before each
Received read_tun(int fd, bool header, Intake& intake) noexcept;

/// A Sender's SendMany: one write for each packet.
int write_tun(int fd, mmsghdr* messages, unsigned count) noexcept;

}  // namespace netland
