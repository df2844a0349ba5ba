#pragma once

// Classic BPF programs for sockets: one that drops everything, and one that admits our ports.

#include <linux/filter.h>

#include <vector>

#include "core/frame.h"
#include "device/port_set.h"

namespace netland {

using Program = std::vector<sock_filter>;

/// A program that lets nothing pass.
Program drop_all();

/// A program for a raw socket of `family` that admits TCP to `ranges` (of PortSet): a binary search
/// by port, then the address where a range has one. Where that would be longer than the kernel
/// takes it admits more than the ranges, never less.
Program admit_ports(int family, const std::vector<PortRange>& ranges);

/// The same for UDP. What the system loops back of datagrams to many isn't admitted where one of our
/// own ports has sent it: who sent it has delivered it to ours. Deviation: the kernel's own sockets on
/// this host hear it even where IP_MULTICAST_LOOP of ours is off.
Program admit_datagrams(int family, const std::vector<PortRange>& ranges);

/// The same for a socket of the family's ICMP: errors that quote TCP or UDP from these ranges. In
/// IPv6 what is quoted with extension headers is admitted.
Program admit_quotes(int family, const std::vector<PortRange>& tcp,
                     const std::vector<PortRange>& udp);

/// A program for a packet socket: Ethernet frames of IPv4, IPv6 and ARP, without a VLAN tag, for this
/// hardware address or for many.
Program admit_frames(const HardwareAddress& own);

/// Puts the program in the place of the one before; 0 or -errno.
int attach_filter(int fd, const Program& program) noexcept;

}  // namespace netland
