#pragma once

// What a device counts, in packets. The numbers live in a Float64Array of JavaScript's, so that
// reading them crosses no border.

#include <cstddef>
#include <cstdint>

#include "core/parse.h"

namespace netland {

/// Counters of a device that don't come from a ParseResult.
#define NETLAND_DEVICE_COUNTERS(X)                                                                 \
  X(Received, "received")               /* handed to the stack */                                  \
  X(KernelDrops, "kernelDrops")         /* socket buffer was full */                               \
  X(Oversized, "oversized")             /* longer than any IP packet can be */                     \
  X(Foreign, "foreign")                 /* to an address and port that isn't ours */               \
  X(OtherProtocol, "otherProtocol")     /* a frame that is neither IP nor ARP */                   \
  X(BadChecksum, "badChecksum")         /* wrong; handed to the stack as Bad */                    \
  X(PartialChecksum, "partialChecksum") /* taken for right, see Partial */                         \
  X(PartialRefused, "partialRefused")   /* became Bad: interface not allowed */                    \
  X(ReceiveErrors, "receiveErrors")                                                                \
  X(Sent, "sent")                                                                                  \
  X(Queued, "queued")           /* had to wait in our queue before being sent */                   \
  X(QueueFull, "queueFull")     /* dropped: our queue was full */                                  \
  X(Unbuildable, "unbuildable") /* a descriptor that makes no packet */                            \
  X(SendEMSGSIZE, "sendEMSGSIZE")                                                                  \
  X(SendEHOSTUNREACH, "sendEHOSTUNREACH")                                                          \
  X(SendENETUNREACH, "sendENETUNREACH")                                                            \
  X(SendENETDOWN, "sendENETDOWN")                                                                  \
  X(SendEPERM, "sendEPERM")                                                                        \
  X(SendErrors, "sendErrors") /* any other errno */                                                \
  X(ViaPacketSocket,                                                                               \
    "viaPacketSocket")                /* of a raw link that may: packets, super-segments as one */ \
  X(SuperSegments, "superSegments")   /* of these, those that stand for many */                    \
  X(ViaRawSocket, "viaRawSocket")     /* there, what the kernel had to find a way for */           \
  X(FilterAttached, "filterAttached") /* socket filters set (not packets) */

enum class Counter : size_t {
#define NETLAND_ENUMERATOR(name, text) name,
  NETLAND_DEVICE_COUNTERS(NETLAND_ENUMERATOR)
#undef NETLAND_ENUMERATOR
};

inline constexpr const char* kDeviceCounterNames[] = {
#define NETLAND_NAME(name, text) text,
    NETLAND_DEVICE_COUNTERS(NETLAND_NAME)
#undef NETLAND_NAME
};
inline constexpr size_t kDeviceCounters =
    sizeof(kDeviceCounterNames) / sizeof(kDeviceCounterNames[0]);

/// Places in the array: the device's, then one for each ParseResult.
inline constexpr size_t kCounters = kDeviceCounters + kParseResults;

class Counters {
 public:
  /// @param values kCounters of them
  explicit Counters(double* values) noexcept : values_(values) {}

  void add(Counter counter, uint32_t n = 1) noexcept { values_[static_cast<size_t>(counter)] += n; }
  void add(ParseResult result) noexcept {
    values_[kDeviceCounters + static_cast<size_t>(result)] += 1;
  }

 private:
  double* values_;
};

}  // namespace netland
