#pragma once

// A ring of slots of one size, in memory that its owner provides: packets wait in it, in order, for
// one call that moves many (recvmmsg, sendmmsg).

#include <cstddef>
#include <cstdint>

namespace netland {

class PacketRing {
 public:
  /// @param memory `slots` * `slot_size` bytes
  /// @param lengths one place for each slot
  PacketRing(uint8_t* memory, uint32_t* lengths, size_t slot_size, size_t slots) noexcept
      : memory_(memory), lengths_(lengths), slot_size_(slot_size), slots_(slots) {}

  size_t slot_size() const noexcept { return slot_size_; }
  size_t capacity() const noexcept { return slots_; }
  /// Packets that wait.
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  bool full() const noexcept { return size_ == slots_; }

  /// The slot to fill next; null when the ring is full.
  uint8_t* back() noexcept { return full() ? nullptr : memory_ + place(size_) * slot_size_; }
  /// The slot that back() gave holds a packet now.
  /// @param length bytes, at most slot_size
  void push(size_t length) noexcept {
    lengths_[place(size_)] = static_cast<uint32_t>(length);
    ++size_;
  }

  /// The packet that came as number `index` of those that wait; 0 is the oldest.
  uint8_t* packet(size_t index) noexcept { return memory_ + place(index) * slot_size_; }
  size_t length(size_t index) const noexcept { return lengths_[place(index)]; }

  /// Removes the oldest `count` packets (at most size()).
  void pop(size_t count) noexcept {
    head_ = place(count);
    size_ -= count;
  }

 private:
  size_t place(size_t index) const noexcept {
    const size_t at = head_ + index;
    return at >= slots_ ? at - slots_ : at;
  }

  uint8_t* memory_;
  uint32_t* lengths_;
  size_t slot_size_;
  size_t slots_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace netland
