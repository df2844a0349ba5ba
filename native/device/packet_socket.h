#pragma once

// Packet sockets (packet(7)): Ethernet frames of a real interface for a host of our own on it, with
// a virtio_net_hdr before each. The kernel's own traffic there is left alone.

#include <sys/socket.h>

#include <vector>

#include "core/frame.h"
#include "device/fd.h"
#include "device/intake.h"

namespace netland {

struct PacketSocketOptions {
  int interface = 0;
  /// Of the host; none but what is for it, or for many, comes in.
  HardwareAddress own;
  /// Bytes the kernel may hold for us; it doubles them.
  int buffer = 8 << 20;
};

/// Opens a socket on an interface of Ethernet. What has a VLAN tag isn't let in, nor what this
/// socket has sent.
/// @return 0 or -errno: EPERM without CAP_NET_RAW, ENODEV, EPROTOTYPE (not Ethernet)
int open_packet_socket(const PacketSocketOptions& options, Fd& out) noexcept;

/// Opens a socket that only sends: frames for the interface that each is addressed to, with a
/// virtio_net_hdr before it. 0 or -errno.
int open_frame_sender(Fd& out) noexcept;

/// The interface's own hardware address would be the kernel's, too.
/// @return 0 or -errno
int hardware_address_of(int interface, HardwareAddress& out) noexcept;

/// Reads frames in batches of as many as the area has slots.
class PacketReceiver {
 public:
  PacketReceiver(const HardwareAddress& own, size_t slots);

  /// One recvmmsg; the descriptors are in the intake afterwards.
  Received receive(int fd, Intake& intake);

 private:
  struct Control {
    alignas(cmsghdr) uint8_t bytes[64];
  };

  void prepare(const ReceiveArea& area);
  void count_drops(msghdr& message, Counters& counters);

  HardwareAddress own_;
  uint32_t dropped_ = 0;
  std::vector<mmsghdr> messages_;
  std::vector<iovec> vectors_;
  std::vector<VnetHeader> headers_;
  std::vector<Control> controls_;
};

}  // namespace netland
