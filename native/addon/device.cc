#include "addon/device.h"

#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "addon/arguments.h"
#include "core/cut.h"
#include "device/bpf_filter.h"
#include "device/tun.h"

namespace netland {

namespace {

/// Batches taken from one descriptor in a turn of the event loop: neither the program nor the other
/// descriptors are to starve.
constexpr int kBatchesPerTurn = 4;

constexpr size_t kMaxSlots = 1024;
constexpr size_t kMaxSlabs = 1 << 20;

Napi::Value number(Napi::Env env, int value) { return Napi::Number::New(env, value); }

}  // namespace

Napi::Function Device::define(Napi::Env env) {
  return DefineClass(
      env, "Device",
      {InstanceMethod("openRaw", &Device::open_raw),
       InstanceMethod("openDatagrams", &Device::open_datagrams),
       InstanceMethod("openTun", &Device::open_tun),
       InstanceMethod("openPacket", &Device::open_packet),
       InstanceMethod("openFrames", &Device::open_frames),
       InstanceMethod("setPorts", &Device::set_ports),
       InstanceMethod("allowPartial", &Device::allow_partial),
       InstanceMethod("partialSeen", &Device::partial_seen),
       InstanceMethod("addSlab", &Device::add_slab), InstanceMethod("transmit", &Device::transmit),
       InstanceMethod("keepAlive", &Device::keep_alive), InstanceMethod("close", &Device::close)});
}

/// Takes { slab, slabIndex, slotSize, slots, words, hashKey, counters, raw, onEvent }.
Device::Device(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Device>(info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) {
    misuse(env, "an object was expected");
    return;
  }
  const auto options = info[0].As<Napi::Object>();
  const auto slab = elements<uint8_t>(options.Get("slab"));
  const auto words = elements<int32_t>(options.Get("words"));
  const auto key = elements<int32_t>(options.Get("hashKey"));
  const auto counters = elements<double>(options.Get("counters"));
  const int64_t index = integer(options.Get("slabIndex"), 0, kMaxSlabs);
  const int64_t slots = integer(options.Get("slots"), 1, kMaxSlots);
  // Without a slot's size packets lie one behind the other.
  const int64_t slot_size = integer(options.Get("slotSize"), 0, 1 << 20);
  const int64_t room = slot_size == 0 ? kSlotRoom : slots * slot_size;
  const Napi::Value on_event = options.Get("onEvent");
  if (index < 0 || slots < 0 || slot_size < 0 || key.size() != 2 || !on_event.IsFunction() ||
      slab.size() < static_cast<size_t>(room) ||
      (slot_size > 0 && slot_size < static_cast<int64_t>(kSlotRoom)) ||
      words.size() < static_cast<size_t>(slots) * Word::Stride || counters.size() < kCounters) {
    misuse(env, "a member is missing, of another type or too small");
    return;
  }
  const HashKey hash{static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[1])};
  const ReceiveArea area{slab.data(),
                         slab.size(),
                         static_cast<int32_t>(index),
                         static_cast<size_t>(slot_size),
                         static_cast<size_t>(slots),
                         words.data(),
                         hash};
  raw_ = options.Get("raw").ToBoolean().Value();
  counters_.emplace(counters.data());
  intake_.emplace(area, *counters_, raw_ ? &ports_ : nullptr, raw_ ? &partial_ : nullptr);
  for (const char* name : {"slab", "words", "counters"}) {
    memory_.push_back(Napi::Persistent(options.Get(name).As<Napi::Object>()));
  }
  on_event_.set(on_event.As<Napi::Function>(), "netland.Device");
}

/// (family, interface name or '', receive buffer, send buffer): 0 or -errno.
Napi::Value Device::open_raw(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int64_t family = integer(info[0], 4, 6);
  const std::string device = interface_name(info[1]);
  RawSocketOptions options;
  options.device = device.c_str();
  if (!raw_ || family < 0 || family == 5 || sender_of(static_cast<int>(family)) != nullptr) {
    return misuse(env, "a family that isn't open yet was expected");
  }
  const int failed = open_tcp(static_cast<int>(family), options);
  return number(env, failed != 0 ? failed : open_icmp(static_cast<int>(family), options));
}

