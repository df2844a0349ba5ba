#include <napi.h>

#include "addon/codec.h"
#include "addon/device.h"
#include "addon/monitor.h"
#include "addon/port_guards.h"
#include "addon/routes.h"
#include "addon/system.h"

namespace netland {

// No state outlives an environment or is shared between two: each gets classes of its own, and
// everything open belongs to an object of theirs.
Napi::Object define(Napi::Env env, Napi::Object exports) {
  exports.Set("Device", Device::define(env));
  exports.Set("PortGuards", PortGuards::define(env));
  exports.Set("Routes", Routes::define(env));
  exports.Set("Monitor", Monitor::define(env));
  define_system(env, exports);
  define_codec(env, exports);
  return exports;
}

NODE_API_MODULE(netland, define)

}  // namespace netland
