#include "core/frame.h"

#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

namespace {

constexpr HardwareAddress kOwn{0x0242, 0xac110002};

// A request of 02:42:ac:11:00:01, who has 172.17.0.2, to all; and padding.
const Bytes kRequest = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x42, 0xac, 0x11, 0x00, 0x01,
                        0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x02, 0x42,
                        0xac, 0x11, 0x00, 0x01, 172,  17,   0,    1,    0,    0,    0,    0,
                        0,    0,    172,  17,   0,    2,    0,    0,    0,    0};

ParseResult parse_whole(const Bytes& frame, Words& words, FrameKind& kind) {
  return parse_frame(frame.data(), 0, frame.size(), 7, kKey, kOwn, words.data(), kind);
}

}  // namespace

TEST(a_request_becomes_a_descriptor) {
  Words words;
  FrameKind kind;
  CHECK(parse_whole(kRequest, words, kind) == ParseResult::Ok);
  CHECK(kind == FrameKind::Arp);
  CHECK_EQ(words[Word::Protocol], static_cast<int32_t>(IpProtocol::Arp));
  CHECK_EQ(words[IcmpWord::Kind], 1);
  CHECK_EQ(words[ArpWord::SenderHigh], 0x0242);
  CHECK_EQ(words[ArpWord::SenderLow], static_cast<int32_t>(0xac110001));
  CHECK_EQ(words[Word::Source + 3], static_cast<int32_t>(0xac110001));
  CHECK_EQ(words[Word::Destination + 3], static_cast<int32_t>(0xac110002));
  CHECK_EQ(words[Word::Options], static_cast<int32_t>(Option::LinkMulticast));
}

TEST(the_answer_is_built) {
  Words words{};
  words[Word::Family] = 4;
  words[Word::Protocol] = IpProtocol::Arp;
  words[IcmpWord::Kind] = 2;
  words[Word::Source + 3] = static_cast<int32_t>(0xac110002);
  words[Word::Destination + 3] = static_cast<int32_t>(0xac110001);
  words[BuildWord::MacHigh] = 0x0242;
  words[BuildWord::MacLow] = static_cast<int32_t>(0xac110001);
  Bytes frame(kEthernetHeader + kArpLength);
  write_frame_header(words.data(), kOwn, frame.data());
  write_arp(words.data(), kOwn, frame.data() + kEthernetHeader);
  const Bytes expected = {0x02, 0x42, 0xac, 0x11, 0x00, 0x01, 0x02, 0x42, 0xac, 0x11, 0x00,
                          0x02, 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x02,
                          0x02, 0x42, 0xac, 0x11, 0x00, 0x02, 172,  17,   0,    2,    0x02,
                          0x42, 0xac, 0x11, 0x00, 0x01, 172,  17,   0,    1};
  CHECK(frame == expected);
}

TEST(what_is_short_foreign_or_unknown_has_no_words) {
  for (size_t length = 0; length <= kRequest.size(); length++) {
    Words words;
    words.fill(-1);
    FrameKind kind;
    const Bytes cut(kRequest.begin(), kRequest.begin() + static_cast<std::ptrdiff_t>(length));
    const ParseResult result = parse_whole(cut, words, kind);
    if (length >= kEthernetHeader + kArpLength) {
      CHECK(result == ParseResult::Ok);
    } else {
      CHECK(words == Words{});
      CHECK((result == ParseResult::Truncated) == (length >= kEthernetHeader));
    }
  }
  Bytes other = kRequest;
  other[0] = 0x02;
  Words words;
  FrameKind kind;
  CHECK(parse_whole(other, words, kind) == ParseResult::Ok);
  CHECK(kind == FrameKind::OtherHost && words == Words{});
  Bytes tagged = kRequest;
  tagged[12] = 0x81;
  tagged[13] = 0;
  CHECK(parse_whole(tagged, words, kind) == ParseResult::Ok);
  CHECK(kind == FrameKind::OtherProtocol && words == Words{});
  Bytes wrong = kRequest;
  wrong[12] = 0x08;
  wrong[13] = 0x00;
  CHECK(parse_whole(wrong, words, kind) == ParseResult::BadVersion);
  for (const size_t at : {15, 16, 18, 19}) {
    Bytes odd = kRequest;
    odd[at] ^= 1;
    CHECK(parse_whole(odd, words, kind) == ParseResult::BadHeader);
  }
}

TEST(packets_in_frames_are_read_as_they_are_alone) {
  for (const Bytes& packet : sample_packets()) {
    Bytes frame(kEthernetHeader);
    Words words{};
    words[Word::Family] = packet.empty() || packet[0] >> 4 == 4 ? 4 : 6;
    words[BuildWord::MacHigh] = kOwn.high;
    words[BuildWord::MacLow] = static_cast<int32_t>(kOwn.low);
    write_frame_header(words.data(), HardwareAddress{}, frame.data());
    frame.insert(frame.end(), packet.begin(), packet.end());
    Words alone;
    const ParseResult result = parse_alone(packet, alone);
    FrameKind kind;
    if (parse_whole(frame, words, kind) == ParseResult::BadVersion) continue;
    CHECK(parse_whole(frame, words, kind) == result);
    CHECK_EQ(words[Word::PayloadLength], alone[Word::PayloadLength]);
    if (result != ParseResult::Ok) continue;
    CHECK_EQ(words[Word::PacketOffset], static_cast<int32_t>(kEthernetHeader));
  }
}
