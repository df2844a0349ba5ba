#pragma once

// From packets in a slab's slots to descriptors: what every device does with what it has received.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/flow_hash.h"
#include "core/frame.h"
#include "device/counters.h"
#include "device/port_set.h"
#include "device/vnet_header.h"

namespace netland {

/// Room for the longest packet: 40 bytes of IPv6 header and 65,535 of payload.
inline constexpr size_t kSlotRoom = 40 + 65535;

/// Where a device receives into. All memory is JavaScript's.
struct ReceiveArea {
  uint8_t* slab = nullptr;
  /// Bytes of the slab.
  size_t size = 0;
  int32_t slab_index = 0;
  /// Bytes from one slot to the next, at least kSlotRoom; of a device that puts packets one behind
  /// the other, nothing.
  size_t slot_size = 0;
  /// Packets in a batch at most.
  size_t slots = 0;
  /// Room for `slots` descriptors.
  int32_t* words = nullptr;
  HashKey key;

  size_t offset(size_t slot) const noexcept { return slot * slot_size; }
};

/// From which interfaces a checksum field that holds only the pseudo-header's sum is taken for
/// right. That is what a peer on the same host leaves there, and a NIC with GRO.
class PartialChecksums {
 public:
  struct Seen {
    int32_t interface;
    double packets;
  };

  void allow_all() noexcept { all_ = true; }
  /// From now on only interfaces that were given are allowed.
  void allow_none() noexcept {
    all_ = false;
    allowed_.clear();
  }
  void allow(int32_t interface) { allowed_.push_back(interface); }

  /// Whether it is taken; if so, it is counted.
  bool take(int32_t interface);

  const std::vector<Seen>& seen() const noexcept { return seen_; }

 private:
  bool all_ = true;
  std::vector<int32_t> allowed_;
  std::vector<Seen> seen_;
};

class Intake {
 public:
  /// @param ports null where everything is ours; else only TCP and UDP to these ports, and ICMP
  ///   errors that quote these from them
  /// @param partial null where no partial checksum can be right
  Intake(const ReceiveArea& area, Counters counters, const OurPorts* ports,
         PartialChecksums* partial) noexcept
      : area_(area), counters_(counters), ports_(ports), partial_(partial) {}

  const ReceiveArea& area() const noexcept { return area_; }
  Counters& counters() noexcept { return counters_; }

  /// Starts a batch.
  void begin() noexcept { count_ = 0; }

  /// One packet, IP header first, in the slot; becomes the batch's next descriptor or a count.
  void add(size_t slot, size_t length, int32_t interface) {
    add_at(area_.offset(slot), length, interface, nullptr);
  }

  /// The same anywhere in the slab.
  /// @param header what the device says of it; null: nothing
  void add_at(size_t offset, size_t length, int32_t interface, const VnetHeader* header);

  /// One Ethernet frame in the slot, for this hardware address or for many.
  void add_frame(size_t slot, size_t length, const HardwareAddress& own, const VnetHeader& header);

  /// Descriptors in the batch.
  size_t count() const noexcept { return count_; }

 private:
  void take(ParseResult result, int32_t interface, bool offloaded);
  bool is_ours(const int32_t* words) const noexcept;
  void judge_checksum(int32_t* words, bool offloaded);

  ReceiveArea area_;
  Counters counters_;
  const OurPorts* ports_;
  PartialChecksums* partial_;
  size_t count_ = 0;
};

/// What one call to receive came to.
struct Received {
  /// Packets taken from the kernel.
  size_t packets = 0;
  /// 0, or the errno that ended it; EAGAIN is none.
  int error = 0;
  /// The area has no more room: there may be more.
  bool full = false;
};

}  // namespace netland
