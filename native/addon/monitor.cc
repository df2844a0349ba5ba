#include "addon/monitor.h"

#include "addon/arguments.h"
#include "device/netlink.h"

namespace netland {

Napi::Function Monitor::define(Napi::Env env) {
  return DefineClass(
      env, "Monitor",
      {InstanceMethod("open", &Monitor::open), InstanceMethod("close", &Monitor::close)});
}

Monitor::Monitor(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Monitor>(info) {
  if (!info[0].IsFunction()) {
    misuse(info.Env(), "a function was expected");
    return;
  }
  on_change_.set(info[0].As<Napi::Function>(), "netland.Monitor");
}

/// 0 or -errno.
Napi::Value Monitor::open(const Napi::CallbackInfo& info) {
  int failed = 0;
  if (poller_ == nullptr) {
    failed = open_monitor(fd_);
    if (failed == 0) failed = Poller::open(Env(), fd_.get(), *this, poller_);
    if (failed == 0) failed = poller_->watch(UV_READABLE);
    if (failed == 0) {
      poller_->keep_alive(false);
      Ref();
    } else {
      poller_.reset();
      fd_.reset();
    }
  }
  return Napi::Number::New(info.Env(), failed);
}

Napi::Value Monitor::close(const Napi::CallbackInfo& info) {
  shut();
  return info.Env().Undefined();
}

void Monitor::on_poll(Poller& poller, int status, int) {
  const Napi::HandleScope scope(Env());
  // An overrun shows as an error; libuv has then stopped polling.
  if (status < 0) poller.watch(UV_READABLE);
  if (read_monitor(fd_.get()) || status < 0) on_change_.call(Value(), {});
}

void Monitor::on_teardown() { shut(); }

void Monitor::shut() noexcept {
  if (poller_ == nullptr) return;
  poller_.reset();
  fd_.reset();
  Unref();
}

}  // namespace netland
