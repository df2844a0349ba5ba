#include "device/bpf_filter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace netland {

namespace {

/// Ports that lead to the same verdict; no addresses: every address.
struct Leaf {
  uint16_t first;
  uint16_t last;
  std::vector<std::array<int32_t, 4>> addresses;
};

constexpr uint32_t kAccept = 0xffffffff;

/// What a port in a range leads to, and any other.
struct Verdicts {
  uint32_t hit;
  uint32_t miss;
};

constexpr Verdicts kAdmit{kAccept, 0};

/// Bytes in front of what an ICMP error quotes.
constexpr uint32_t kIcmpHeader = 8;

/// Where a conditional jump can still reach (its offsets have 8 bits).
constexpr size_t kShortJump = 255;

sock_filter statement(uint32_t code, uint32_t k) {
  return BPF_STMT(static_cast<uint16_t>(code), k);
}

sock_filter jump(uint32_t code, uint32_t k, uint8_t if_true, uint8_t if_false) {
  return BPF_JUMP(static_cast<uint16_t>(code), k, if_true, if_false);
}

void append(Program& program, const Program& more) {
  program.insert(program.end(), more.begin(), more.end());
}

/// Compares the destination address, ends in a verdict.
Program address_test(int family, const Leaf& leaf) {
  const bool v4 = family == 4;
  // A raw IPv4 socket's data starts with the IP header; IPv6's with TCP's.
  const uint32_t destination = v4 ? 16 : static_cast<uint32_t>(SKF_NET_OFF) + 24;
  Program program;
  for (const auto& address : leaf.addresses) {
    const int from = v4 ? 3 : 0;
    for (int i = from; i < 4; i++) {
      const auto word = static_cast<uint32_t>(i - from);
      const auto remaining = static_cast<uint8_t>(2 * (3 - i) + 1);
      program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, destination + 4 * word));
      program.push_back(
          jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(address[i]), 0, remaining));
    }
    program.push_back(statement(BPF_RET | BPF_K, kAccept));
  }
  program.push_back(statement(BPF_RET | BPF_K, 0));
  return program;
}

/// The verdict on a port in A that may still be outside of the leaf.
Program leaf_test(int family, const Leaf& leaf, Verdicts verdicts) {
  Program program;
  if (leaf.first == leaf.last) {
    program.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, leaf.first, 1, 0));
  } else {
    program.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, leaf.first, 0, 1));
    program.push_back(jump(BPF_JMP | BPF_JGT | BPF_K, leaf.last, 0, 1));
  }
  program.push_back(statement(BPF_RET | BPF_K, verdicts.miss));
  if (leaf.addresses.empty()) {
    program.push_back(statement(BPF_RET | BPF_K, verdicts.hit));
  } else {
    append(program, address_test(family, leaf));
  }
  return program;
}

/// A binary search over leaves [from, to).
Program search(int family, const std::vector<Leaf>& leaves, size_t from, size_t to,
               Verdicts verdicts) {
  if (to - from == 1) return leaf_test(family, leaves[from], verdicts);
  const size_t middle = from + (to - from) / 2;
  const Program lower = search(family, leaves, from, middle, verdicts);
  const Program upper = search(family, leaves, middle, to, verdicts);
  const uint32_t pivot = leaves[middle].first;
  Program program;
  if (lower.size() <= kShortJump) {
    program.push_back(
        jump(BPF_JMP | BPF_JGE | BPF_K, pivot, static_cast<uint8_t>(lower.size()), 0));
  } else {
    program.push_back(jump(BPF_JMP | BPF_JGE | BPF_K, pivot, 0, 1));
    program.push_back(statement(BPF_JMP | BPF_JA, static_cast<uint32_t>(lower.size())));
  }
  append(program, lower);
  append(program, upper);
  return program;
}

/// Loads a segment's or a datagram's port: the source's at 0, the destination's at 2.
Program load_port(int family, uint32_t at) {
  if (family == 6) return {statement(BPF_LD | BPF_H | BPF_ABS, at)};
  return {statement(BPF_LDX | BPF_B | BPF_MSH, 0), statement(BPF_LD | BPF_H | BPF_IND, at)};
}

/// Loads the protocol of the packet that an ICMP error quotes; what lies outside of the packet ends
/// the program with 0.
Program load_quoted_protocol(int family) {
  if (family == 6) return {statement(BPF_LD | BPF_B | BPF_ABS, kIcmpHeader + 6)};
  return {statement(BPF_LDX | BPF_B | BPF_MSH, 0),
          statement(BPF_LD | BPF_B | BPF_IND, kIcmpHeader + 9)};
}

/// Behind that: loads the source port of what is quoted.
Program load_quoted_port(int family) {
  if (family == 6) return {statement(BPF_LD | BPF_H | BPF_ABS, kIcmpHeader + 40)};
  return {
      statement(BPF_LD | BPF_B | BPF_IND, kIcmpHeader),
      statement(BPF_ALU | BPF_AND | BPF_K, 0x0f),
      statement(BPF_ALU | BPF_LSH | BPF_K, 2),
      statement(BPF_ALU | BPF_ADD | BPF_X, 0),
      statement(BPF_MISC | BPF_TAX, 0),
      statement(BPF_LD | BPF_H | BPF_IND, kIcmpHeader),
  };
}

/// Of any other protocol: in IPv6 an extension header is admitted.
Program other_quotes(int family) {
  if (family == 4) return drop_all();
  return {
      jump(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_HOPOPTS, 3, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ROUTING, 2, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_FRAGMENT, 1, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_DSTOPTS, 0, 1),
      statement(BPF_RET | BPF_K, kAccept),
      statement(BPF_RET | BPF_K, 0),
  };
}

