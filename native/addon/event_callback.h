#pragma once

#include <napi.h>

#include <initializer_list>
#include <optional>

namespace netland {

/// A function of JavaScript's that is called from the event loop.
class EventCallback {
 public:
  /// @param resource its name for async_hooks
  void set(Napi::Function function, const char* resource);

  /// What it throws becomes an uncaught exception. Does nothing where JavaScript can't run any more:
  /// the environment is being ended.
  void call(Napi::Object receiver, std::initializer_list<double> arguments);

 private:
  Napi::FunctionReference function_;
  std::optional<Napi::AsyncContext> context_;
};

}  // namespace netland
