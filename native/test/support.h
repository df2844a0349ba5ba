#pragma once

// Packets made by hand, for tests: nothing here uses what is tested.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "core/descriptor.h"
#include "core/parse.h"

namespace netland {

// How a failed CHECK_EQ prints one.
inline int operator+(ParseResult result) { return static_cast<int>(result); }

}  // namespace netland

namespace netland::test {

using Bytes = std::vector<uint8_t>;
using Words = std::array<int32_t, Word::Stride>;

inline constexpr HashKey kKey{0x03020100, 0x07060504};

Bytes from_hex(const std::string& hex);
Bytes operator+(Bytes a, const Bytes& b);
/// The bytes from `from` to before `to`.
Bytes part(const Bytes& bytes, size_t from, size_t to);
Bytes random_bytes(std::mt19937& random, size_t length);

void put16(Bytes& bytes, size_t at, uint32_t value);
void put32(Bytes& bytes, size_t at, uint32_t value);

/// One's complement sum, not complemented, word by word as RFC 1071 §4.1 has it.
uint16_t plain_sum(const Bytes& bytes);

/// 20 bytes of TCP header (ports 4660 and 80, ACK), options padded by the caller, payload; the
/// checksum is zero.
Bytes tcp_segment(const Bytes& options = {}, const Bytes& payload = {});

/// 8 bytes of UDP header (ports 4660 and 53), payload; the checksum is zero.
Bytes udp_datagram(const Bytes& payload = {});

/// IPv4 header with `options` around `segment`, both checksums right (TCP's or UDP's). 10.1.2.3 to 192.168.4.5.
Bytes ip4_packet(const Bytes& segment, const Bytes& options = {}, uint8_t protocol = 6);

/// IPv6 header around extension headers and `segment`, its checksum right (TCP's, or
/// UDP's where `next` is 17). fd00::1 to fd00::2.
Bytes ip6_packet(const Bytes& segment, uint8_t next = 6, const Bytes& extensions = {});

/// An ICMP message with `quoted` behind its header, from a router to the source of what is quoted
/// there (without a quote to 10.1.2.3, fd00::2), all checksums right.
/// @param rest the second word of its header
Bytes icmp4_packet(uint8_t type, uint8_t code, uint32_t rest, const Bytes& quoted);
Bytes icmp6_packet(uint8_t type, uint8_t code, uint32_t rest, const Bytes& quoted);

/// Makes the header checksum of an IPv4 packet right.
void fix_ip4(Bytes& packet);

/// Makes the checksum right of the TCP segment that starts at `at` in an IPv4 or IPv6 packet.
void fix_tcp(Bytes& packet, size_t at);

/// The same of the UDP datagram that starts at `at` and reaches to the packet's end.
void fix_udp(Bytes& packet, size_t at);

/// Sum of the pseudo-header of a packet whose transport header starts at `at`.
uint16_t plain_pseudo_sum(const Bytes& packet, size_t at, uint8_t protocol = 6);

/// Parses the bytes where they are the whole of a heap block, so that AddressSanitizer sees a read
/// beyond them.
ParseResult parse_alone(const Bytes& packet, Words& words);

/// Throws unless the words are such as any input of `length` bytes at offset 0 may give.
void check_words(size_t length, ParseResult result, const Words& words);

/// The packets of test/fixtures/redis-handshake-and-close.json.
std::vector<Bytes> captured_packets();

/// Those, and one for each way through the checks: IP options, extension headers, UDP, ICMP,
/// fragments, what is to be answered with a parameter problem.
std::vector<Bytes> sample_packets();

std::string read_text(const std::string& path_in_repository);

}  // namespace netland::test
