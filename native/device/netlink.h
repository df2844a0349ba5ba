#pragma once

// rtnetlink(7): what is set on an interface, what kind of address something is, and what changes.

#include <cstdint>

#include "core/frame.h"
#include "device/fd.h"

namespace netland {

/// Gives an interface an address (four words, descriptor.h), usable at once (no duplicate address
/// detection). An address that it has already is fine. 0 or -errno.
int add_address(int32_t interface, const int32_t* address, int prefix_length) noexcept;

/// Routes a network (four words and a length; what is behind it is ignored) through an interface. A
/// route that goes there already is fine.
/// @return 0 or -errno: EEXIST where there is one through another interface
int add_route(int32_t interface, const int32_t* network, int prefix_length) noexcept;

/// Sets an interface up.
/// @param mtu bytes; 0: as it is
/// @return 0 or -errno
int set_up_interface(int32_t interface, int mtu) noexcept;

/// MTU of an interface, bytes, or -errno.
int interface_mtu(const char* name) noexcept;

/// Whether an interface is up: 1, 0 or -errno.
int interface_is_up(const char* name) noexcept;

/// Opens a socket for questions. 0 or -errno.
int open_netlink(Fd& out) noexcept;

/// To whom packets to an address go.
enum class AddressKind : int32_t {
  Foreign = 0,
  /// To this host (RTN_LOCAL).
  Local = 1,
  /// To all hosts of a network that this one is in (RTN_BROADCAST).
  Broadcast = 2,
};

/// An AddressKind or -errno.
/// @param fd of open_netlink
int address_kind(int fd, const int32_t* address) noexcept;

/// A way to one host, not to this one nor to many.
struct UnicastRoute {
  int32_t interface = 0;
  /// Four words: the gateway, or the destination itself.
  int32_t next_hop[4] = {};
};

/// The kernel's way from one address to another.
/// @param interface that it has to go through; 0: any
/// @return 0 or -errno: ENETUNREACH, …; EOPNOTSUPP where it is no way of plain IP to a neighbour
int unicast_route(int fd, const int32_t* remote, const int32_t* local, int32_t interface,
                  UnicastRoute& out) noexcept;

/// What the kernel's neighbour table says of a next hop.
/// @param stale whether it has to be confirmed before long (NUD_STALE)
/// @return 0 or -errno: ENOENT, EHOSTUNREACH where it has no hardware address (yet)
int find_neighbor(int fd, const UnicastRoute& route, HardwareAddress& out, bool& stale) noexcept;

/// Opens a socket that tells of links, addresses and routes that change. 0 or -errno.
/// @param neighbors whether of neighbours, too
int open_monitor(Fd& out, bool neighbors = false) noexcept;

/// Takes what the monitor has told; true when anything may have changed.
bool read_monitor(int fd) noexcept;

}  // namespace netland
