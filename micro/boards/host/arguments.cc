#include "micro/boards/host/arguments.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace groupcomm::host {
namespace {

// Returns a text in one line: control characters become escapes such as \x0a.
std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const unsigned byte = static_cast<unsigned char>(c);
    char escape[] = "\\x00";
    std::snprintf(escape + 2, sizeof(escape) - 2, "%02x", byte);
    line += std::iscntrl(byte) ? escape : std::string(1, c);
  }
  return line;
}

}  // namespace

bool Program::Parse(int argc, char** argv, const std::vector<std::string>& required,
                    const std::vector<std::string>& optional) {
  const auto known = [&](const std::string& name) {
    return std::count(required.begin(), required.end(), name) +
               std::count(optional.begin(), optional.end(), name) >
           0;
  };
  const auto refuse = [this](const std::string& message) {
    Fail(message + "; usage: " + name_ + " " + usage_);
    return false;
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--help" || name == "-h") {
      std::printf("%s %s\n", name_, usage_);
      exit_code_ = 0;
      return false;
    }
    if (!known(name)) return refuse(name + " is not known");
    if (i + 1 == argc) return refuse(name + " has no value");
    if (!values_.emplace(name, argv[i + 1]).second) return refuse(name + " is given twice");
  }
  for (const std::string& name : required) {
    if (!Has(name)) return refuse(name + " is missing");
  }
  return true;
}

int Program::Fail(const std::string& message) const {
  std::fprintf(stderr, "%s: %s\n", name_, OneLine(message).c_str());
  return kMisuse;
}

}  // namespace groupcomm::host
