#include "addon/port_guards.h"

#include "addon/arguments.h"

namespace netland {

Napi::Function PortGuards::define(Napi::Env env) {
  return DefineClass(env, "PortGuards",
                     {InstanceMethod("open", &PortGuards::open),
                      InstanceMethod("openRange", &PortGuards::open_range),
                      InstanceMethod("join", &PortGuards::join),
                      InstanceMethod("close", &PortGuards::close),
                      InstanceMethod("closeAll", &PortGuards::close_all)});
}

PortGuards::PortGuards(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PortGuards>(info) {
  const int64_t form = integer(info[0], 1, 3);
  if (form < 0) {
    misuse(info.Env(), "a form of guard was expected");
    return;
  }
  form_ = static_cast<GuardForm>(form);
  device_ = interface_name(info[1]);
}

/// (address, port): the guard's number, or -errno.
Napi::Value PortGuards::open(const Napi::CallbackInfo& info) {
  const auto address = elements<int32_t>(info[0]);
  const int64_t port = integer(info[1], 1, 0xffff);
  if (address.size() != 4 || port < 0) return misuse(info.Env(), "address and port were expected");
  return Napi::Number::New(info.Env(), guard(address.data(), static_cast<uint16_t>(port)));
}

/// (address, first port, out): guards as many ports as `out` has places, which get each one's
/// number or -errno.
Napi::Value PortGuards::open_range(const Napi::CallbackInfo& info) {
  const auto address = elements<int32_t>(info[0]);
  const auto out = elements<int32_t>(info[2]);
  const int64_t first = integer(info[1], 1, 0x10000 - static_cast<int64_t>(out.size()));
  if (address.size() != 4 || first < 0) return misuse(info.Env(), "a range was expected");
  for (size_t i = 0; i < out.size(); i++) {
    out[i] = guard(address.data(), static_cast<uint16_t>(static_cast<size_t>(first) + i));
  }
  return info.Env().Undefined();
}

/// (group, interface index): the number of a socket that is in it, or -errno.
Napi::Value PortGuards::join(const Napi::CallbackInfo& info) {
  const auto group = elements<int32_t>(info[0]);
  const int64_t interface = integer(info[1], 0, INT32_MAX);
  if (group.size() != 4 || interface < 0) return misuse(info.Env(), "a group was expected");
  Fd fd;
  const int failed = join_group(group.data(), static_cast<int32_t>(interface), fd);
  return Napi::Number::New(info.Env(), failed != 0 ? failed : keep(std::move(fd)));
}

int PortGuards::guard(const int32_t* address, uint16_t port) {
  Fd fd;
  const int failed = open_guard({address, port, device_.c_str()}, form_, fd);
  return failed != 0 ? failed : keep(std::move(fd));
}

int PortGuards::keep(Fd fd) {
  if (free_.empty()) {
    guards_.push_back(std::move(fd));
    return static_cast<int>(guards_.size() - 1);
  }
  const int32_t place = free_.back();
  free_.pop_back();
  guards_[static_cast<size_t>(place)] = std::move(fd);
  return place;
}

/// (number)
Napi::Value PortGuards::close(const Napi::CallbackInfo& info) {
  const int64_t place = integer(info[0], 0, static_cast<int64_t>(guards_.size()) - 1);
  if (place < 0 || !guards_[static_cast<size_t>(place)]) {
    return misuse(info.Env(), "an open guard was expected");
  }
  guards_[static_cast<size_t>(place)].reset();
  free_.push_back(static_cast<int32_t>(place));
  return info.Env().Undefined();
}

Napi::Value PortGuards::close_all(const Napi::CallbackInfo& info) {
  guards_.clear();
  free_.clear();
  return info.Env().Undefined();
}

}  // namespace netland
