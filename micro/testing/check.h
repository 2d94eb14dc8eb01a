// A minimal test framework: a failed check prints its place and its values, and ends the test.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

namespace groupcomm::testing {

template <typename A, typename B>
[[noreturn]] void FailCheck(const char* file, int line, const char* words, const A& a, const B& b) {
  std::ostringstream text;
  text << file << ":" << line << ": " << words << ": " << a << " and " << b << "\n";
  std::fputs(text.str().c_str(), stderr);
  std::exit(1);
}

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace groupcomm::testing

#define CHECK_OP(a, op, b)                                                                    \
  do {                                                                                        \
    const auto check_a = (a);                                                                 \
    const auto check_b = (b);                                                                 \
    if (!(check_a op check_b)) {                                                              \
      groupcomm::testing::FailCheck(__FILE__, __LINE__, #a " " #op " " #b, check_a, check_b); \
    }                                                                                         \
  } while (false)

#define CHECK_EQ(a, b) CHECK_OP(a, ==, b)
#define CHECK_LE(a, b) CHECK_OP(a, <=, b)
#define CHECK_TRUE(a) CHECK_OP(static_cast<bool>(a), ==, true)
#define CHECK_STATUS(a, status) \
  CHECK_EQ(std::string(groupcomm::StatusText(a)), groupcomm::StatusText(status))
#define CHECK_CONTAINS(text, part)                                                            \
  do {                                                                                        \
    const std::string check_text = (text);                                                    \
    if (!groupcomm::testing::Contains(check_text, part)) {                                    \
      groupcomm::testing::FailCheck(__FILE__, __LINE__, #text " contains " #part, check_text, \
                                    part);                                                    \
    }                                                                                         \
  } while (false)
