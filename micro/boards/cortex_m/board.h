// What firmware has instead of an operating system: text to the console, files of the host in blocks, an exit code, the stack's mark.
// main gets its arguments as on a host. There is no heap: firmware that calls malloc does not link.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((noreturn)) void BoardExit(int code);

// "what: value" on stderr, and exit code 1.
__attribute__((noreturn)) void BoardFail(const char* what, int32_t value);

// Bytes of the stack, and how many of them have been in use at most since reset: down to the lowest word that was ever written.
uint32_t BoardStackBytes(void);
uint32_t BoardStackUsed(void);

#ifdef __cplusplus
}

namespace groupcomm::board {

// To the host's stdout and stderr. Bad news goes to stderr.
void Print(const char* text);
void Print(int64_t value);
void Complain(const char* text);

// A file of the host, read or written in blocks of the caller's size.
class File {
 public:
  enum class Mode { kRead, kWrite };

  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool Open(const char* path, Mode mode);  // kWrite empties the file
  int Length() const;                      // bytes; -1 on failure
  int Read(void* data, int bytes);         // bytes that were there: fewer at the end, or on failure
  bool Write(const void* data, int bytes);
  bool Close();

 private:
  int handle_ = -1;
};

}  // namespace groupcomm::board
#endif
