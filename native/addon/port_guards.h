#pragma once

#include <napi.h>

#include <vector>

#include "device/port_guard.h"

namespace netland {

/// The port guards of one link, and its memberships in groups, by number. They are closed with the object, at the latest with the
/// environment.
class PortGuards final : public Napi::ObjectWrap<PortGuards> {
 public:
  static Napi::Function define(Napi::Env env);

  /// Takes (form, interface name or '').
  explicit PortGuards(const Napi::CallbackInfo& info);

 private:
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value open_range(const Napi::CallbackInfo& info);
  Napi::Value join(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value close_all(const Napi::CallbackInfo& info);

  int guard(const int32_t* address, uint16_t port);
  int keep(Fd fd);

  GuardForm form_ = GuardForm::Filter;
  std::string device_;
  std::vector<Fd> guards_;
  /// Places in guards_ that are empty.
  std::vector<int32_t> free_;
};

}  // namespace netland