int Device::open_tcp(int family, const RawSocketOptions& options) {
  auto endpoint = std::make_unique<Endpoint>(family, IPPROTO_TCP);
  const int failed = open_tcp_socket(family, options, endpoint->fd);
  if (failed != 0) return failed;
  counters_->add(Counter::FilterAttached);
  endpoint->receiver.emplace(family, IPPROTO_TCP, intake_->area().slots);
  endpoint->sender.emplace(send_many_to_socket, true, *counters_);
  return start(endpoint);
}

/// (family, interface name or ''): 0 or -errno.
Napi::Value Device::open_datagrams(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int64_t family = integer(info[0], 4, 6);
  const std::string device = interface_name(info[1]);
  RawSocketOptions options;
  options.device = device.c_str();
  if (!raw_ || sender_of(static_cast<int>(family)) == nullptr) {
    return misuse(env, "a family that is open was expected");
  }
  return number(env, open_udp(static_cast<int>(family), options));
}

int Device::open_udp(int family, const RawSocketOptions& options) {
  for (const auto& endpoint : endpoints_) {
    if (endpoint == nullptr || endpoint->family != family) continue;
    if (endpoint->protocol == IPPROTO_UDP) return 0;
  }
  auto endpoint = std::make_unique<Endpoint>(family, IPPROTO_UDP);
  const int failed = open_udp_socket(family, options, endpoint->fd);
  if (failed != 0) return failed;
  counters_->add(Counter::FilterAttached);
  endpoint->receiver.emplace(family, IPPROTO_UDP, intake_->area().slots);
  return start(endpoint);
}

int Device::open_icmp(int family, const RawSocketOptions& options) {
  auto endpoint = std::make_unique<Endpoint>(family, icmp_of(family));
  const int failed = open_icmp_socket(family, options, endpoint->fd);
  if (failed != 0) return failed;
  counters_->add(Counter::FilterAttached);
  endpoint->receiver.emplace(family, icmp_of(family), intake_->area().slots);
  return start(endpoint);
}

/// (wanted name, or a TUN device's descriptor; whether offload is wanted): [name, whether there is
/// offload], or -errno. A descriptor is the device's if it succeeds.
Napi::Value Device::open_tun(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string wanted = interface_name(info[0]);
  const int64_t given = integer(info[0], 0, INT32_MAX);
  if (raw_ || open_ || (wanted.empty() && given < 0)) {
    return misuse(env, "the name of an interface or a descriptor was expected");
  }
  Tun tun;
  wanted.copy(tun.name, kInterfaceName - 1);
  tun.offload = info[1].ToBoolean().Value();
  int failed = wanted.empty() ? adopt_tun(static_cast<int>(given), tun) : netland::open_tun(tun);
  if (failed != 0) return number(env, failed);
  auto endpoint = std::make_unique<Endpoint>(0);
  endpoint->fd = std::move(tun.fd);
  endpoint->header = tun.header;
  const Front front = tun.header ? Front::EmptyHeader : Front::Nothing;
  endpoint->sender.emplace(write_tun, false, *counters_, tun.offload ? Front::Offload : front);
  failed = start(endpoint);
  if (failed == 0) {
    auto opened = Napi::Array::New(env, 2);
    opened.Set(0U, Napi::String::New(env, tun.name));
    opened.Set(1U, Napi::Boolean::New(env, tun.offload));
    return opened;
  }
  if (wanted.empty()) endpoint->fd.release();
  return number(env, failed);
}

/// (interface index, own hardware address: 16 bits and 32, whether offload is wanted): 0 or -errno.
Napi::Value Device::open_packet(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int64_t interface = integer(info[0], 1, INT32_MAX);
  const auto own = elements<int32_t>(info[1]);
  if (raw_ || open_ || interface < 0 || own.size() != 2 ||
      intake_->area().slot_size < kEthernetHeader + kSlotRoom) {
    return misuse(env, "an interface and a hardware address were expected");
  }
  PacketSocketOptions options;
  options.interface = static_cast<int>(interface);
  options.own = {static_cast<uint16_t>(own[0]), static_cast<uint32_t>(own[1])};
  HardwareAddress kernels;
  int failed = hardware_address_of(options.interface, kernels);
  if (failed != 0) return number(env, failed);
  if (kernels.high == options.own.high && kernels.low == options.own.low) {
    return number(env, -EADDRINUSE);
  }
  auto endpoint = std::make_unique<Endpoint>(0);
  failed = open_packet_socket(options, endpoint->fd);
  if (failed != 0) return number(env, failed);
  counters_->add(Counter::FilterAttached);
  const Front front = info[2].ToBoolean().Value() ? Front::Offload : Front::EmptyHeader;
  endpoint->frames.emplace(options.own, intake_->area().slots);
  endpoint->sender.emplace(send_many_to_socket, false, *counters_, front, options.own);
  interface_ = static_cast<unsigned>(options.interface);
  return number(env, start(endpoint));
}

