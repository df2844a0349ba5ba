#include "addon/codec.h"

#include <vector>

#include "addon/arguments.h"
#include "core/checksum.h"
#include "core/flow_hash.h"
#include "core/fragment.h"
#include "core/frame.h"
#include "core/parse.h"
#include "device/bpf_filter.h"
#include "device/counters.h"
#include "device/intake.h"

namespace netland {

namespace {

using Napi::CallbackInfo;
using Napi::Value;

HashKey hash_key(std::span<int32_t> words) {
  return {static_cast<uint32_t>(words[0]), static_cast<uint32_t>(words[1])};
}

/// (slab, slab index, pairs of offset and length, hash key, words, results): parses a packet for
/// each place in `results`.
Value parse_many(const CallbackInfo& info) {
  const auto slab = elements<uint8_t>(info[0]);
  const int64_t index = integer(info[1], 0, INT32_MAX);
  const auto packets = elements<int32_t>(info[2]);
  const auto key = elements<int32_t>(info[3]);
  const auto words = elements<int32_t>(info[4]);
  const auto results = elements<int32_t>(info[5]);
  if (index < 0 || key.size() != 2 || packets.size() < results.size() * 2 ||
      words.size() < results.size() * Word::Stride) {
    return misuse(info.Env(), "arrays of fitting sizes were expected");
  }
  for (size_t i = 0; i < results.size(); i++) {
    const int64_t offset = packets[2 * i];
    const int64_t length = packets[2 * i + 1];
    if (offset < 0 || length < 0 || offset + length > static_cast<int64_t>(slab.size())) {
      return misuse(info.Env(), "a packet lies outside of the slab");
    }
    results[i] = static_cast<int32_t>(
        parse(slab.data(), static_cast<size_t>(offset), static_cast<size_t>(length),
              static_cast<int32_t>(index), hash_key(key), descriptor_at(words.data(), i)));
  }
  return info.Env().Undefined();
}

/// (words, slices, array of slabs, out, room for each, lengths): builds a packet, or its fragments one
/// behind the other, for each place in `lengths`, which get the bytes, or 0.
Value build_many(const CallbackInfo& info) {
  const auto words = elements<int32_t>(info[0]);
  const auto slices = elements<int32_t>(info[1]);
  const auto out = elements<uint8_t>(info[3]);
  const int64_t room = integer(info[4], 0, 1 << 20);
  const auto lengths = elements<int32_t>(info[5]);
  if (!info[2].IsArray() || room < 0 || words.size() < lengths.size() * Word::Stride ||
      slices.size() < lengths.size() * static_cast<size_t>(kMaxSlices * kSliceWords) ||
      out.size() < lengths.size() * static_cast<size_t>(room)) {
    return misuse(info.Env(), "arrays of fitting sizes were expected");
  }
  const auto array = info[2].As<Napi::Array>();
  std::vector<Slab> slabs;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const auto bytes = elements<uint8_t>(array.Get(i));
    slabs.push_back({bytes.data(), bytes.size()});
  }
  const SlabTable table{slabs.data(), slabs.size()};
  const auto each = static_cast<size_t>(room);
  for (size_t i = 0; i < lengths.size(); i++) {
    const int32_t* descriptor = descriptor_at(words.data(), i);
    Payload payload;
    size_t length = 0;
    if (find_payload(descriptor, slices_at(slices.data(), i), table, payload)) {
      length = build_packets(descriptor, payload, out.data() + i * each, each);
    }
    lengths[i] = static_cast<int32_t>(length);
  }
  return info.Env().Undefined();
}

HardwareAddress hardware_address(std::span<int32_t> words) {
  return {static_cast<uint16_t>(words[0]), static_cast<uint32_t>(words[1])};
}

/// (slab, slab index, pairs of offset and length, hash key, own hardware address, words, results,
/// kinds): reads a frame for each place in `results`.
Value parse_frames(const CallbackInfo& info) {
  const auto slab = elements<uint8_t>(info[0]);
  const int64_t index = integer(info[1], 0, INT32_MAX);
  const auto frames = elements<int32_t>(info[2]);
  const auto key = elements<int32_t>(info[3]);
  const auto own = elements<int32_t>(info[4]);
  const auto words = elements<int32_t>(info[5]);
  const auto results = elements<int32_t>(info[6]);
  const auto kinds = elements<int32_t>(info[7]);
  if (index < 0 || key.size() != 2 || own.size() != 2 || frames.size() < results.size() * 2 ||
      words.size() < results.size() * Word::Stride || kinds.size() < results.size()) {
    return misuse(info.Env(), "arrays of fitting sizes were expected");
  }
  for (size_t i = 0; i < results.size(); i++) {
    const int64_t offset = frames[2 * i];
    const int64_t length = frames[2 * i + 1];
    if (offset < 0 || length < 0 || offset + length > static_cast<int64_t>(slab.size())) {
      return misuse(info.Env(), "a frame lies outside of the slab");
    }
    FrameKind kind;
    results[i] = static_cast<int32_t>(
        parse_frame(slab.data(), static_cast<size_t>(offset), static_cast<size_t>(length),
                    static_cast<int32_t>(index), hash_key(key), hardware_address(own),
                    descriptor_at(words.data(), i), kind));
    kinds[i] = static_cast<int32_t>(kind);
  }
  return info.Env().Undefined();
}

/// (words, own hardware address, out): for each descriptor in `words` the header of its frame and
/// the ARP packet that it would be, one behind the other.
Value build_frames(const CallbackInfo& info) {
  const auto words = elements<int32_t>(info[0]);
  const auto own = elements<int32_t>(info[1]);
  const auto out = elements<uint8_t>(info[2]);
  const size_t count = words.size() / Word::Stride;
  constexpr size_t kEach = kEthernetHeader + kArpLength;
  if (own.size() != 2 || out.size() < count * kEach) {
    return misuse(info.Env(), "arrays of fitting sizes were expected");
  }
  for (size_t i = 0; i < count; i++) {
    uint8_t* at = out.data() + i * kEach;
    write_frame_header(descriptor_at(words.data(), i), hardware_address(own), at);
    write_arp(descriptor_at(words.data(), i), hardware_address(own), at + kEthernetHeader);
  }
  return info.Env().Undefined();
}

/// (bytes): their one's complement sum.
Value sum(const CallbackInfo& info) {
  const auto bytes = elements<uint8_t>(info[0]);
  return Napi::Number::New(info.Env(), sum16(bytes.data(), bytes.size()));
}

/// (hash key, words): the hash of each descriptor in `words`, into its Word::Hash.
Value hash_many(const CallbackInfo& info) {
  const auto key = elements<int32_t>(info[0]);
  const auto words = elements<int32_t>(info[1]);
  if (key.size() != 2) return misuse(info.Env(), "a key was expected");
  for (size_t i = 0; (i + 1) * Word::Stride <= words.size(); i++) {
    int32_t* descriptor = descriptor_at(words.data(), i);
    descriptor[Word::Hash] = static_cast<int32_t>(flow_hash(hash_key(key), descriptor));
  }
  return info.Env().Undefined();
}

/// (rows of port ranges, family): the filter's instructions, [code, jt, jf, k] each in one array;
/// null when a row is no range.
Value filter_program(const CallbackInfo& info) {
  const auto rows = elements<int32_t>(info[0]);
  const int64_t family = integer(info[1], 4, 6);
  PortSet ports;
  if (family < 0 || !ports.assign(rows.data(), rows.size() / kPortRangeWords)) {
    return info.Env().Null();
  }
  const int which = static_cast<int>(family);
  auto array = Napi::Array::New(info.Env());
  uint32_t at = 0;
  const auto kind = integer(info[2], 0, 2);
  const auto more = elements<int32_t>(info[3]);
  PortSet udp;
  if (!udp.assign(more.data(), more.size() / kPortRangeWords)) return info.Env().Null();
  const auto& ranges = ports.ranges(which);
  const Program program = kind == 2   ? admit_datagrams(which, ranges)
                          : kind == 1 ? admit_quotes(which, ranges, udp.ranges(which))
                                      : admit_ports(which, ranges);
  for (const sock_filter& instruction : program) {
    for (const double value :
         {static_cast<double>(instruction.code), static_cast<double>(instruction.jt),
          static_cast<double>(instruction.jf), static_cast<double>(instruction.k)}) {
      array.Set(at++, Napi::Number::New(info.Env(), value));
    }
  }
  return array;
}

Napi::Object table(Napi::Env env, std::span<const NamedNumber> names) {
  auto object = Napi::Object::New(env);
  for (const NamedNumber& each : names) {
    object.Set(each.name, Napi::Number::New(env, each.number));
  }
  return object;
}

Napi::Object layout(Napi::Env env) {
  auto object = Napi::Object::New(env);
  object.Set("Word", table(env, kWordNames));
  object.Set("IcmpWord", table(env, kIcmpWordNames));
  object.Set("BuildWord", table(env, kBuildWordNames));
  object.Set("ArpWord", table(env, kArpWordNames));
  object.Set("Checksum", table(env, kChecksumStateNames));
  object.Set("Direction", table(env, kDirectionNames));
  object.Set("Flag", table(env, kFlagNames));
  object.Set("Option", table(env, kOptionNames));
  object.Set("IpProtocol", table(env, kProtocolNames));
  object.Set("limits", table(env, kLimitNames));
  object.Set("ParseResult", table(env, kParseResultNames));
  return object;
}

Napi::Array counter_names(Napi::Env env) {
  auto names = Napi::Array::New(env);
  uint32_t at = 0;
  for (const char* name : kDeviceCounterNames) names.Set(at++, Napi::String::New(env, name));
  for (const char* name : kParseResultCounters) names.Set(at++, Napi::String::New(env, name));
  return names;
}

}  // namespace

void define_codec(Napi::Env env, Napi::Object exports) {
  exports.Set("layout", layout(env));
  exports.Set("counterNames", counter_names(env));
  exports.Set("slotRoom", Napi::Number::New(env, static_cast<double>(kSlotRoom)));
  exports.Set("parseMany", Napi::Function::New(env, parse_many, "parseMany"));
  exports.Set("parseFrames", Napi::Function::New(env, parse_frames, "parseFrames"));
  exports.Set("buildFrames", Napi::Function::New(env, build_frames, "buildFrames"));
  exports.Set("buildMany", Napi::Function::New(env, build_many, "buildMany"));
  exports.Set("sum", Napi::Function::New(env, sum, "sum"));
  exports.Set("hashMany", Napi::Function::New(env, hash_many, "hashMany"));
  exports.Set("filterProgram", Napi::Function::New(env, filter_program, "filterProgram"));
}

}  // namespace netland
