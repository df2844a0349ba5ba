#include "device/intake.h"

#include <algorithm>

#include "core/descriptor.h"
#include "core/parse.h"

namespace netland {

bool PartialChecksums::take(int32_t interface) {
  if (!all_ && std::find(allowed_.begin(), allowed_.end(), interface) == allowed_.end()) {
    return false;
  }
  const auto at = std::find_if(seen_.begin(), seen_.end(), [interface](const Seen& seen) {
    return seen.interface == interface;
  });
  if (at == seen_.end()) {
    seen_.push_back({interface, 1});
  } else {
    at->packets += 1;
  }
  return true;
}

void Intake::add_at(size_t offset, size_t length, int32_t interface, const VnetHeader* header) {
  const ReceiveArea& in = area_;
  int32_t* words = descriptor_at(in.words, count_);
  const ParseResult result =
      header == nullptr
          ? parse(in.slab, offset, length, in.slab_index, in.key, words)
          : parse_offloaded(*header, 0, in.slab, offset, length, in.slab_index, in.key, words);
  take(result, interface, header != nullptr);
}

void Intake::add_frame(size_t slot, size_t length, const HardwareAddress& own,
                       const VnetHeader& header) {
  const ReceiveArea& in = area_;
  const size_t offset = in.offset(slot);
  const Frame frame = read_frame(in.slab + offset, length, own);
  if (frame.kind == FrameKind::Short) return counters_.add(ParseResult::Truncated);
  if (frame.kind == FrameKind::OtherHost) return counters_.add(Counter::Foreign);
  if (frame.kind == FrameKind::OtherProtocol) return counters_.add(Counter::OtherProtocol);
  int32_t* words = descriptor_at(in.words, count_);
  const size_t at = offset + kEthernetHeader;
  const size_t rest = length - kEthernetHeader;
  ParseResult result = ParseResult::BadVersion;
  if (frame.kind == FrameKind::Arp) {
    result = parse_arp(in.slab, at, rest, in.slab_index, words);
  } else if (fits(frame.kind, in.slab + at, rest)) {
    result =
        parse_offloaded(header, kEthernetHeader, in.slab, at, rest, in.slab_index, in.key, words);
  }
  if (result == ParseResult::Ok && frame.many) words[Word::Options] |= Option::LinkMulticast;
  take(result, 0, true);
}

// The batch's next descriptor has been written.
void Intake::take(ParseResult result, int32_t interface, bool offloaded) {
  int32_t* words = descriptor_at(area_.words, count_);
  if (result != ParseResult::Ok) {
    counters_.add(result);
    return;
  }
  if (ports_ != nullptr && !is_ours(words)) {
    counters_.add(Counter::Foreign);
    return;
  }
  words[Word::Interface] = interface;
  judge_checksum(words, offloaded);
  counters_.add(Counter::Received);
  counters_.add(ParseResult::Ok);
  count_++;
}

// Of a host that is the kernel's too: what is for our ports, and ICMP errors about what is from them.
bool Intake::is_ours(const int32_t* words) const noexcept {
  if (words[Word::Fragment] != 0) return false;
  const int32_t protocol = words[Word::Protocol];
  if (protocol == IpProtocol::Tcp) return ports_->tcp.contains(words);
  if (protocol == IpProtocol::Udp) return ports_->udp.contains(words);
  const int32_t icmp = words[Word::Family] == 4 ? IpProtocol::Icmp : IpProtocol::Icmp6;
  if (protocol != icmp) return false;
  const int32_t quoted = words[IcmpWord::Quoted];
  if (quoted == IpProtocol::Tcp) return ports_->tcp.contains(words);
  return quoted == IpProtocol::Udp && ports_->udp.contains(words);
}

// `offloaded`: where a checksum is Partial, the device has said so.
void Intake::judge_checksum(int32_t* words, bool offloaded) {
  if (words[Word::Checksum] == ChecksumState::Partial) {
    if (offloaded || (partial_ != nullptr && partial_->take(words[Word::Interface]))) {
      counters_.add(Counter::PartialChecksum);
    } else {
      counters_.add(Counter::PartialRefused);
      words[Word::Checksum] = ChecksumState::Bad;
    }
  }
  if (words[Word::Checksum] == ChecksumState::Bad) counters_.add(Counter::BadChecksum);
}

}  // namespace netland