/// (index of the interface that everything goes through, or 0): 0 or -errno.
Napi::Value Device::open_frames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int64_t interface = integer(info[0], 0, INT32_MAX);
  if (!raw_ || !open_ || hops_ || interface < 0) {
    return misuse(env, "an interface, of raw sockets that are open, was expected");
  }
  auto endpoint = std::make_unique<Endpoint>(kFrames);
  int failed = open_frame_sender(endpoint->fd);
  if (failed != 0) return number(env, failed);
  hops_.emplace(static_cast<int32_t>(interface));
  failed = hops_->open();
  endpoint->sender.emplace(send_many_to_socket, false, *counters_, Front::Offload,
                           HardwareAddress{});
  if (failed == 0) failed = start(endpoint);
  if (failed != 0) hops_.reset();
  return number(env, failed);
}

/// Takes the endpoint if it succeeds.
int Device::start(std::unique_ptr<Endpoint>& endpoint) {
  int failed = Poller::open(Env(), endpoint->fd.get(), *this, endpoint->poller);
  if (failed == 0) failed = endpoint->poller->watch(UV_READABLE);
  if (failed != 0) return failed;
  endpoint->poller->keep_alive(keeps_alive_);
  *std::find(endpoints_.begin(), endpoints_.end(), nullptr) = std::move(endpoint);
  // Until it is closed the device must not be collected: the event loop has it.
  if (!open_) Ref();
  open_ = true;
  return 0;
}

/// (rows of kPortRangeWords, family, protocol): what may come in from now on; 0 or -errno.
Napi::Value Device::set_ports(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto rows = elements<int32_t>(info[0]);
  const auto family = static_cast<int>(integer(info[1], 4, 6));
  const auto protocol = static_cast<int>(integer(info[2], 0, 255));
  PortSet& ports = protocol == IPPROTO_UDP ? ports_.udp : ports_.tcp;
  if (!raw_ || rows.size() % kPortRangeWords != 0 ||
      !ports.assign(rows.data(), rows.size() / kPortRangeWords)) {
    return misuse(env, "rows of port ranges were expected");
  }
  if (sender_of(family) == nullptr) return number(env, -EAFNOSUPPORT);
  for (auto& endpoint : endpoints_) {
    if (endpoint == nullptr || endpoint->family != family) continue;
    if (endpoint->protocol != protocol && endpoint->protocol != icmp_of(family)) continue;
    counters_->add(Counter::FilterAttached);
    const int failed = attach_filter(endpoint->fd.get(), filter_of(*endpoint));
    if (failed != 0) return number(env, failed);
  }
  return number(env, 0);
}

Program Device::filter_of(const Endpoint& endpoint) const {
  const int family = endpoint.family;
  const auto& tcp = ports_.tcp.ranges(family);
  const auto& udp = ports_.udp.ranges(family);
  if (endpoint.protocol == IPPROTO_TCP) return admit_ports(family, tcp);
  return endpoint.protocol == IPPROTO_UDP ? admit_datagrams(family, udp)
                                          : admit_quotes(family, tcp, udp);
}

/// (Int32Array of interface indexes, or null for all of them)
Napi::Value Device::allow_partial(const Napi::CallbackInfo& info) {
  if (info[0].IsNull()) {
    partial_.allow_all();
  } else {
    partial_.allow_none();
    for (const int32_t interface : elements<int32_t>(info[0])) partial_.allow(interface);
  }
  return info.Env().Undefined();
}

/// Pairs of interface index and packets, in one array.
Napi::Value Device::partial_seen(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto pairs = Napi::Array::New(env);
  uint32_t at = 0;
  for (const PartialChecksums::Seen& seen : partial_.seen()) {
    pairs.Set(at++, Napi::Number::New(env, seen.interface));
    pairs.Set(at++, Napi::Number::New(env, seen.packets));
  }
  return pairs;
}

