// Services of firmware without an operating system: text on the console, files of the host, an exit
// code, and the depth of the stack. main gets its arguments as on a host. There is no heap:
// firmware that calls malloc does not link.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((noreturn)) void BoardExit(int code);

// Prints "what: value" on stderr, and ends with exit code 1.
__attribute__((noreturn)) void BoardFail(const char* what, int32_t value);

// The size of the stack in bytes, and the largest number of bytes in use since reset, down to the
// lowest word that was ever written.
uint32_t BoardStackBytes(void);
uint32_t BoardStackUsed(void);

#ifdef __cplusplus
}

namespace groupcomm::board {

// Print prints to the host's stdout, PrintError to its stderr.
void Print(const char* text);
void Print(int64_t value);
void PrintError(const char* text);

// A file of the host, read or written in blocks of any size.
class File {
 public:
  enum class Mode { kRead, kWrite };

  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool Open(const char* path, Mode mode);         // kWrite truncates the file
  int Length() const;                             // bytes; -1 on failure
  int Read(void* data /* (bytes) */, int bytes);  // bytes read; fewer at the end or on failure
  bool Write(const void* data /* (bytes) */, int bytes);
  bool Close();

 private:
  int handle_ = -1;
};

}  // namespace groupcomm::board
#endif
