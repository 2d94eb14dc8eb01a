// fail MODE: fails in one of several ways.
#include <cstdlib>
#include <cstring>

#include "micro/boards/cortex_m/board.h"

namespace {

volatile int zero = 0;

__attribute__((noinline)) int Recurse(int depth) {
  volatile char block[256];
  block[0] = static_cast<char>(depth);
  return depth == 0 ? 0 : Recurse(depth - 1) + block[0];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    groupcomm::board::PrintError("usage: fail MODE\n");
    return 3;
  }
  const char* how = argv[1];
  if (std::strcmp(how, "nothing") == 0) return 0;
  if (std::strcmp(how, "return") == 0) return 1;
  if (std::strcmp(how, "undefined") == 0) __asm__ volatile("udf #0");
  if (std::strcmp(how, "address") == 0) *reinterpret_cast<volatile int*>(0xF0000000) = 1;
  if (std::strcmp(how, "divide") == 0) return argc / zero;
  if (std::strcmp(how, "overflow") == 0) return Recurse(1000);
  if (std::strcmp(how, "abort") == 0) std::abort();
  groupcomm::board::PrintError(how);
  groupcomm::board::PrintError(": not a known mode\n");
  return 2;
}
