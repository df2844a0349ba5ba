#pragma once

#include <napi.h>

#include "addon/event_callback.h"
#include "addon/poller.h"
#include "device/fd.h"

namespace netland {

/// Calls a function when links, addresses or routes of the host may have changed. Never keeps the
/// process alive.
class Monitor final : public Napi::ObjectWrap<Monitor>, private PollOwner {
 public:
  static Napi::Function define(Napi::Env env);

  /// Takes the function.
  explicit Monitor(const Napi::CallbackInfo& info);

 private:
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  void on_poll(Poller& poller, int status, int events) override;
  void on_teardown() override;
  void shut() noexcept;

  Fd fd_;
  PollerPointer poller_;
  EventCallback on_change_;
};

}  // namespace netland
