#include "core/extension_headers.h"

#include "core/bytes.h"

namespace netland {
namespace {

// Codes of ICMPv6's parameter problem (RFC 4443 §3.4).
constexpr uint8_t kErroneousField = 0;
constexpr uint8_t kUnknownNextHeader = 1;
constexpr uint8_t kUnknownOption = 2;

constexpr uint8_t kRouterAlert = 5;

// The two highest bits of an option's type (RFC 8200 §4.2).
enum class Action : uint8_t { Skip, Discard, Report, ReportUnicast };

struct OptionType {
  uint8_t type;
  Action action() const noexcept { return static_cast<Action>(type >> 6); }
};

Walk& refuse(Walk& walk) noexcept {
  walk.end = Walk::Bad;
  return walk;
}

Walk& report(Walk& walk, uint8_t code, size_t pointer) noexcept {
  walk.end = Walk::Problem;
  walk.code = code;
  walk.pointer = pointer;
  return walk;
}

// The options of a hop-by-hop or destination options header of `size` bytes at walk.transport;
// false where they end the walk.
bool read_options(const uint8_t* packet, size_t size, bool hop_by_hop, Walk& walk) noexcept {
  const size_t end = walk.transport + size;
  for (size_t at = walk.transport + 2; at < end;) {
    const OptionType option{packet[at]};
    if (option.type == 0) {  // Pad1
      ++at;
      continue;
    }
    if (at + 2 > end || at + 2 + packet[at + 1] > end) {
      refuse(walk);
      return false;
    }
    const bool multicast = packet[24] == 0xff;
    const Action action = option.action();
    if (action == Action::Discard || (action == Action::ReportUnicast && multicast)) {
      refuse(walk);
      return false;
    }
    if (action != Action::Skip) {
      report(walk, kUnknownOption, at);
      return false;
    }
    if (hop_by_hop && option.type == kRouterAlert && packet[at + 1] == 2) walk.router_alert = true;
    at += size_t{2} + packet[at + 1];
  }
  return true;
}

}  // namespace

Walk walk_extension_headers(const uint8_t* packet, size_t length) noexcept {
  Walk walk;
  walk.protocol = packet[6];
  for (;;) {
    const int32_t next = walk.protocol;
    const size_t at = walk.transport;
    if (next == kHopByHop && at != kIp6Header) {
      return report(walk, kUnknownNextHeader, walk.pointer);
    }
    const bool options = next == kDestinationOptions || next == kHopByHop;
    if (!options && next != kRouting && next != kFragmentHeader) return walk;
    if (length - at < kExtensionHeader) return refuse(walk);
    const uint8_t* header = packet + at;
    size_t size = kExtensionHeader;
    if (next == kFragmentHeader) {
      // The two bits between offset and M are reserved.
      if ((load_be16(header + 2) & 0xfff9) != 0) walk.end = Walk::Fragment;
    } else {
      size = (size_t{header[1]} + 1) * 8;
      if (size > length - at) return refuse(walk);
      if (next == kRouting && header[3] != 0) return report(walk, kErroneousField, at + 2);
      if (options && !read_options(packet, size, next == kHopByHop, walk)) return walk;
    }
    walk.protocol = header[0];
    walk.pointer = at;
    walk.transport = at + size;
    if (walk.end == Walk::Fragment) return walk;
  }
}

}  // namespace netland
