// Writes what the fuzzers start from, one file for each sample packet, into a directory.

#include <cstdio>
#include <fstream>

#include "support.h"

using namespace netland::test;

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY\n", arguments[0]);
    return 2;
  }
  int number = 0;
  for (const Bytes& packet : sample_packets()) {
    std::ofstream file(std::string(arguments[1]) + "/seed-" + std::to_string(number++),
                       std::ios::binary);
    // The first byte asks for everything to be put right (input.h).
    file.put(7);
    file.write(reinterpret_cast<const char*>(packet.data()),
               static_cast<std::streamsize>(packet.size()));
    if (!file) return 1;
  }
  return 0;
}
