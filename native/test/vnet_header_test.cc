#include "device/vnet_header.h"

#include <memory>

#include "core/build.h"
#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

namespace {

// `start` bytes of a link layer's header before it, all in a heap block of their own.
struct Received {
  ParseResult result;
  Words words;
  Bytes packet;
};

Received receive(const VnetHeader& header, const Bytes& packet, size_t start = 0) {
  const std::unique_ptr<uint8_t[]> block(new uint8_t[start + packet.size()]);
  std::copy(packet.begin(), packet.end(), block.get() + start);
  Received received;
  received.words.fill(-1);
  received.result = parse_offloaded(header, start, block.get(), start, packet.size(), 7, kKey,
                                    received.words.data());
  received.packet.assign(block.get() + start, block.get() + start + packet.size());
  return received;
}

int32_t checksum_of(const VnetHeader& header, const Bytes& packet, size_t start = 0) {
  const Received received = receive(header, packet, start);
  CHECK_EQ(received.result, ParseResult::Ok);
  CHECK(received.packet == packet);
  return received.words[Word::Checksum];
}

int32_t gso_size_of(const VnetHeader& header, const Bytes& packet) {
  const Received received = receive(header, packet);
  CHECK_EQ(received.result, ParseResult::Ok);
  return received.words[Word::GsoSize];
}

VnetHeader left_open(size_t start, size_t field) {
  VnetHeader header;
  header.flags = VnetHeader::NeedsChecksum;
  header.checksum_start = static_cast<uint16_t>(start);
  header.checksum_offset = static_cast<uint16_t>(field);
  return header;
}

VnetHeader many(uint8_t type, uint16_t size) {
  VnetHeader header;
  header.gso_type = type;
  header.gso_size = size;
  return header;
}

const Bytes kPayload(100, 0x5a);

// Only the pseudo-header's sum in the field.
Bytes partial(Bytes packet, size_t at, size_t field, uint8_t protocol) {
  put16(packet, at + field, plain_pseudo_sum(packet, at, protocol));
  return packet;
}

const Bytes kTcp4 = partial(ip4_packet(tcp_segment({}, kPayload)), 20, 16, 6);
const Bytes kTcp6 = partial(ip6_packet(tcp_segment({}, kPayload)), 40, 16, 6);
const Bytes kUdp4 = partial(ip4_packet(udp_datagram(kPayload), {}, 17), 20, 6, 17);

}  // namespace

TEST(vnet_header_as_bytes) {
  const Bytes bytes = from_hex("01842100deadbeef4000");
  const VnetHeader header = load_vnet_header(bytes.data());
  CHECK_EQ(header.flags, VnetHeader::NeedsChecksum);
  CHECK_EQ(header.gso_type, VnetHeader::Tcp6 | VnetHeader::Ecn);
  Bytes out(kVnetHeader);
  store_vnet_header(header, out.data());
  CHECK(out == bytes);
}

TEST(vnet_checksum_left_open) {
  const int32_t expected = ChecksumState::Partial;
  CHECK_EQ(checksum_of(left_open(20, 16), kTcp4), expected);
  CHECK_EQ(checksum_of(left_open(34, 16), kTcp4, 14), expected);
  CHECK_EQ(checksum_of(left_open(40, 16), kTcp6), expected);
  CHECK_EQ(checksum_of(left_open(20, 6), kUdp4), expected);
  // What isn't the pseudo-header's sum would be wrong once it was completed.
  Bytes other = kTcp4;
  put16(other, 36, plain_pseudo_sum(kTcp4, 20) ^ 1u);
  CHECK_EQ(checksum_of(left_open(20, 16), other), ChecksumState::Bad);
  // A whole checksum isn't left open.
  CHECK_EQ(checksum_of(left_open(20, 16), ip4_packet(tcp_segment({}, kPayload))),
           ChecksumState::Bad);
  // UDP over IPv4 without a checksum.
  Bytes none = kUdp4;
  put16(none, 26, 0);
  CHECK_EQ(checksum_of(left_open(20, 6), none), ChecksumState::None);
}

