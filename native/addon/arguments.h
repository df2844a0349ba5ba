#pragma once

// Reading what JavaScript passes. The only caller is lib/link: what doesn't fit is a bug there and
// becomes a TypeError.

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace netland {

template <typename T>
struct ArrayType;
template <>
struct ArrayType<uint8_t> {
  static constexpr napi_typedarray_type value = napi_uint8_array;
};
template <>
struct ArrayType<int32_t> {
  static constexpr napi_typedarray_type value = napi_int32_array;
};
template <>
struct ArrayType<double> {
  static constexpr napi_typedarray_type value = napi_float64_array;
};

/// The elements of a typed array of T's kind; empty for anything else.
template <typename T>
std::span<T> elements(const Napi::Value& value) {
  napi_typedarray_type type;
  size_t length;
  void* data;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) !=
      napi_ok) {
    return {};
  }
  if (type != ArrayType<T>::value) return {};
  return {static_cast<T*>(data), length};
}

/// The number, an integer within a range that includes both ends; -1 for anything else.
inline int64_t integer(const Napi::Value& value, int64_t least, int64_t most) {
  if (!value.IsNumber()) return -1;
  const double number = value.As<Napi::Number>().DoubleValue();
  const auto whole = number >= -9e15 && number <= 9e15 ? static_cast<int64_t>(number) : least - 1;
  return static_cast<double>(whole) == number && whole >= least && whole <= most ? whole : -1;
}

/// An interface's name; empty for anything that can't be one.
inline std::string interface_name(const Napi::Value& value) {
  if (!value.IsString()) return {};
  std::string name = value.As<Napi::String>().Utf8Value();
  return name.size() < 16 ? name : std::string();
}

inline Napi::Value misuse(Napi::Env env, const char* what) {
  Napi::TypeError::New(env, what).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace netland
