#pragma once

// From descriptors to packets on a descriptor of the system's: headers built into an arena, payload
// straight from the slabs. What can't leave now waits in a ring, copied.

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/build.h"
#include "core/fragment.h"
#include "core/frame.h"
#include "core/packet_ring.h"
#include "device/counters.h"
#include "device/socket_address.h"
#include "device/vnet_header.h"

namespace netland {

/// Sends packets in order, as sendmmsg does: how many went out, or -1 and errno of the first.
using SendMany = int (*)(int fd, mmsghdr* messages, unsigned count);

/// sendmmsg itself, for sockets.
int send_many_to_socket(int fd, mmsghdr* messages, unsigned count) noexcept;

enum class SendState {
  /// Everything has left or was dropped and counted.
  Clear,
  /// Something waits; call flush when the descriptor is writable.
  Blocked,
  /// The device doesn't exist any more.
  Gone,
};

/// What goes before each packet.
enum class Front {
  Nothing,
  /// A virtio_net_hdr that says nothing.
  EmptyHeader,
  /// One that leaves the checksum to the device, and cutting what stands for many.
  Offload,
};

/// Packets that wait in the ring at most.
inline constexpr size_t kQueueSlots = 512;

/// Room for what says through which interface a packet to many leaves.
struct SendControl {
  alignas(cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(in6_pktinfo))];
};

class Sender {
 public:
  /// @param named whether packets go with a destination address (raw sockets)
  /// @param own of a link with hardware addresses: each packet goes in a frame, from this one
  Sender(SendMany send_many, bool named, Counters counters, Front front = Front::Nothing,
         std::optional<HardwareAddress> own = std::nullopt) noexcept;
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// Builds the packet of a descriptor, or its fragments; it leaves with the next `commit`, or when
  /// there are many.
  void add(int fd, const int32_t* words, const int32_t* slices, const SlabTable& slabs) noexcept;

  /// Of a packet socket for every interface: what is added next leaves through this one, from
  /// this address of its.
  void leave_by(int32_t interface, const HardwareAddress& own) noexcept {
    through_ = interface;
    own_ = own;
  }

  /// Sends what was added.
  SendState commit(int fd) noexcept;

  /// Sends what has waited.
  SendState flush(int fd) noexcept;

  SendState state() const noexcept;

 private:
  static constexpr size_t kRun = 64;
  static constexpr size_t kVectors = 1 + kMaxSlices;

  /// Sends messages [from, count_ of the run); returns how many are dealt with.
  size_t send(int fd, mmsghdr* messages, size_t count, bool waited) noexcept;
  uint8_t* next_headers() noexcept;
  void direct(msghdr& message, const int32_t* words) noexcept;
  int32_t interface_of_source(const int32_t* source) noexcept;
  void add_arp(int fd, const int32_t* words) noexcept;
  void add_fragments(int fd, const int32_t* words, const Payload& payload) noexcept;
  void add_message(int fd, const int32_t* words, size_t length, const Payload& payload,
                   const VnetHeader& offload) noexcept;
  void count_error(int error) noexcept;
  void send_run(int fd) noexcept;
  bool ready_queue() noexcept;
  void queue_message(const mmsghdr& message) noexcept;

  SendMany send_many_;
  bool named_;
  Front front_;
  std::optional<HardwareAddress> own_;
  /// Bytes of the frame's header.
  size_t frame_;
  /// Interface of what is added; 0: the descriptor is bound to one, or knows by itself.
  int32_t through_ = 0;
  bool gone_ = false;
  Counters counters_;

  size_t run_ = 0;
  std::array<mmsghdr, kRun> messages_{};
  std::array<std::array<iovec, kVectors>, kRun> vectors_{};
  std::array<SocketAddress, kRun> names_{};
  std::array<std::array<uint8_t, kVnetHeader + kMaxFrameHeader>, kRun> headers_{};
  std::array<SendControl, kRun> controls_{};

  /// The interface that was asked for last, of an address, within this batch; 0: none was.
  int32_t source_[4] = {};
  int32_t interface_ = 0;

  void* memory_ = nullptr;
  std::vector<uint32_t> lengths_;
  std::unique_ptr<PacketRing> queue_;
};

}  // namespace netland
