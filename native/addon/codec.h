#pragma once

#include <napi.h>

namespace netland {

/// Adds the core's functions on many packets at once, and its tables: with them lib/codec is
/// compared.
void define_codec(Napi::Env env, Napi::Object exports);

}  // namespace netland