/// (index, Uint8Array): memory that slices may point into.
Napi::Value Device::add_slab(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int64_t index = integer(info[0], 0, kMaxSlabs);
  const auto bytes = elements<uint8_t>(info[1]);
  if (index < 0 || bytes.empty()) return misuse(env, "an index and a Uint8Array were expected");
  const auto place = static_cast<size_t>(index);
  if (slabs_.size() <= place) slabs_.resize(place + 1);
  slabs_[place] = {bytes.data(), bytes.size()};
  memory_.push_back(Napi::Persistent(info[1].As<Napi::Object>()));
  return env.Undefined();
}

/// (words, slices, count): 0: all is on its way; 1: some waits; -errno: the device is gone.
Napi::Value Device::transmit(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto words = elements<int32_t>(info[0]);
  const auto slices = elements<int32_t>(info[1]);
  const int64_t count = integer(info[2], 0, static_cast<int64_t>(words.size() / Word::Stride));
  if (count < 0 || slices.size() < static_cast<size_t>(count * kMaxSlices * kSliceWords)) {
    return misuse(env, "a batch was expected");
  }
  if (!open_) return number(env, -ENETDOWN);
  const SlabTable slabs{slabs_.data(), slabs_.size()};
  if (hops_) hops_->begin();
  for (size_t i = 0; i < static_cast<size_t>(count); i++) {
    add(descriptor_at(words.data(), i), slices_at(slices.data(), i), slabs);
  }
  for (auto& endpoint : endpoints_) {
    if (endpoint == nullptr || !endpoint->sender) continue;
    if (endpoint->sender->commit(endpoint->fd.get()) == SendState::Gone) {
      return number(env, -ENETDOWN);
    }
    watch(*endpoint);
  }
  return number(env, blocked() ? 1 : 0);
}

void Device::add(const int32_t* words, const int32_t* slices, const SlabTable& slabs) noexcept {
  if (hops_ && add_frame(words, slices, slabs)) return;
  Endpoint* endpoint = sender_of(words[Word::Family]);
  if (endpoint == nullptr) return counters_->add(Counter::Unbuildable);
  if (hops_ && is_super(words)) return add_pieces(*endpoint, words, slices, slabs);
  endpoint->sender->add(endpoint->fd.get(), words, slices, slabs);
}

/// False where it has to leave through a raw socket.
bool Device::add_frame(const int32_t* words, const int32_t* slices,
                       const SlabTable& slabs) noexcept {
  const NextHop* hop = hops_->find(words);
  const bool many = is_super(words);
  const int32_t payload = words[many ? Word::GsoSize : Word::PayloadLength];
  const auto length = static_cast<int64_t>(header_length(words)) + payload;
  if (hop == nullptr || length > hop->mtu) {
    counters_->add(Counter::ViaRawSocket);
    return false;
  }
  int32_t framed[Word::Stride];
  std::copy_n(words, static_cast<int32_t>(Word::Stride), framed);
  framed[BuildWord::MacHigh] = hop->peer.high;
  framed[BuildWord::MacLow] = static_cast<int32_t>(hop->peer.low);
  Endpoint* endpoint = sender_of(kFrames);
  endpoint->sender->leave_by(hop->interface, hop->own);
  endpoint->sender->add(endpoint->fd.get(), framed, slices, slabs);
  counters_->add(Counter::ViaPacketSocket);
  if (many) counters_->add(Counter::SuperSegments);
  return true;
}

/// A raw socket takes no super-segments.
void Device::add_pieces(Endpoint& endpoint, const int32_t* words, const int32_t* slices,
                        const SlabTable& slabs) noexcept {
  Payload payload;
  if (packet_length(words) == 0 || !find_payload(words, slices, slabs, payload)) {
    return counters_->add(Counter::Unbuildable);
  }
  Piece piece;
  for (int32_t from = 0; from < words[Word::PayloadLength]; from += words[Word::GsoSize]) {
    cut_piece(words, slices, from, piece);
    endpoint.sender->add(endpoint.fd.get(), piece.words, piece.slices, slabs);
  }
}

/// (boolean)
Napi::Value Device::keep_alive(const Napi::CallbackInfo& info) {
  keeps_alive_ = info[0].ToBoolean().Value();
  for (auto& endpoint : endpoints_) {
    if (endpoint != nullptr) endpoint->poller->keep_alive(keeps_alive_);
  }
  return info.Env().Undefined();
}

