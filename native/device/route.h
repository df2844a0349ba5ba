#pragma once

// The kernel's routes, as far as a transport layer asks for them.

#include <array>
#include <cstdint>
#include <string>

#include "device/fd.h"

namespace netland {

/// How the kernel would reach an address.
struct Route {
  /// Four words.
  int32_t source[4];
  /// Largest packet, bytes.
  int32_t mtu;
};

/// Asks for routes, with sockets that stay open: a lookup costs a few microseconds.
class RouteFinder {
 public:
  /// @param device interface that everything has to go through; empty: any
  explicit RouteFinder(std::string device) : device_(std::move(device)) {}

  /// The way to `remote`, from `local` (null: any).
  /// @return 0 or what connect(2) would fail with, as -errno: ENETUNREACH, EHOSTUNREACH,
  ///   EADDRNOTAVAIL, …
  int find(const int32_t* remote, const int32_t* local, Route& out) noexcept;

  /// An AddressKind (netlink.h) or -errno.
  int kind_of(const int32_t* address) noexcept;

  void close() noexcept;

 private:
  int find_from(const int32_t* remote, const int32_t* local, Route& out) noexcept;
  int find_group6(const int32_t* group, const int32_t* local, Route& out) noexcept;

  std::string device_;
  /// A datagram socket for each family, connected only during a lookup.
  std::array<Fd, 2> sockets_;
  Fd netlink_;
};

}  // namespace netland
