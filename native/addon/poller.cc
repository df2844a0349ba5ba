#include "addon/poller.h"

#include <cerrno>

namespace netland {

void PollerCloser::operator()(Poller* poller) const noexcept { poller->close(); }

int Poller::open(napi_env env, int fd, PollOwner& owner, PollerPointer& out) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return -ENOTSUP;
  auto* poller = new Poller;
  const int failed = uv_poll_init(loop, &poller->handle_, fd);
  if (failed != 0) {
    delete poller;
    return failed;
  }
  poller->handle_.data = poller;
  poller->owner_ = &owner;
  out.reset(poller);
  // Asynchronous, since libuv frees a handle only in a later turn of the loop.
  if (napi_add_async_cleanup_hook(env, on_cleanup, poller, &poller->hook_) != napi_ok) {
    out.reset();
    return -ENOTSUP;
  }
  return 0;
}

int Poller::watch(int events) noexcept {
  if (events == events_) return 0;
  events_ = events;
  return events == 0 ? uv_poll_stop(&handle_) : uv_poll_start(&handle_, events, on_event);
}

void Poller::keep_alive(bool alive) noexcept {
  auto* handle = reinterpret_cast<uv_handle_t*>(&handle_);
  if (alive) {
    uv_ref(handle);
  } else {
    uv_unref(handle);
  }
}

void Poller::close() noexcept {
  owner_ = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), on_closed);
}

void Poller::on_event(uv_poll_t* handle, int status, int events) {
  auto* poller = static_cast<Poller*>(handle->data);
  // After an error libuv no longer polls.
  if (status < 0) poller->events_ = 0;
  if (poller->owner_ != nullptr) poller->owner_->on_poll(*poller, status, events);
}

void Poller::on_closed(uv_handle_t* handle) {
  auto* poller = static_cast<Poller*>(handle->data);
  if (poller->hook_ != nullptr) napi_remove_async_cleanup_hook(poller->hook_);
  delete poller;
}

void Poller::on_cleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* poller = static_cast<Poller*>(data);
  // Without an owner it is being closed already.
  if (poller->owner_ != nullptr) poller->owner_->on_teardown();
}

}  // namespace netland
