// Checks for tests on a board, without a heap: a failed check prints its place and its values, and
// ends the test with exit code 1.
#pragma once

#include <cstdint>

#include "micro/boards/cortex_m/board.h"

namespace groupcomm::board {

[[noreturn]] inline void FailCheck(const char* where, const char* words, int64_t a, int64_t b) {
  Print(where);
  Print(words);
  Print(": ");
  Print(a);
  Print(" and ");
  Print(b);
  Print("\n");
  BoardExit(1);
}

}  // namespace groupcomm::board

#define BOARD_LINE_TEXT(line) #line
#define BOARD_LINE(line) BOARD_LINE_TEXT(line)
#define CHECK_OP(a, op, b)                                                                   \
  do {                                                                                       \
    const int64_t check_a = (a), check_b = (b);                                              \
    if (!(check_a op check_b)) {                                                             \
      groupcomm::board::FailCheck(__FILE__ ":" BOARD_LINE(__LINE__) ": ", #a " " #op " " #b, \
                                  check_a, check_b);                                         \
    }                                                                                        \
  } while (false)

#define CHECK_EQ(a, b) CHECK_OP(a, ==, b)
#define CHECK_LE(a, b) CHECK_OP(a, <=, b)
#define CHECK_TRUE(a) CHECK_OP(static_cast<bool>(a), ==, true)
