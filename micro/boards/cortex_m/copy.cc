// copy FROM TO BLOCK: copies a file of the host in blocks of BLOCK bytes, and prints its length.
#include <cstdlib>

#include "micro/boards/cortex_m/board.h"

using groupcomm::board::File;
using groupcomm::board::Print;
using groupcomm::board::PrintError;

namespace {

int Fail(const char* path, const char* why) {
  PrintError(path);
  PrintError(why);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  static char block[65536];
  if (argc != 4) return 3;
  const int bytes = std::atoi(argv[3]);
  if (bytes < 1 || bytes > static_cast<int>(sizeof(block)))
    return Fail(argv[3], ": not a valid block size\n");
  File from, to;
  if (!from.Open(argv[1], File::Mode::kRead)) return Fail(argv[1], ": cannot read\n");
  if (!to.Open(argv[2], File::Mode::kWrite)) return Fail(argv[2], ": cannot write\n");
  for (int got; (got = from.Read(block, bytes)) > 0;) {
    if (!to.Write(block, got)) return Fail(argv[2], ": cannot write\n");
  }
  Print(from.Length());
  Print("\n");
  return from.Close() && to.Close() ? 0 : 1;
}
