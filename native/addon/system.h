#pragma once

#include <napi.h>

namespace netland {

/// Adds the functions that ask or tell the system something.
void define_system(Napi::Env env, Napi::Object exports);

}  // namespace netland
