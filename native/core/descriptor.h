#pragma once

// The descriptor: what stands for one packet on both sides of the border to JavaScript. It is a row
// of 32-bit words; lib/core/segment/layout.ts says what each means and has the same numbers (a test
// compares the two through the tables below).

#include <cstddef>
#include <cstdint>

namespace netland {

#define NETLAND_WORDS(X) \
  X(Family, 0)           \
  X(Protocol, 1)         \
  X(Checksum, 2)         \
  X(Direction, 3)        \
  X(Interface, 4)        \
  X(TrafficClass, 5)     \
  X(HopLimit, 6)         \
  X(GsoSize, 7)          \
  X(Source, 8)           \
  X(Destination, 12)     \
  X(SourcePort, 16)      \
  X(DestinationPort, 17) \
  X(Sequence, 18)        \
  X(Acknowledgment, 19)  \
  X(Flags, 20)           \
  X(Window, 21)          \
  X(Urgent, 22)          \
  X(Hash, 23)            \
  X(Slab, 24)            \
  X(PacketOffset, 25)    \
  X(PacketLength, 26)    \
  X(TransportOffset, 27) \
  X(Fragment, 28)        \
  X(OptionsLength, 29)   \
  X(PayloadOffset, 30)   \
  X(PayloadLength, 31)   \
  X(Options, 32)         \
  X(Mss, 33)             \
  X(WindowScale, 34)     \
  X(TsVal, 35)           \
  X(TsEcr, 36)           \
  X(SackCount, 37)       \
  X(Sack, 38)            \
  X(Identification, 46)  \
  X(SliceCount, 47)      \
  X(Stride, 48)

/// Words that mean something else in the descriptor of an ICMP message.
#define NETLAND_ICMP_WORDS(X) \
  X(Quoted, 20)               \
  X(Kind, 21)                 \
  X(Rest, 22)                 \
  X(Peer, 38)

/// Words that mean something else in the descriptor of a packet to be built.
#define NETLAND_BUILD_WORDS(X) \
  X(FragmentId, 23)            \
  X(MacHigh, 24)               \
  X(MacLow, 25)

/// Words that mean something else in the descriptor of an ARP packet.
#define NETLAND_ARP_WORDS(X) \
  X(SenderHigh, 18)          \
  X(SenderLow, 19)

/// States of Word::Checksum.
#define NETLAND_CHECKSUM_STATES(X) \
  X(Verified, 0)                   \
  X(Partial, 1)                    \
  X(Bad, 2)                        \
  X(None, 3)

#define NETLAND_DIRECTIONS(X) \
  X(In, 0)                    \
  X(Out, 1)

/// Bits of Word::Flags.
#define NETLAND_FLAGS(X) \
  X(FIN, 0x001)          \
  X(SYN, 0x002)          \
  X(RST, 0x004)          \
  X(PSH, 0x008)          \
  X(ACK, 0x010)          \
  X(URG, 0x020)          \
  X(ECE, 0x040)          \
  X(CWR, 0x080)          \
  X(AE, 0x100)

/// Bits of Word::Options.
#define NETLAND_OPTIONS(X) \
  X(Mss, 1)                \
  X(WindowScale, 2)        \
  X(SackPermitted, 4)      \
  X(Timestamps, 8)         \
  X(Sack, 16)              \
  X(RouterAlert, 32)       \
  X(LinkMulticast, 64)

#define NETLAND_PROTOCOLS(X) \
  X(Icmp, 1)                 \
  X(Igmp, 2)                 \
  X(Tcp, 6)                  \
  X(Udp, 17)                 \
  X(Icmp6, 58)               \
  X(None, 59)                \
  X(Arp, 0x806)

#define NETLAND_ENUMERATOR(name, number) name = (number),

// Unscoped enums in structs: `words[Word::Flags] & Flag::SYN` needs no cast.
struct Word {
  enum Index : int32_t { NETLAND_WORDS(NETLAND_ENUMERATOR) };
};
struct IcmpWord {
  enum Index : int32_t { NETLAND_ICMP_WORDS(NETLAND_ENUMERATOR) };
};
struct BuildWord {
  enum Index : int32_t { NETLAND_BUILD_WORDS(NETLAND_ENUMERATOR) };
};
struct ArpWord {
  enum Index : int32_t { NETLAND_ARP_WORDS(NETLAND_ENUMERATOR) };
};
struct ChecksumState {
  enum Value : int32_t { NETLAND_CHECKSUM_STATES(NETLAND_ENUMERATOR) };
};
struct Direction {
  enum Value : int32_t { NETLAND_DIRECTIONS(NETLAND_ENUMERATOR) };
};
struct Flag {
  enum Bit : int32_t { NETLAND_FLAGS(NETLAND_ENUMERATOR) };
};
struct Option {
  enum Bit : int32_t { NETLAND_OPTIONS(NETLAND_ENUMERATOR) };
};
struct IpProtocol {
  enum Number : int32_t { NETLAND_PROTOCOLS(NETLAND_ENUMERATOR) };
};

#undef NETLAND_ENUMERATOR

/// The flags that are sent; the three reserved bits beside them are sent as zero.
inline constexpr int32_t kFlagMask = 0x1ff;

/// Bit of Word::Identification of an IPv4 packet: without DF.
inline constexpr int32_t kMayFragment = 0x10000;

/// Bit of Word::Fragment: more fragments follow. The others are the offset in bytes.
inline constexpr int32_t kMoreFragments = 1;

/// What of Word::Fragment a fragment has in its header.
inline constexpr int32_t kFragmentMask = 0xfff9;

/// Bit of Word::Fragment of a packet to be built: it is a fragment.
inline constexpr int32_t kIsFragment = INT32_MIN;

/// SACK blocks that a descriptor holds.
inline constexpr int32_t kMaxSackBlocks = 4;

/// Payload slices that one descriptor can have.
inline constexpr int32_t kMaxSlices = 8;

/// Words of one slice in a batch's slice table: slab, offset, length.
inline constexpr int32_t kSliceWords = 3;

struct NamedNumber {
  const char* name;
  int32_t number;
};

#define NETLAND_NAMED(name, number) {#name, (number)},

// The same as tables, under the names of layout.ts, for the addon and the test that compares.
inline constexpr NamedNumber kWordNames[] = {NETLAND_WORDS(NETLAND_NAMED)};
inline constexpr NamedNumber kIcmpWordNames[] = {NETLAND_ICMP_WORDS(NETLAND_NAMED)};
inline constexpr NamedNumber kBuildWordNames[] = {NETLAND_BUILD_WORDS(NETLAND_NAMED)};
inline constexpr NamedNumber kArpWordNames[] = {NETLAND_ARP_WORDS(NETLAND_NAMED)};
inline constexpr NamedNumber kChecksumStateNames[] = {NETLAND_CHECKSUM_STATES(NETLAND_NAMED)};
inline constexpr NamedNumber kDirectionNames[] = {NETLAND_DIRECTIONS(NETLAND_NAMED)};
inline constexpr NamedNumber kFlagNames[] = {NETLAND_FLAGS(NETLAND_NAMED)};
inline constexpr NamedNumber kOptionNames[] = {NETLAND_OPTIONS(NETLAND_NAMED)};
inline constexpr NamedNumber kProtocolNames[] = {NETLAND_PROTOCOLS(NETLAND_NAMED)};
inline constexpr NamedNumber kLimitNames[] = {{"MAX_SLICES", kMaxSlices},
                                              {"SLICE_WORDS", kSliceWords},
                                              {"MAY_FRAGMENT", kMayFragment},
                                              {"MORE_FRAGMENTS", kMoreFragments},
                                              {"IS_FRAGMENT", kIsFragment}};

#undef NETLAND_NAMED

/// Descriptor `index` of a batch's words.
inline int32_t* descriptor_at(int32_t* words, size_t index) noexcept {
  return words + index * static_cast<size_t>(Word::Stride);
}
inline const int32_t* descriptor_at(const int32_t* words, size_t index) noexcept {
  return words + index * static_cast<size_t>(Word::Stride);
}

/// The slices of descriptor `index` in a batch's slice table: kMaxSlices places of kSliceWords.
inline const int32_t* slices_at(const int32_t* slices, size_t index) noexcept {
  return slices + index * static_cast<size_t>(kMaxSlices * kSliceWords);
}

/// Memory that descriptors and slices point into; `data` is null where there is no such slab.
struct Slab {
  uint8_t* data = nullptr;
  size_t size = 0;
};

/// The slabs of a stack by their index.
struct SlabTable {
  const Slab* slabs = nullptr;
  size_t count = 0;
};

}  // namespace netland
