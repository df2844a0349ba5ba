#pragma once

#include <napi.h>

#include "device/route.h"

namespace netland {

/// A RouteFinder for JavaScript.
class Routes final : public Napi::ObjectWrap<Routes> {
 public:
  static Napi::Function define(Napi::Env env);

  /// Takes (interface name or '').
  explicit Routes(const Napi::CallbackInfo& info);

 private:
  Napi::Value find(const Napi::CallbackInfo& info);
  Napi::Value kind_of(const Napi::CallbackInfo& info);
  Napi::Value address_interface(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  RouteFinder finder_;
};

}  // namespace netland