TEST(vnet_data_that_is_valid_is_not_read) {
  VnetHeader header;
  header.flags = VnetHeader::DataValid;
  Bytes packet = ip4_packet(tcp_segment({}, kPayload));
  packet.back() ^= 1;
  CHECK_EQ(checksum_of(header, packet), ChecksumState::Verified);
  CHECK_EQ(checksum_of(VnetHeader{}, packet), ChecksumState::Bad);
  // ICMP has no such offload.
  Bytes echo = icmp4_packet(8, 0, 1, {});
  echo.back() ^= 1;
  CHECK_EQ(checksum_of(header, echo), ChecksumState::Bad);
}

// A tunnel's inner TCP, in UDP without checksum.
TEST(vnet_checksum_at_another_place_is_completed) {
  Bytes packet = ip4_packet(udp_datagram(kTcp4), {}, 17);
  put16(packet, 26, 0);
  const Received received = receive(left_open(28 + 20, 16), packet);
  CHECK_EQ(received.result, ParseResult::Ok);
  CHECK_EQ(received.words[Word::Checksum], ChecksumState::None);
  const Bytes inner = part(received.packet, 28, packet.size());
  CHECK(inner != kTcp4);
  Words words;
  CHECK_EQ(parse_alone(inner, words), ParseResult::Ok);
  CHECK_EQ(words[Word::Checksum], ChecksumState::Verified);
}

TEST(vnet_checksum_out_of_the_packet) {
  const size_t size = kTcp4.size();
  for (const VnetHeader& header : {left_open(size - 17, 16), left_open(65535, 65535),
                                   left_open(size, 0), left_open(20, 6000)}) {
    const Received received = receive(header, kTcp4);
    CHECK_EQ(received.result, ParseResult::Ok);
    CHECK(received.packet == kTcp4);
    CHECK_EQ(received.words[Word::Checksum], ChecksumState::Bad);
  }
  // Within the link layer's header.
  CHECK_EQ(checksum_of(left_open(13, 16), kTcp4, 14), ChecksumState::Bad);
  CHECK_EQ(checksum_of(VnetHeader{}, kTcp4), ChecksumState::Bad);
}

TEST(vnet_gso_size_of_its_own_type_only) {
  const uint8_t types[] = {0, 1, 2, 3, 4, 5, 6, 0x7f, 0x80, 0x81, 0x84, 0x85};
  for (const uint8_t type : types) {
    const VnetHeader header = many(type, 40);
    CHECK_EQ(gso_size_of(header, kTcp4), (type & 0x7f) == 1 ? 40 : 0);
    CHECK_EQ(gso_size_of(header, kTcp6), (type & 0x7f) == 4 ? 40 : 0);
    CHECK_EQ(gso_size_of(header, kUdp4), (type & 0x7f) == 5 ? 40 : 0);
  }
  for (const uint16_t size : {0, 100, 101, 65535}) CHECK_EQ(gso_size_of(many(1, size), kTcp4), 0);
  CHECK_EQ(gso_size_of(many(1, 99), kTcp4), 99);
  CHECK_EQ(gso_size_of(many(1, 40), icmp4_packet(8, 0, 1, kPayload)), 0);
  // A fragment is one packet.
  Bytes fragment = kTcp4;
  put16(fragment, 6, 0x2000);
  fix_ip4(fragment);
  CHECK_EQ(gso_size_of(many(1, 40), fragment), 0);
}

TEST(vnet_too_many_datagrams_in_one) {
  const Bytes packet = ip4_packet(udp_datagram(Bytes(1000, 1)), {}, 17);
  CHECK_EQ(receive(many(5, 8), packet).result, ParseResult::Ok);
  CHECK_EQ(receive(many(5, 7), packet).result, ParseResult::BadTransportHeader);
}

