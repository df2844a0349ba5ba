#include "device/sender.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "device/interfaces.h"

namespace netland {

namespace {

/// In the ring each packet has in front where it goes.
struct QueuedHeader {
  sockaddr_in6 name;
  socklen_t name_length;
  SendControl control;
  size_t control_length;
};

/// Groups, and all hosts of the link.
bool is_to_many(const int32_t* destination) noexcept {
  return is_group(destination) || (is_mapped(destination) && destination[3] == -1);
}

template <typename T>
void set_control(msghdr& message, SendControl& control, int level, int type, const T& value) {
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(sizeof value);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
}

constexpr size_t kSlotSize =
    (sizeof(QueuedHeader) + kVnetHeader + kEthernetHeader + kMaxPacketLength + 63) / 64 * 64;
constexpr size_t kQueueBytes = kSlotSize * kQueueSlots;

/// EBADFD: what a TUN descriptor says after its device was deleted. EBADF: somebody has closed it.
bool is_gone(int error) {
  return error == EBADFD || error == EBADF || error == ENODEV || error == ENXIO;
}

}  // namespace

int send_many_to_socket(int fd, mmsghdr* messages, unsigned count) noexcept {
  return sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

Sender::Sender(SendMany send_many, bool named, Counters counters, Front front,
               std::optional<HardwareAddress> own) noexcept
    : send_many_(send_many),
      named_(named),
      front_(front),
      own_(own),
      frame_(own ? kEthernetHeader : 0),
      counters_(counters) {}

Sender::~Sender() {
  if (memory_ != nullptr) munmap(memory_, kQueueBytes);
}

SendState Sender::state() const noexcept {
  if (gone_) return SendState::Gone;
  return queue_ != nullptr && !queue_->empty() ? SendState::Blocked : SendState::Clear;
}

void Sender::add(int fd, const int32_t* words, const int32_t* slices,
                 const SlabTable& slabs) noexcept {
  Payload payload;
  if (words[Word::Protocol] == IpProtocol::Arp) {
    add_arp(fd, words);
  } else if (!find_payload(words, slices, slabs, payload)) {
    counters_.add(Counter::Unbuildable);
  } else if (needs_fragments(words)) {
    add_fragments(fd, words, payload);
  } else {
    const bool offload = front_ == Front::Offload;
    const auto checksum = offload ? TransportChecksum::Partial : TransportChecksum::Complete;
    const size_t length = build_headers(words, payload, next_headers(), checksum);
    if (length == 0) {
      counters_.add(Counter::Unbuildable);
    } else {
      add_message(fd, words, length, payload,
                  offload ? offload_of(words, frame_, length) : VnetHeader{});
    }
  }
}

/// Only a link with hardware addresses has a use for it.
void Sender::add_arp(int fd, const int32_t* words) noexcept {
  if (!own_) return counters_.add(Counter::Unbuildable);
  write_arp(words, *own_, next_headers());
  add_message(fd, words, kArpLength, Payload{}, VnetHeader{});
}

void Sender::add_fragments(int fd, const int32_t* words, const Payload& payload) noexcept {
  Fragments fragments;
  if (!fragments.begin(words, payload)) {
    counters_.add(Counter::Unbuildable);
    return;
  }
  Payload part;
  for (size_t length; (length = fragments.next(next_headers(), part)) > 0;) {
    add_message(fd, words, length, part, VnetHeader{});
  }
}

/// Room for the headers of the packet that is added next; before it stand the frame's
/// header, and before that what the device is told.
uint8_t* Sender::next_headers() noexcept { return headers_[run_].data() + kVnetHeader + frame_; }

/// The packet whose headers are the run's next: `length` bytes of them.
void Sender::add_message(int fd, const int32_t* words, size_t length, const Payload& payload,
                         const VnetHeader& offload) noexcept {
  auto& vectors = vectors_[run_];
  size_t used = 0;
  if (own_) write_frame_header(words, *own_, next_headers() - frame_);
  length += frame_;
  if (front_ != Front::Nothing) {
    store_vnet_header(offload, headers_[run_].data());
    vectors[used++] = {headers_[run_].data(), kVnetHeader + length};
  } else {
    vectors[used++] = {next_headers() - frame_, length};
  }
  for (int32_t i = 0; i < payload.count; i++) {
    const Payload::Piece& piece = payload.pieces[i];
    if (piece.length > 0) vectors[used++] = {const_cast<uint8_t*>(piece.data), piece.length};
  }
  msghdr& message = messages_[run_].msg_hdr;
  message = {};
  message.msg_iov = vectors.data();
  message.msg_iovlen = used;
  if (named_) {
    SocketAddress& name = names_[run_];
    name.set(words + Word::Destination, 0, words[Word::Interface]);
    message.msg_name = name.raw();
    message.msg_namelen = name.length;
    if (is_to_many(words + Word::Destination)) direct(message, words);
  }
  if (through_ > 0) {
    SocketAddress& name = names_[run_];
    name.set_interface(through_, words[Word::Family]);
    message.msg_name = name.raw();
    message.msg_namelen = name.length;
  }
  run_++;
  if (run_ == kRun) send_run(fd);
}

/// The source address says through which interface: the routes know of none, or of one for all.
void Sender::direct(msghdr& message, const int32_t* words) noexcept {
  SendControl& control = controls_[run_];
  const int32_t* source = words + Word::Source;
  if (words[Word::Family] == 4) {
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(static_cast<uint32_t>(source[3]));
    set_control(message, control, IPPROTO_IP, IP_PKTINFO, info);
    return;
  }
  in6_pktinfo info{};
  info.ipi6_ifindex = static_cast<unsigned>(interface_of_source(source));
  if (info.ipi6_ifindex == 0) return;
  set_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

int32_t Sender::interface_of_source(const int32_t* source) noexcept {
  if (interface_ == 0 || !std::equal(source, source + 4, source_)) {
    std::copy_n(source, 4, source_);
    interface_ = interface_of(source);
  }
  return interface_;
}

SendState Sender::commit(int fd) noexcept {
  interface_ = 0;
  send_run(fd);
  return state();
}

void Sender::send_run(int fd) noexcept {
  size_t done = 0;
  // What waits goes first.
  if (state() == SendState::Clear) done = send(fd, messages_.data(), run_, false);
  for (; done < run_ && !gone_; done++) queue_message(messages_[done]);
  run_ = 0;
}

size_t Sender::send(int fd, mmsghdr* messages, size_t count, bool waited) noexcept {
  size_t done = 0;
  while (done < count) {
    const int sent = send_many_(fd, messages + done, static_cast<unsigned>(count - done));
    if (sent > 0) {
      counters_.add(Counter::Sent, static_cast<uint32_t>(sent));
      done += static_cast<size_t>(sent);
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    // ENOBUFS from a socket that has been waited for would come again at once: dropped.
    if (error == EAGAIN || (error == ENOBUFS && !waited)) return done;
    // Of one interface among others, it's the frame that is lost.
    if (is_gone(error) && (through_ == 0 || error == EBADF)) {
      gone_ = true;
      return done;
    }
    count_error(error);
    done++;
  }
  return done;
}

void Sender::count_error(int error) noexcept {
  switch (error) {
    case EMSGSIZE:
      return counters_.add(Counter::SendEMSGSIZE);
    case EHOSTUNREACH:
      return counters_.add(Counter::SendEHOSTUNREACH);
    case ENETUNREACH:
      return counters_.add(Counter::SendENETUNREACH);
    case ENETDOWN:
    case EIO:  // a TUN device that is set down
    case ENXIO:
    case ENODEV:
      return counters_.add(Counter::SendENETDOWN);
    case EPERM:
      return counters_.add(Counter::SendEPERM);
    default:
      return counters_.add(Counter::SendErrors);
  }
}

/// Address space alone, until a packet has to wait.
bool Sender::ready_queue() noexcept {
  if (queue_ != nullptr) return true;
  void* memory = mmap(nullptr, kQueueBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  memory_ = memory;
  lengths_.resize(kQueueSlots);
  queue_ = std::make_unique<PacketRing>(static_cast<uint8_t*>(memory), lengths_.data(), kSlotSize,
                                        kQueueSlots);
  return true;
}

void Sender::queue_message(const mmsghdr& message) noexcept {
  uint8_t* slot = ready_queue() ? queue_->back() : nullptr;
  if (slot == nullptr) {
    counters_.add(Counter::QueueFull);
    return;
  }
  const msghdr& header = message.msg_hdr;
  QueuedHeader queued{};
  queued.name_length = header.msg_namelen;
  if (header.msg_namelen > 0) std::memcpy(&queued.name, header.msg_name, header.msg_namelen);
  queued.control_length = header.msg_controllen;
  if (queued.control_length > 0) {
    std::memcpy(queued.control.bytes, header.msg_control, queued.control_length);
  }
  std::memcpy(slot, &queued, sizeof queued);
  size_t at = sizeof queued;
  for (size_t i = 0; i < header.msg_iovlen; i++) {
    std::memcpy(slot + at, header.msg_iov[i].iov_base, header.msg_iov[i].iov_len);
    at += header.msg_iov[i].iov_len;
  }
  queue_->push(at);
  counters_.add(Counter::Queued);
}

SendState Sender::flush(int fd) noexcept {
  while (state() == SendState::Blocked) {
    const size_t count = std::min(queue_->size(), kRun);
    for (size_t i = 0; i < count; i++) {
      uint8_t* slot = queue_->packet(i);
      auto* queued = reinterpret_cast<QueuedHeader*>(slot);
      vectors_[i][0] = {slot + sizeof *queued, queue_->length(i) - sizeof *queued};
      msghdr& message = messages_[i].msg_hdr;
      message = {};
      message.msg_iov = vectors_[i].data();
      message.msg_iovlen = 1;
      message.msg_name = queued->name_length > 0 ? &queued->name : nullptr;
      message.msg_namelen = queued->name_length;
      message.msg_control = queued->control_length > 0 ? queued->control.bytes : nullptr;
      message.msg_controllen = queued->control_length;
    }
    const size_t done = send(fd, messages_.data(), count, true);
    queue_->pop(done);
    if (done < count) break;
  }
  return state();
}

}  // namespace netland
