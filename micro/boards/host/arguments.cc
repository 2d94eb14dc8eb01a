#include "micro/boards/host/arguments.h"

#include <algorithm>
#include <cstdio>

namespace groupcomm::host {

bool Program::Parse(int argc, char** argv, const std::vector<std::string>& required, const std::vector<std::string>& optional) {
  const auto known = [&](const std::string& name) {
    return std::count(required.begin(), required.end(), name) + std::count(optional.begin(), optional.end(), name) > 0;
  };
  const std::string usage = std::string("; usage: ") + name_ + " " + usage_;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--help" || name == "-h") {
      std::printf("%s %s\n", name_, usage_);
      exit_code_ = 0;
      return false;
    }
    if (!known(name)) return Fail(name + " is not known" + usage), false;
    if (i + 1 == argc) return Fail(name + " has no value" + usage), false;
    if (!values_.emplace(name, argv[i + 1]).second) return Fail(name + " is given twice; give it once"), false;
  }
  for (const std::string& name : required) {
    if (!Has(name)) return Fail(name + " is missing" + usage), false;
  }
  return true;
}

int Program::Fail(const std::string& message) const {
  std::fprintf(stderr, "%s: %s\n", name_, message.c_str());
  return kMisuse;
}

}  // namespace groupcomm::host
