#pragma once

#include <napi.h>

#include <array>
#include <optional>
#include <vector>

#include "addon/event_callback.h"
#include "addon/poller.h"
#include "device/bpf_filter.h"
#include "device/intake.h"
#include "device/next_hop.h"
#include "device/packet_socket.h"
#include "device/raw_socket.h"
#include "device/sender.h"

namespace netland {

/// What a device tells JavaScript; the number goes with the call.
enum class DeviceEvent : int32_t {
  /// So many descriptors are in the words.
  Receive = 0,
  /// After transmit has said 1: there is room again.
  Writable = 1,
  /// The device is gone; the number is the errno.
  Down = 2,
};

/// One device of lib/link/native.ts: raw sockets or a TUN descriptor, with their pollers.
class Device final : public Napi::ObjectWrap<Device>, private PollOwner {
 public:
  static Napi::Function define(Napi::Env env);

  explicit Device(const Napi::CallbackInfo& info);

 private:
  static constexpr int kFrames = -1;

  struct Endpoint {
    explicit Endpoint(int of_family, int of_protocol = 0)
        : family(of_family), protocol(of_protocol) {}

    /// 4, 6, or 0 for both; kFrames: of neither, but for frames that leave beside raw sockets.
    int family;
    /// Of TUN: whether each packet has a virtio_net_hdr.
    bool header = false;
    /// Of raw sockets.
    int protocol;
    Fd fd;
    PollerPointer poller;
    /// Of raw sockets.
    std::optional<RawReceiver> receiver;
    /// Of packet sockets.
    std::optional<PacketReceiver> frames;
    /// Of all but those for ICMP and UDP.
    std::optional<Sender> sender;
  };

  // Called by JavaScript.
  Napi::Value open_raw(const Napi::CallbackInfo& info);
  Napi::Value open_datagrams(const Napi::CallbackInfo& info);
  Napi::Value open_tun(const Napi::CallbackInfo& info);
  Napi::Value open_packet(const Napi::CallbackInfo& info);
  Napi::Value open_frames(const Napi::CallbackInfo& info);
  Napi::Value set_ports(const Napi::CallbackInfo& info);
  Napi::Value allow_partial(const Napi::CallbackInfo& info);
  Napi::Value partial_seen(const Napi::CallbackInfo& info);
  Napi::Value add_slab(const Napi::CallbackInfo& info);
  Napi::Value transmit(const Napi::CallbackInfo& info);
  Napi::Value keep_alive(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  void on_poll(Poller& poller, int status, int events) override;
  void on_teardown() override;

  int open_tcp(int family, const RawSocketOptions& options);
  int open_udp(int family, const RawSocketOptions& options);
  int open_icmp(int family, const RawSocketOptions& options);
  Program filter_of(const Endpoint& endpoint) const;
  int start(std::unique_ptr<Endpoint>& endpoint);
  void recover(Endpoint& endpoint);
  void flush(Endpoint& endpoint);
  void receive(Endpoint& endpoint);
  void watch(Endpoint& endpoint);
  void go_down(int error);
  bool emit(DeviceEvent event, int32_t value);
  void add(const int32_t* words, const int32_t* slices, const SlabTable& slabs) noexcept;
  bool add_frame(const int32_t* words, const int32_t* slices, const SlabTable& slabs) noexcept;
  void add_pieces(Endpoint& endpoint, const int32_t* words, const int32_t* slices,
                  const SlabTable& slabs) noexcept;
  Endpoint* sender_of(int family) noexcept;
  bool blocked() const noexcept;
  void shut() noexcept;

  bool open_ = false;
  bool raw_ = false;
  /// Of a packet socket: its index.
  unsigned interface_ = 0;
  bool keeps_alive_ = true;
  OurPorts ports_;
  PartialChecksums partial_;
  std::optional<Intake> intake_;
  std::optional<Counters> counters_;
  /// A place is null before the device is open.
  std::array<std::unique_ptr<Endpoint>, 7> endpoints_;
  /// Of a raw device that sends through a packet socket where it can.
  std::optional<NextHops> hops_;
  std::vector<Slab> slabs_;
  /// Keep the memory that slabs_ and intake_ point to.
  std::vector<Napi::ObjectReference> memory_;
  EventCallback on_event_;
};

}  // namespace netland