TEST(vnet_header_of_what_is_sent) {
  Words words;
  CHECK_EQ(parse_alone(kTcp4, words), ParseResult::Ok);
  words[Word::Fragment] = 1500;
  VnetHeader header = offload_of(words.data(), 0, 40);
  CHECK_EQ(header.flags, VnetHeader::NeedsChecksum);
  CHECK_EQ(header.checksum_start, 20);
  CHECK_EQ(header.checksum_offset, 16);
  CHECK_EQ(header.gso_type, VnetHeader::None);
  words[Word::GsoSize] = 40;
  header = offload_of(words.data(), 14, 40);
  CHECK_EQ(header.checksum_start, 34);
  CHECK_EQ(header.gso_type, VnetHeader::Tcp4);
  CHECK_EQ(header.gso_size, 40);
  CHECK_EQ(header.header_length, 54);
  words[Word::Flags] |= Flag::CWR;
  CHECK_EQ(offload_of(words.data(), 0, 40).gso_type, VnetHeader::Tcp4 | VnetHeader::Ecn);
  for (const int32_t size : {0, -1, 100, 65536}) {
    words[Word::GsoSize] = size;
    CHECK_EQ(offload_of(words.data(), 0, 40).gso_type, VnetHeader::None);
  }
  CHECK_EQ(parse_alone(kTcp6, words), ParseResult::Ok);
  words[Word::GsoSize] = 40;
  CHECK_EQ(offload_of(words.data(), 0, 60).gso_type, VnetHeader::Tcp6);
  CHECK_EQ(parse_alone(kUdp4, words), ParseResult::Ok);
  words[Word::GsoSize] = 40;
  header = offload_of(words.data(), 0, 28);
  CHECK_EQ(header.gso_type, VnetHeader::UdpL4);
  CHECK_EQ(header.checksum_offset, 6);
  words[Word::Checksum] = ChecksumState::None;
  CHECK_EQ(offload_of(words.data(), 0, 28).flags, 0);
  // A fragment has no transport header.
  words[Word::Checksum] = ChecksumState::Verified;
  words[Word::Fragment] = kIsFragment | 1480;
  CHECK_EQ(offload_of(words.data(), 0, 20).flags, 0);
  CHECK_EQ(offload_of(words.data(), 0, 20).gso_type, VnetHeader::None);
  CHECK_EQ(parse_alone(icmp4_packet(8, 0, 1, {}), words), ParseResult::Ok);
  CHECK_EQ(offload_of(words.data(), 0, 28).flags, 0);
}

// What is built with the checksum left open comes in as that, with the same header.
TEST(vnet_both_ways) {
  for (const Bytes& sample : sample_packets()) {
    Words words;
    if (parse_alone(sample, words) != ParseResult::Ok || words[Word::Fragment] != 0) continue;
    if (words[Word::Protocol] == IpProtocol::None) continue;
    const bool bare = words[Word::Checksum] == ChecksumState::None;
    Payload payload;
    payload.count = 1;
    payload.length = static_cast<size_t>(words[Word::PayloadLength]);
    payload.pieces[0] = {sample.data() + words[Word::PayloadOffset], payload.length};
    words[Word::GsoSize] = 2;
    Bytes packet(packet_length(words.data()));
    CHECK_EQ(build_packet(words.data(), payload, packet.data(), packet.size(),
                          TransportChecksum::Partial),
             packet.size());
    const VnetHeader header = offload_of(words.data(), 0, header_length(words.data()));
    const Received again = receive(header, packet);
    CHECK_EQ(again.result, ParseResult::Ok);
    const bool open = (header.flags & VnetHeader::NeedsChecksum) != 0;
    const bool tcp_or_udp = words[Word::Protocol] == 6 || words[Word::Protocol] == 17;
    CHECK(open == (tcp_or_udp && !bare));
    if (open) CHECK_EQ(again.words[Word::Checksum], ChecksumState::Partial);
    CHECK_EQ(again.words[Word::GsoSize], tcp_or_udp && !bare && payload.length > 2 ? 2 : 0);
  }
}

TEST(vnet_hostile_headers) {
  std::mt19937 random(11);
  const std::vector<Bytes> samples = sample_packets();
  for (int run = 0; run < 100000; ++run) {
    const Bytes& packet = samples[random() % samples.size()];
    Bytes bytes = random_bytes(random, kVnetHeader);
    if (random() % 2) bytes[7] = bytes[9] = bytes[5] = 0;  // places within the packet
    const size_t start = random() % 2 ? 14 : 0;
    const Received received = receive(load_vnet_header(bytes.data()), packet, start);
    Words words = received.words;
    CHECK(words[Word::GsoSize] == 0 || (received.result == ParseResult::Ok &&
                                        words[Word::GsoSize] < words[Word::PayloadLength]));
    if (start == 0) check_words(packet.size(), received.result, words);
  }
}
