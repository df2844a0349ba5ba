#include "addon/system.h"

#include <net/if.h>
#include <sys/resource.h>
#include <uv.h>

#include <cerrno>

#include "addon/arguments.h"
#include "device/netlink.h"
#include "device/port_guard.h"

namespace netland {

namespace {

using Napi::CallbackInfo;
using Napi::Value;

Value number(const CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}

/// (family, form): 0 or -errno.
Value call_probe_guard(const CallbackInfo& info) {
  const int64_t family = integer(info[0], 4, 6);
  const int64_t form = integer(info[1], 1, 2);
  if (family < 0 || form < 0) return misuse(info.Env(), "family and form were expected");
  return number(info, probe_guard(static_cast<int>(family), static_cast<GuardForm>(form)));
}

/// (interface name): its index, 0 when there is none.
Value interface_index(const CallbackInfo& info) {
  return number(info, if_nametoindex(interface_name(info[0]).c_str()));
}

/// (index): its name, '' when there is none.
Value interface_of_index(const CallbackInfo& info) {
  char name[IF_NAMESIZE] = {};
  const int64_t index = integer(info[0], 1, INT32_MAX);
  if (index < 0 || if_indextoname(static_cast<unsigned>(index), name) == nullptr) name[0] = '\0';
  return Napi::String::New(info.Env(), name);
}

/// (interface name): bytes or -errno.
Value call_interface_mtu(const CallbackInfo& info) {
  return number(info, interface_mtu(interface_name(info[0]).c_str()));
}

/// (interface name): 1, 0 or -errno.
Value call_interface_is_up(const CallbackInfo& info) {
  return number(info, interface_is_up(interface_name(info[0]).c_str()));
}

/// (interface name, mtu or 0): 0 or -errno.
Value call_set_up_interface(const CallbackInfo& info) {
  const unsigned index = if_nametoindex(interface_name(info[0]).c_str());
  const int64_t mtu = integer(info[1], 0, INT32_MAX);
  if (mtu < 0) return misuse(info.Env(), "an MTU was expected");
  if (index == 0) return number(info, -ENODEV);
  return number(info, set_up_interface(static_cast<int32_t>(index), static_cast<int>(mtu)));
}

/// (interface name, address, prefix length): 0 or -errno.
Value call_add_address(const CallbackInfo& info) {
  const unsigned index = if_nametoindex(interface_name(info[0]).c_str());
  const auto address = elements<int32_t>(info[1]);
  const int64_t length = integer(info[2], 0, 128);
  if (address.size() != 4 || length < 0) return misuse(info.Env(), "an address was expected");
  if (index == 0) return number(info, -ENODEV);
  return number(info,
                add_address(static_cast<int32_t>(index), address.data(), static_cast<int>(length)));
}

/// (interface name, network, prefix length): 0 or -errno.
Value call_add_route(const CallbackInfo& info) {
  const unsigned index = if_nametoindex(interface_name(info[0]).c_str());
  const auto network = elements<int32_t>(info[1]);
  const int64_t length = integer(info[2], 0, 128);
  if (network.size() != 4 || length < 0) return misuse(info.Env(), "a network was expected");
  if (index == 0) return number(info, -ENODEV);
  return number(info,
                add_route(static_cast<int32_t>(index), network.data(), static_cast<int>(length)));
}

/// File descriptors that this process may have.
Value descriptor_limit(const CallbackInfo& info) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return number(info, 0);
  return number(info, static_cast<double>(limit.rlim_cur));
}

/// Requests that the event loop has under way: files, name look-ups, the thread pool, real sockets.
Value active_requests(const CallbackInfo& info) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(info.Env(), &loop) != napi_ok) return number(info, 0);
  return number(info, loop->active_reqs.count);
}

}  // namespace

void define_system(Napi::Env env, Napi::Object exports) {
  exports.Set("probeGuard", Napi::Function::New(env, call_probe_guard, "probeGuard"));
  exports.Set("interfaceIndex", Napi::Function::New(env, interface_index, "interfaceIndex"));
  exports.Set("interfaceName", Napi::Function::New(env, interface_of_index, "interfaceName"));
  exports.Set("interfaceMtu", Napi::Function::New(env, call_interface_mtu, "interfaceMtu"));
  exports.Set("interfaceIsUp", Napi::Function::New(env, call_interface_is_up, "interfaceIsUp"));
  exports.Set("setUpInterface", Napi::Function::New(env, call_set_up_interface, "setUpInterface"));
  exports.Set("addAddress", Napi::Function::New(env, call_add_address, "addAddress"));
  exports.Set("addRoute", Napi::Function::New(env, call_add_route, "addRoute"));
  exports.Set("descriptorLimit", Napi::Function::New(env, descriptor_limit, "descriptorLimit"));
  exports.Set("activeRequests", Napi::Function::New(env, active_requests, "activeRequests"));
}

}  // namespace netland
