// The instruction by which firmware calls its host, and the calls of Arm's semihosting
// specification that are used here.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  kSemihostOpen = 0x01,
  kSemihostClose = 0x02,
  kSemihostWriteText = 0x04,
  kSemihostWrite = 0x05,
  kSemihostRead = 0x06,
  kSemihostLength = 0x0C,
  kSemihostCommandLine = 0x15,
  kSemihostExit = 0x20,
};

// `arguments` is a block of words or a text, depending on the call.
static inline int Semihost(int call, const void* arguments) {
  register int r0 __asm__("r0") = call;
  register const void* r1 __asm__("r1") = arguments;
  __asm__ volatile("bkpt #0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

#ifdef __cplusplus
}
#endif
