#include "core/build.h"

#include <cstring>

#include "core/bytes.h"
#include "core/checksum.h"
#include "core/extension_headers.h"
#include "core/icmp.h"
#include "core/tcp_options.h"

namespace netland {
namespace {

constexpr size_t kIp4Header = 20;
constexpr size_t kTcpHeader = 20;
constexpr size_t kUdpHeader = 8;
constexpr uint32_t kDontFragment = 0x4000;
constexpr uint32_t kMoreFragments4 = 0x2000;

// Router alert (RFC 2113): the option, of four bytes; and as hop-by-hop options (RFC 2711) behind
// the next header, padded to eight.
constexpr uint32_t kRouterAlert4 = 0x94040000;
constexpr size_t kRouterAlertOption = 4;
constexpr uint8_t kRouterAlert6[] = {0, 5, 2, 0, 0, 1, 0};

uint32_t unsigned_word(const int32_t* words, int index) noexcept {
  return static_cast<uint32_t>(words[index]);
}

bool is_icmp(const int32_t* words) noexcept {
  const int32_t own = words[Word::Family] == 4 ? IpProtocol::Icmp : IpProtocol::Icmp6;
  return words[Word::Protocol] == own;
}

// Bytes of the IP header with its option or extension header, of the transport header, and of the
// packet; all 0 for an unknown family, `total` where the packet can't be built.
struct Lengths {
  size_t ip = 0;
  size_t transport = 0;
  size_t total = 0;
};

// Not inlined, as all that isn't TCP: TCP's way stays short.
[[gnu::noinline]] size_t other_header_length(const int32_t* words) noexcept {
  if (const int32_t field = words[Word::Fragment]; field < 0) {
    const bool whole = (field & kFragmentMask) == 0;
    return whole || words[Word::Family] == 4 ? 0 : kExtensionHeader;
  }
  if (words[Word::Protocol] == IpProtocol::Udp) return kUdpHeader;
  return is_icmp(words) ? kIcmpHeader : 0;
}

inline Lengths measure(const int32_t* words) noexcept {
  const bool is4 = words[Word::Family] == 4;
  if (!is4 && words[Word::Family] != 6) return {};
  Lengths lengths;
  lengths.ip = is4 ? kIp4Header : kIp6Header;
  const int32_t protocol = words[Word::Protocol];
  if (protocol == IpProtocol::Tcp && words[Word::Fragment] >= 0) {
    lengths.transport = kTcpHeader + tcp_options_length(words);
  } else {
    lengths.transport = other_header_length(words);
    if (protocol != IpProtocol::Tcp && (words[Word::Options] & Option::RouterAlert) != 0) {
      lengths.ip += is4 ? kRouterAlertOption : kExtensionHeader;
    }
    if (protocol < 0 || protocol > 0xff) return lengths;
  }
  if (words[Word::PayloadLength] < 0) return lengths;
  const size_t header = lengths.ip + lengths.transport;
  const size_t length = header + static_cast<size_t>(words[Word::PayloadLength]);
  // IPv4 counts its own header, IPv6 doesn't.
  if ((is4 ? length : length - kIp6Header) <= 0xffff) lengths.total = length;
  return lengths;
}

void write_ip4(const int32_t* words, size_t header, size_t total, uint8_t* out) noexcept {
  out[0] = static_cast<uint8_t>(0x40 | header / 4);
  out[1] = static_cast<uint8_t>(words[Word::TrafficClass]);
  store_be16(out + 2, static_cast<uint32_t>(total));
  store_be16(out + 4, unsigned_word(words, Word::Identification));
  store_be16(out + 6, (words[Word::Identification] & kMayFragment) != 0 ? 0 : kDontFragment);
  out[8] = static_cast<uint8_t>(words[Word::HopLimit]);
  out[9] = static_cast<uint8_t>(words[Word::Protocol]);
  store_be16(out + 10, 0);
  store_be32(out + 12, unsigned_word(words, Word::Source + 3));
  store_be32(out + 16, unsigned_word(words, Word::Destination + 3));
  if (header > kIp4Header) store_be32(out + kIp4Header, kRouterAlert4);
  store_be16(out + 10, static_cast<uint16_t>(~sum16(out, header)));
}

void write_ip6(const int32_t* words, size_t header, size_t total, uint8_t* out) noexcept {
  store_be32(out, uint32_t{6} << 28 | (unsigned_word(words, Word::TrafficClass) & 0xff) << 20 |
                      (unsigned_word(words, Word::Identification) & 0xfffff));
  store_be16(out + 4, static_cast<uint32_t>(total - kIp6Header));
  const auto protocol = static_cast<uint8_t>(words[Word::Protocol]);
  out[6] = protocol;
  out[7] = static_cast<uint8_t>(words[Word::HopLimit]);
  for (int i = 0; i < 4; ++i) {
    store_be32(out + 8 + 4 * i, unsigned_word(words, Word::Source + i));
    store_be32(out + 24 + 4 * i, unsigned_word(words, Word::Destination + i));
  }
  if (header == kIp6Header) return;
  out[6] = kHopByHop;
  out[kIp6Header] = protocol;
  std::memcpy(out + kIp6Header + 1, kRouterAlert6, sizeof kRouterAlert6);
}

// The checksum field is left zero. Returns the header's length.
size_t write_tcp(const int32_t* words, uint8_t* out) noexcept {
  const size_t length = kTcpHeader + write_tcp_options(words, out + kTcpHeader);
  store_be16(out, unsigned_word(words, Word::SourcePort));
  store_be16(out + 2, unsigned_word(words, Word::DestinationPort));
  store_be32(out + 4, unsigned_word(words, Word::Sequence));
  store_be32(out + 8, unsigned_word(words, Word::Acknowledgment));
  const auto offset = static_cast<uint32_t>(length / 4);
  store_be16(out + 12, offset << 12 | (unsigned_word(words, Word::Flags) & kFlagMask));
  store_be16(out + 14, unsigned_word(words, Word::Window));
  store_be16(out + 16, 0);
  store_be16(out + 18, unsigned_word(words, Word::Urgent));
  return length;
}

// The same of any other protocol; `payload`: how much follows.
[[gnu::noinline]] size_t write_other(const int32_t* words, size_t payload, uint8_t* out) noexcept {
  if (words[Word::Protocol] == IpProtocol::Udp) {
    store_be16(out, unsigned_word(words, Word::SourcePort));
    store_be16(out + 2, unsigned_word(words, Word::DestinationPort));
    store_be16(out + 4, static_cast<uint32_t>(kUdpHeader + payload));
    store_be16(out + 6, 0);
    return kUdpHeader;
  }
  if (!is_icmp(words)) return 0;
  store_be16(out, unsigned_word(words, IcmpWord::Kind));
  store_be16(out + 2, 0);
  store_be32(out + 4, unsigned_word(words, IcmpWord::Rest));
  return kIcmpHeader;
}

uint16_t complete_checksum(uint64_t pseudo, const uint8_t* header, size_t length,
                           const Payload& payload) noexcept {
  ChecksumChain chain(pseudo);
  chain.add(header, length);
  for (int32_t i = 0; i < payload.count; ++i) {
    chain.add(payload.pieces[i].data, payload.pieces[i].length);
  }
  return chain.checksum();
}

// Of TCP or UDP.
uint16_t transport_checksum(const int32_t* words, const uint8_t* header, size_t length,
                            const Payload& payload, TransportChecksum mode) noexcept {
  const uint64_t pseudo = pseudo_header_sum(words, static_cast<uint32_t>(length + payload.length));
  if (mode == TransportChecksum::Partial) return fold_sum(pseudo);
  return complete_checksum(pseudo, header, length, payload);
}

// Fills in the checksum of another protocol's header of `length` bytes, not 0.
[[gnu::noinline]] void write_checksum(const int32_t* words, uint8_t* header, size_t length,
                                      const Payload& payload, TransportChecksum mode) noexcept {
  const bool is4 = words[Word::Family] == 4;
  if (words[Word::Protocol] != IpProtocol::Udp) {
    const auto total = static_cast<uint32_t>(length + payload.length);
    const uint64_t pseudo = is4 ? 0 : pseudo_header_sum(words, total);
    store_be16(header + 2, complete_checksum(pseudo, header, length, payload));
    return;
  }
  if (is4 && words[Word::Checksum] == ChecksumState::None) return;
  const uint16_t sum = transport_checksum(words, header, length, payload, mode);
  // RFC 768: zero would say that there is none.
  store_be16(header + 6, sum == 0 ? 0xffff : sum);
}

}  // namespace

bool find_payload(const int32_t* words, const int32_t* slices, const SlabTable& slabs,
                  Payload& payload) noexcept {
  const int32_t count = words[Word::SliceCount];
  if (count < 0 || count > kMaxSlices) return false;
  payload.count = count;
  payload.length = 0;
  for (int32_t i = 0; i < count; ++i, slices += kSliceWords) {
    // As unsigned numbers, negative words are out of every range.
    const size_t slab = static_cast<uint32_t>(slices[0]);
    const size_t offset = static_cast<uint32_t>(slices[1]);
    const size_t length = static_cast<uint32_t>(slices[2]);
    if (slab >= slabs.count || slabs.slabs[slab].data == nullptr) return false;
    const size_t size = slabs.slabs[slab].size;
    if (offset > size || length > size - offset) return false;
    payload.pieces[i] = {slabs.slabs[slab].data + offset, length};
    payload.length += length;
  }
  return words[Word::PayloadLength] >= 0 &&
         payload.length == static_cast<size_t>(words[Word::PayloadLength]);
}

size_t ip_header_length(const int32_t* words) noexcept { return measure(words).ip; }

size_t header_length(const int32_t* words) noexcept {
  const Lengths lengths = measure(words);
  return lengths.ip + lengths.transport;
}

size_t packet_length(const int32_t* words) noexcept { return measure(words).total; }

size_t make_fragment_header(uint8_t* out, size_t length, uint32_t field, int32_t id,
                            size_t carried) noexcept {
  if (out[0] >> 4 == 4) {
    store_be16(out + 2, static_cast<uint32_t>(length + carried));
    store_be16(out + 6, field >> 3 | ((field & kMoreFragments) != 0 ? kMoreFragments4 : 0));
    store_be16(out + 10, 0);
    store_be16(out + 10, static_cast<uint16_t>(~sum16(out, length)));
    return length;
  }
  store_be16(out + 4, static_cast<uint32_t>(length + kExtensionHeader - kIp6Header + carried));
  // The byte that names what follows the headers of each fragment.
  uint8_t& next = out[length == kIp6Header ? 6 : kIp6Header];
  uint8_t* header = out + length;
  header[0] = next;
  header[1] = 0;
  next = kFragmentHeader;
  store_be16(header + 2, field);
  store_be32(header + 4, static_cast<uint32_t>(id));
  return length + kExtensionHeader;
}

size_t build_headers(const int32_t* words, const Payload& payload, uint8_t* out,
                     TransportChecksum checksum) noexcept {
  const Lengths lengths = measure(words);
  const size_t total = lengths.total;
  if (total == 0 || payload.length != static_cast<size_t>(words[Word::PayloadLength])) return 0;
  const size_t ip = lengths.ip;
  if (words[Word::Family] == 4) {
    write_ip4(words, ip, total, out);
  } else {
    write_ip6(words, ip, total, out);
  }
  if (words[Word::Fragment] < 0) {
    const auto field = static_cast<uint32_t>(words[Word::Fragment] & kFragmentMask);
    if (field == 0) return ip;
    return make_fragment_header(out, ip, field, words[BuildWord::FragmentId], payload.length);
  }
  uint8_t* header = out + ip;
  if (words[Word::Protocol] == IpProtocol::Tcp) {
    const size_t length = write_tcp(words, header);
    store_be16(header + 16, transport_checksum(words, header, length, payload, checksum));
    return ip + length;
  }
  const size_t length = write_other(words, payload.length, header);
  if (length > 0) write_checksum(words, header, length, payload, checksum);
  return ip + length;
}

size_t build_packet(const int32_t* words, const Payload& payload, uint8_t* out, size_t room,
                    TransportChecksum checksum) noexcept {
  const size_t total = packet_length(words);
  if (total == 0 || total > room) return 0;
  uint8_t* at = out + build_headers(words, payload, out, checksum);
  if (at == out) return 0;
  for (int32_t i = 0; i < payload.count; ++i) {
    std::memcpy(at, payload.pieces[i].data, payload.pieces[i].length);
    at += payload.pieces[i].length;
  }
  return total;
}

}  // namespace netland
