#pragma once

// TUN devices: IP packets through a descriptor, no link layer, no offload.

#include <sys/socket.h>

#include "device/fd.h"
#include "device/intake.h"

namespace netland {

/// Longest interface name, with its terminating zero.
inline constexpr size_t kInterfaceName = 16;

/// Makes a TUN device, or attaches to the one of that name; it goes away with the descriptor unless
/// someone has made it persistent.
/// @param name wanted name, maybe with %d for the first free number; afterwards the real one
/// @return 0 or -errno: ENOENT (no TUN driver), EPERM, EBUSY (in use), EINVAL (not a TUN device)
int open_tun(char (&name)[kInterfaceName], Fd& out) noexcept;

/// Reads packets until the area is full or none is left. ENETDOWN: the device is gone.
Received read_tun(int fd, Intake& intake) noexcept;

/// A Sender's SendMany: one write for each packet.
int write_tun(int fd, mmsghdr* messages, unsigned count) noexcept;

}  // namespace netland
