#pragma once

// Between the four words of an address (descriptor.h: IPv4 is mapped) and the system's structures.

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include "core/bytes.h"

namespace netland {

/// The system calls' AF_INET or AF_INET6 for a descriptor's 4 or 6.
inline int domain_of(int family) noexcept { return family == 4 ? AF_INET : AF_INET6; }

inline bool is_mapped(const int32_t* address) noexcept {
  return address[0] == 0 && address[1] == 0 && address[2] == 0xffff;
}

/// 0.0.0.0 or ::
inline bool is_wildcard(const int32_t* address) noexcept {
  return address[0] == 0 && address[1] == 0 && (address[2] == 0 || address[2] == 0xffff) &&
         address[3] == 0;
}

/// Whether it is a multicast group, of either family.
inline bool is_group(const int32_t* address) noexcept {
  const auto first = static_cast<uint32_t>(is_mapped(address) ? address[3] : address[0]);
  return is_mapped(address) ? first >> 28 == 0xe : first >> 24 == 0xff;
}

/// The family of an address in words: ::ffff:0:0/96 is 4.
inline int family_of(const int32_t* address) noexcept { return is_mapped(address) ? 4 : 6; }

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  /// @param port host order
  /// @param scope interface index of a link-local address or group, else 0
  void set(const int32_t* address, uint16_t port, int32_t scope = 0) noexcept {
    storage = {};
    if (family_of(address) == 4) {
      auto* in = reinterpret_cast<sockaddr_in*>(&storage);
      in->sin_family = AF_INET;
      in->sin_port = htons(port);
      in->sin_addr.s_addr = htonl(static_cast<uint32_t>(address[3]));
      length = sizeof *in;
    } else {
      auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
      in->sin6_family = AF_INET6;
      in->sin6_port = htons(port);
      for (int i = 0; i < 4; i++) {
        store_be32(in->sin6_addr.s6_addr + 4 * i, static_cast<uint32_t>(address[i]));
      }
      if (IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&in->sin6_addr)) {
        in->sin6_scope_id = static_cast<uint32_t>(scope);
      }
      length = sizeof *in;
    }
  }

  /// Of a packet socket's frame, which has all but the interface in itself.
  /// @param family 4 or 6, of the packet in it
  void set_interface(int32_t interface, int family) noexcept {
    storage = {};
    auto* link = reinterpret_cast<sockaddr_ll*>(&storage);
    link->sll_family = AF_PACKET;
    link->sll_protocol = htons(family == 4 ? ETH_P_IP : ETH_P_IPV6);
    link->sll_ifindex = interface;
    length = sizeof *link;
  }

  /// Writes the address into four words.
  void get(int32_t* address) const noexcept {
    if (storage.ss_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(&storage);
      address[0] = address[1] = 0;
      address[2] = 0xffff;
      address[3] = static_cast<int32_t>(ntohl(in->sin_addr.s_addr));
    } else {
      const auto* in = reinterpret_cast<const sockaddr_in6*>(&storage);
      for (int i = 0; i < 4; i++) {
        address[i] = static_cast<int32_t>(load_be32(in->sin6_addr.s6_addr + 4 * i));
      }
    }
  }

  uint16_t port() const noexcept {
    return ntohs(storage.ss_family == AF_INET
                     ? reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
                     : reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  }

  sockaddr* raw() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// setsockopt of an int: 0 or -errno.
int set_option(int fd, int level, int name, int value) noexcept;

/// SO_BINDTODEVICE; nothing for an empty name. 0 or -errno.
int bind_to_device(int fd, const char* device) noexcept;

}  // namespace netland
