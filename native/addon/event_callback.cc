#include "addon/event_callback.h"

#include <array>

namespace netland {

void EventCallback::set(Napi::Function function, const char* resource) {
  function_ = Napi::Persistent(function);
  context_.emplace(function.Env(), resource);
}

void EventCallback::call(Napi::Object receiver, std::initializer_list<double> arguments) {
  const Napi::Env env = receiver.Env();
  const Napi::HandleScope scope(env);
  std::array<napi_value, 4> values{};
  size_t count = 0;
  for (const double argument : arguments) {
    if (napi_create_double(env, argument, &values[count++]) != napi_ok) return;
  }
  // Not by node-addon-api: it aborts the process when an error can't be thrown, as in a worker that
  // is being terminated.
  const napi_status status = napi_make_callback(env, *context_, receiver, function_.Value(), count,
                                                values.data(), nullptr);
  bool pending = false;
  if (status == napi_ok || napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
  napi_value error;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

}  // namespace netland
