#include <span>

#include "core/descriptor.h"
#include "core/parse.h"
#include "harness.h"
#include "support.h"

using namespace netland;
using namespace netland::test;

static const std::string& layout() {
  static const std::string text = read_text("lib/core/segment/layout.ts");
  return text;
}

// The members of a `const enum` in TypeScript, without its comments: name, value, name, value, ...
static std::vector<std::string> members(const std::string& name) {
  const std::string head = "export const enum " + name + " {";
  const size_t start = layout().find(head);
  CHECK(start != std::string::npos);
  const size_t from = start + head.size();
  std::istringstream lines(layout().substr(from, layout().find('}', from) - from));
  std::vector<std::string> words;
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find(" = ");
    const size_t first = line.find_first_not_of(' ');
    if (equals == std::string::npos || line[first] == '/' || line[first] == '*') continue;
    words.push_back(line.substr(first, equals - first));
    words.push_back(line.substr(equals + 3, line.find(',') - equals - 3));
  }
  return words;
}

static void compare(const std::string& name, std::span<const NamedNumber> ours) {
  const std::vector<std::string> theirs = members(name);
  CHECK_EQ(theirs.size(), 2 * ours.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    CHECK(theirs[2 * i] == ours[i].name);
    CHECK_EQ(std::stol(theirs[2 * i + 1], nullptr, 0), ours[i].number);
  }
}

TEST(layout_is_that_of_typescript) {
  compare("Word", kWordNames);
  compare("IcmpWord", kIcmpWordNames);
  compare("BuildWord", kBuildWordNames);
  compare("ArpWord", kArpWordNames);
  compare("Checksum", kChecksumStateNames);
  compare("Direction", kDirectionNames);
  compare("Flag", kFlagNames);
  compare("Option", kOptionNames);
  compare("IpProtocol", kProtocolNames);
  for (const NamedNumber& limit : kLimitNames) {
    const std::string line =
        "export const " + std::string(limit.name) + " = " + std::to_string(limit.number) + ";";
    CHECK(layout().find(line) != std::string::npos);
  }
}

TEST(parse_results_are_numbered_by_their_place) {
  for (size_t i = 0; i < kParseResults; ++i) {
    CHECK_EQ(static_cast<size_t>(kParseResultNames[i].number), i);
    CHECK(std::string(kParseResultCounters[i]).size() > 0);
  }
}
