#pragma once

#include <node_api.h>
#include <uv.h>

#include <memory>

namespace netland {

class Poller;

class PollOwner {
 public:
  /// @param status 0, or a negative errno when polling has failed and stopped
  /// @param events UV_READABLE, UV_WRITABLE
  virtual void on_poll(Poller& poller, int status, int events) = 0;
  /// The environment ends: everything has to be closed now.
  virtual void on_teardown() = 0;

 protected:
  ~PollOwner() = default;
};

struct PollerCloser {
  void operator()(Poller* poller) const noexcept;
};
/// Closes the poller, which then frees itself once the event loop has let go of it.
using PollerPointer = std::unique_ptr<Poller, PollerCloser>;

/// Watches a file descriptor on the environment's event loop. The descriptor may be closed as soon
/// as the poller is.
class Poller {
 public:
  /// 0 or -errno.
  static int open(napi_env env, int fd, PollOwner& owner, PollerPointer& out);

  /// @param events those to be told of; 0: none
  /// @return 0 or -errno
  int watch(int events) noexcept;

  /// Whether it keeps the event loop alive.
  void keep_alive(bool alive) noexcept;

 private:
  friend struct PollerCloser;

  Poller() = default;
  void close() noexcept;
  static void on_event(uv_poll_t* handle, int status, int events);
  static void on_closed(uv_handle_t* handle);
  static void on_cleanup(napi_async_cleanup_hook_handle hook, void* data);

  uv_poll_t handle_{};
  /// What it is told of: to be asked again for the same would cost system calls for every batch.
  int events_ = 0;
  PollOwner* owner_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace netland
