// Parses command lines of the form --name value, and prints the one-line error of a failing
// program.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace groupcomm::host {

constexpr int kMisuse = 2;  // exit code for misuse or invalid input

class Program {
 public:
  // `usage` is the text after the program's name.
  Program(const char* name, const char* usage) : name_(name), usage_(usage) {}

  // Parses the arguments. When it returns false, the program ends with exit_code(). No option may
  // occur twice.
  bool Parse(int argc, char** argv, const std::vector<std::string>& required,
             const std::vector<std::string>& optional);

  bool Has(const std::string& name) const { return values_.count(name) != 0; }
  const std::string& operator[](const std::string& name) const { return values_.at(name); }

  // Prints `name: message` in one line and returns kMisuse.
  int Fail(const std::string& message) const;

  int exit_code() const { return exit_code_; }

 private:
  const char* name_;
  const char* usage_;
  std::map<std::string, std::string> values_;
  int exit_code_ = kMisuse;
};

}  // namespace groupcomm::host
