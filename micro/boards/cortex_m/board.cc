#include "micro/boards/cortex_m/board.h"

#include <cstring>

#include "micro/boards/cortex_m/semihost.h"

namespace groupcomm::board {
namespace {

// Modes of fopen, by their index in the list of the specification.
constexpr int kReadBytes = 1;   // rb
constexpr int kWriteText = 4;   // w
constexpr int kWriteBytes = 5;  // wb

int OpenHandle(const char* path, int mode) {
  const struct {
    const char* path;
    int mode;
    int length;
  } block = {path, mode, static_cast<int>(std::strlen(path))};
  return Semihost(kSemihostOpen, &block);
}

// Returns the number of bytes that were not transferred.
int Transfer(int call, int handle, const void* data /* (bytes) */, int bytes) {
  const struct {
    int handle;
    const void* data;
    int bytes;
  } block = {handle, data, bytes};
  return Semihost(call, &block);
}

constexpr int kDigits = 21;  // 19 digits, a sign and the terminating 0

// Writes a decimal number to the end of `digits`, and returns its start.
const char* Decimal(int64_t value, char* digits /* (kDigits) */) {
  char* at = digits + kDigits - 1;
  *at = 0;
  uint64_t left = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  do {
    *--at = static_cast<char>('0' + left % 10);
    left /= 10;
  } while (left != 0);
  if (value < 0) *--at = '-';
  return at;
}

}  // namespace

void Print(const char* text) {
  static const int console = OpenHandle(":tt", kWriteText);  // stdout, by the specification
  Transfer(kSemihostWrite, console, text, static_cast<int>(std::strlen(text)));
}

void Print(int64_t value) {
  char digits[kDigits];
  Print(Decimal(value, digits));
}

void PrintError(const char* text) { Semihost(kSemihostWriteText, text); }

bool File::Open(const char* path, Mode mode) {
  handle_ = OpenHandle(path, mode == Mode::kRead ? kReadBytes : kWriteBytes);
  return handle_ >= 0;
}

int File::Length() const { return Semihost(kSemihostLength, &handle_); }

int File::Read(void* data, int bytes) {
  return bytes - Transfer(kSemihostRead, handle_, data, bytes);
}

bool File::Write(const void* data, int bytes) {
  return Transfer(kSemihostWrite, handle_, data, bytes) == 0;
}

bool File::Close() { return Semihost(kSemihostClose, &handle_) == 0; }

}  // namespace groupcomm::board

extern "C" void BoardFail(const char* what, int32_t value) {
  using namespace groupcomm::board;  // NOLINT
  char digits[kDigits];
  PrintError(what);
  PrintError(": ");
  PrintError(Decimal(value, digits));
  PrintError("\n");
  BoardExit(1);
}
