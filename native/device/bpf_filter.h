#pragma once

// Classic BPF programs for sockets: one that drops everything, and one that admits our ports.

#include <linux/filter.h>

#include <vector>

#include "device/port_set.h"

namespace netland {

using Program = std::vector<sock_filter>;

/// A program that lets nothing pass.
Program drop_all();

/// A program for a raw socket of `family` that admits TCP to `ranges` (of PortSet): a binary search
/// by port, then the address where a range has one. Where that would be longer than the kernel
/// takes it admits more than the ranges, never less.
Program admit_ports(int family, const std::vector<PortRange>& ranges);

/// The same for a socket of the family's ICMP: errors that quote TCP from `ranges`. In IPv6 what
/// is quoted with extension headers is admitted.
Program admit_quotes(int family, const std::vector<PortRange>& ranges);

/// Puts the program in the place of the one before; 0 or -errno.
int attach_filter(int fd, const Program& program) noexcept;

}  // namespace netland
