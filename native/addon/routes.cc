#include "addon/routes.h"

#include <algorithm>

#include "addon/arguments.h"
#include "device/interfaces.h"

namespace netland {

Napi::Function Routes::define(Napi::Env env) {
  return DefineClass(
      env, "Routes",
      {InstanceMethod("find", &Routes::find), InstanceMethod("kindOf", &Routes::kind_of),
       InstanceMethod("interfaceOf", &Routes::address_interface),
       InstanceMethod("close", &Routes::close)});
}

Routes::Routes(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Routes>(info), finder_(interface_name(info[0])) {}

/// (words, whether from an address): `words` has the remote address (4) and the local one (4), and
/// gets the source in the place of the local one and the MTU behind it. 0 or -errno.
Napi::Value Routes::find(const Napi::CallbackInfo& info) {
  const auto words = elements<int32_t>(info[0]);
  if (words.size() != 9) return misuse(info.Env(), "nine words were expected");
  const int32_t* local = info[1].ToBoolean().Value() ? words.data() + 4 : nullptr;
  Route route;
  const int failed = finder_.find(words.data(), local, route);
  if (failed == 0) {
    std::copy_n(route.source, 4, words.data() + 4);
    words[8] = route.mtu;
  }
  return Napi::Number::New(info.Env(), failed);
}

/// (address): an AddressKind or -errno.
Napi::Value Routes::kind_of(const Napi::CallbackInfo& info) {
  const auto address = elements<int32_t>(info[0]);
  if (address.size() != 4) return misuse(info.Env(), "an address was expected");
  return Napi::Number::New(info.Env(), finder_.kind_of(address.data()));
}

/// (address): the index of its interface; 0: none has it.
Napi::Value Routes::address_interface(const Napi::CallbackInfo& info) {
  const auto address = elements<int32_t>(info[0]);
  if (address.size() != 4) return misuse(info.Env(), "an address was expected");
  return Napi::Number::New(info.Env(), interface_of(address.data()));
}

Napi::Value Routes::close(const Napi::CallbackInfo& info) {
  finder_.close();
  return info.Env().Undefined();
}

}  // namespace netland
