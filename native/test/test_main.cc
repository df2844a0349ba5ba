#include "harness.h"

int main() {
  int passed = 0, failed = 0, skipped = 0;
  for (const auto& test : netland::test::cases()) {
    try {
      test.run();
      ++passed;
    } catch (const netland::test::Skip& skip) {
      ++skipped;
      std::cout << "skipped " << test.name << ": " << skip.what() << '\n';
    } catch (const std::exception& error) {
      ++failed;
      std::cout << "FAILED " << test.name << ": " << error.what() << '\n';
    }
  }
  std::cout << passed << " passed, " << failed << " failed, " << skipped << " skipped\n";
  return failed == 0 ? 0 : 1;
}