/// Where A is `value` the one program, else the other; each ends with a verdict.
Program either(uint32_t value, const Program& equal, const Program& other) {
  Program program{jump(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0),
                  statement(BPF_JMP | BPF_JA, static_cast<uint32_t>(equal.size()))};
  append(program, equal);
  append(program, other);
  return program;
}

Program compile(int family, const Program& load, const std::vector<Leaf>& leaves,
                Verdicts verdicts = kAdmit) {
  if (leaves.empty()) return {statement(BPF_RET | BPF_K, verdicts.miss)};
  Program program = load;
  append(program, search(family, leaves, 0, leaves.size(), verdicts));
  return program;
}

/// Addresses of the same port come together in one leaf.
std::vector<Leaf> leaves_of(const std::vector<PortRange>& ranges) {
  std::vector<Leaf> leaves;
  for (const PortRange& range : ranges) {
    if (!range.any_address && !leaves.empty() && leaves.back().first == range.first) {
      leaves.back().addresses.push_back(range.address);
      continue;
    }
    leaves.push_back({range.first, range.last, {}});
    if (!range.any_address) leaves.back().addresses.push_back(range.address);
  }
  return leaves;
}

/// Closes the narrowest gaps between leaves until `limit` of them remain.
std::vector<Leaf> coarsen(std::vector<Leaf> leaves, size_t limit) {
  for (Leaf& leaf : leaves) leaf.addresses.clear();
  if (leaves.size() <= limit) return leaves;
  std::vector<int> gaps;
  for (size_t i = 1; i < leaves.size(); i++) gaps.push_back(leaves[i].first - leaves[i - 1].last);
  std::vector<int> sorted = gaps;
  const auto excess = static_cast<std::ptrdiff_t>(leaves.size() - limit);
  std::nth_element(sorted.begin(), sorted.begin() + excess - 1, sorted.end());
  const int closed = sorted[static_cast<size_t>(excess - 1)];
  std::vector<Leaf> joined{leaves[0]};
  for (size_t i = 1; i < leaves.size(); i++) {
    if (gaps[i - 1] <= closed) {
      joined.back().last = leaves[i].last;
    } else {
      joined.push_back(leaves[i]);
    }
  }
  return joined;
}

/// @param limit instructions at most
Program admit(int family, const Program& load, const std::vector<PortRange>& ranges, size_t limit) {
  std::vector<Leaf> leaves = leaves_of(ranges);
  Program program = compile(family, load, leaves);
  // A leaf without addresses and its share of the search take six instructions at most.
  if (program.size() > limit) {
    program = compile(family, load, coarsen(std::move(leaves), (limit - load.size()) / 6 - 1));
  }
  return program;
}

/// Drops what comes from these ports of whatever address, and admits all else; empty where that
/// can't be said in `limit` instructions.
Program refuse_own(int family, const std::vector<PortRange>& ranges, size_t limit) {
  std::vector<Leaf> leaves = leaves_of(ranges);
  for (Leaf& leaf : leaves) leaf.addresses.clear();
  Program program = compile(family, load_port(family, 0), leaves, {0, kAccept});
  if (program.size() > limit) program.clear();
  return program;
}

}  // namespace

Program drop_all() { return {statement(BPF_RET | BPF_K, 0)}; }

Program admit_ports(int family, const std::vector<PortRange>& ranges) {
  return admit(family, load_port(family, 2), ranges, BPF_MAXINSNS);
}

Program admit_datagrams(int family, const std::vector<PortRange>& ranges) {
  if (ranges.empty()) return drop_all();
  constexpr auto kKind = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE);
  const Program own = refuse_own(family, ranges, BPF_MAXINSNS / 2);
  if (own.empty()) return admit_ports(family, ranges);
  const size_t room = BPF_MAXINSNS - own.size() - 3;
  Program program{statement(BPF_LD | BPF_B | BPF_ABS, kKind)};
  append(program, either(PACKET_LOOPBACK, own, admit(family, load_port(family, 2), ranges, room)));
  return program;
}

Program admit_quotes(int family, const std::vector<PortRange>& tcp,
                     const std::vector<PortRange>& udp) {
  if (tcp.empty() && udp.empty()) return drop_all();
  const Program load = load_quoted_port(family);
  const Program others = other_quotes(family);
  // What stands around the two: the protocol, and two jumps for each.
  const size_t room = BPF_MAXINSNS - others.size() - 6;
  const Program from_udp = admit(family, load, udp, tcp.empty() ? room : room / 2);
  const Program from_tcp = admit(family, load, tcp, room - from_udp.size());
  Program program = load_quoted_protocol(family);
  append(program, either(IPPROTO_TCP, from_tcp, either(IPPROTO_UDP, from_udp, others)));
  return program;
}

Program admit_frames(const HardwareAddress& own) {
  constexpr auto kTagged = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT);
  return {
      statement(BPF_LD | BPF_B | BPF_ABS, kTagged),
      jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 11),
      statement(BPF_LD | BPF_W | BPF_ABS, 2),
      jump(BPF_JMP | BPF_JEQ | BPF_K, own.low, 0, 2),
      statement(BPF_LD | BPF_H | BPF_ABS, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, own.high, 2, 0),
      // The group bit.
      statement(BPF_LD | BPF_B | BPF_ABS, 0),
      jump(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 5),
      statement(BPF_LD | BPF_H | BPF_ABS, 12),
      jump(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 2, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 1, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 1),
      statement(BPF_RET | BPF_K, kAccept),
      statement(BPF_RET | BPF_K, 0),
  };
}

int attach_filter(int fd, const Program& program) noexcept {
  sock_fprog filter{};
  filter.len = static_cast<unsigned short>(program.size());
  filter.filter = const_cast<sock_filter*>(program.data());
  const int failed = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
  return failed == 0 ? 0 : -errno;
}

}  // namespace netland
