#pragma once

// A test runner: TEST(name) { CHECK(condition); CHECK_EQ(actual, expected); SKIP("why"); }

#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace netland::test {

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

struct Failure : std::runtime_error {
  using runtime_error::runtime_error;
};
struct Skip : std::runtime_error {
  using runtime_error::runtime_error;
};

template <typename A, typename B>
void check_equal(const A& actual, const B& expected, const char* text, const char* file, int line) {
  if (actual == expected) return;
  std::ostringstream message;
  // Unary plus: bytes as numbers.
  message << file << ':' << line << ": " << text << " is " << +actual << ", not " << +expected;
  throw Failure(message.str());
}

}  // namespace netland::test

#define TEST(name)                                                              \
  static void test_##name();                                                    \
  static const netland::test::Registration register_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition)                                                                  \
  do {                                                                                    \
    if (!(condition))                                                                     \
      throw netland::test::Failure(std::string(__FILE__ ":") + std::to_string(__LINE__) + \
                                   ": not " #condition);                                  \
  } while (false)

#define CHECK_EQ(actual, expected) \
  netland::test::check_equal(actual, expected, #actual, __FILE__, __LINE__)

#define SKIP(reason) throw netland::test::Skip(reason)