/// (whether descriptors stay open, for somebody else)
Napi::Value Device::close(const Napi::CallbackInfo& info) {
  if (open_ && info[0].ToBoolean().Value()) {
    for (auto& endpoint : endpoints_) {
      if (endpoint == nullptr) continue;
      endpoint->poller.reset();
      endpoint->fd.release();
    }
  }
  shut();
  return info.Env().Undefined();
}

void Device::shut() noexcept {
  if (!open_) return;
  open_ = false;
  for (auto& endpoint : endpoints_) {
    if (endpoint == nullptr) continue;
    endpoint->poller.reset();
    endpoint->fd.reset();
  }
  hops_.reset();
  Unref();
}

void Device::on_teardown() { shut(); }

void Device::on_poll(Poller& poller, int status, int events) {
  const Napi::HandleScope scope(Env());
  // Holds the device while JavaScript runs, whatever it drops.
  [[maybe_unused]] const Napi::Object self = Value();
  for (auto& endpoint : endpoints_) {
    if (endpoint == nullptr || endpoint->poller.get() != &poller) continue;
    if (status < 0) return recover(*endpoint);
    if (endpoint->sender && (events & UV_WRITABLE) != 0) flush(*endpoint);
    if (open_ && (events & UV_READABLE) != 0) receive(*endpoint);
    return;
  }
}

/// POLLERR, after which libuv has stopped polling.
void Device::recover(Endpoint& endpoint) {
  // An interface that is only set down can be set up again.
  char name[IF_NAMESIZE];
  const bool there = interface_ > 0 && if_indextoname(interface_, name) != nullptr;
  if (!raw_ && !there) return go_down(ENETDOWN);
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(endpoint.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error == 0) {
    return go_down(ENETDOWN);
  }
  // Reading SO_ERROR has cleared it.
  counters_->add(Counter::ReceiveErrors);
  watch(endpoint);
}

void Device::flush(Endpoint& endpoint) {
  if (endpoint.sender->flush(endpoint.fd.get()) == SendState::Gone) return go_down(ENETDOWN);
  watch(endpoint);
  if (!blocked()) emit(DeviceEvent::Writable, 0);
}

void Device::receive(Endpoint& endpoint) {
  if (endpoint.family == kFrames) return;
  for (int batch = 0; batch < kBatchesPerTurn; batch++) {
    const int fd = endpoint.fd.get();
    const Received received = endpoint.receiver ? endpoint.receiver->receive(fd, *intake_)
                              : endpoint.frames ? endpoint.frames->receive(fd, *intake_)
                                                : read_tun(fd, endpoint.header, *intake_);
    if (intake_->count() > 0) {
      if (!emit(DeviceEvent::Receive, static_cast<int32_t>(intake_->count()))) return;
    }
    if (received.error == ENETDOWN && !raw_ && !endpoint.frames) return go_down(ENETDOWN);
    if (received.error != 0) counters_->add(Counter::ReceiveErrors);
    if (!received.full) return;
  }
}

void Device::watch(Endpoint& endpoint) {
  const bool waits = endpoint.sender && endpoint.sender->state() == SendState::Blocked;
  endpoint.poller->watch(waits ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

void Device::go_down(int error) {
  for (auto& endpoint : endpoints_) {
    if (endpoint != nullptr) endpoint->poller->watch(0);
  }
  emit(DeviceEvent::Down, error);
}

/// False when the device was closed meanwhile.
bool Device::emit(DeviceEvent event, int32_t value) {
  on_event_.call(Value(), {static_cast<double>(event), static_cast<double>(value)});
  return open_;
}

Device::Endpoint* Device::sender_of(int family) noexcept {
  for (auto& endpoint : endpoints_) {
    if (endpoint == nullptr || !endpoint->sender) continue;
    if (endpoint->family == family || endpoint->family == 0) return endpoint.get();
  }
  return nullptr;
}

bool Device::blocked() const noexcept {
  for (const auto& endpoint : endpoints_) {
    if (endpoint == nullptr || !endpoint->sender) continue;
    if (endpoint->sender->state() == SendState::Blocked) return true;
  }
  return false;
}

}  // namespace netland
