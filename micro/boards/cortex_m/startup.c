// Start-up from reset to main. After a fault, it reports the reason and ends with exit code 99.
#include <stdint.h>
#include <string.h>

#include "micro/boards/cortex_m/board.h"
#include "micro/boards/cortex_m/semihost.h"

enum {
  kFaultExitCode = 99,
  kMaxArguments = 16,
  kCommandLineBytes = 1024,
};

// Addresses, defined by the linker script.
extern uint32_t stack_limit[], stack_top[], fault_stack_top[];
extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
extern void (*const init_array_start[])(void);
extern void (*const init_array_end[])(void);

// The pattern that fills the stack. A macro, because the assembler needs it too.
#define PAINT 0xC5C5C5C5
#define WORDS(x) #x
#define ASSEMBLER(x) WORDS(x)

static volatile uint32_t* const kConfiguration = (uint32_t*)0xE000ED14;
static volatile uint32_t* const kHandlerControl = (uint32_t*)0xE000ED24;
static volatile uint32_t* const kFaultStatus = (uint32_t*)0xE000ED28;
static volatile uint32_t* const kMemoryFaultAddress = (uint32_t*)0xE000ED34;
#if __ARM_ARCH < 8
static volatile uint32_t* const kProtectionControl = (uint32_t*)0xE000ED94;
static volatile uint32_t* const kProtectionBase = (uint32_t*)0xE000ED9C;
static volatile uint32_t* const kProtectionAccess = (uint32_t*)0xE000EDA0;
#endif
static volatile uint32_t* const kBusFaultAddress = (uint32_t*)0xE000ED38;

int main(int argc, char** argv);

void BoardExit(int code) {
  const uint32_t block[2] = {0x20026 /* the program ended by itself */, (uint32_t)code};
  for (;;) Semihost(kSemihostExit, block);
}

static void Say(const char* text) { Semihost(kSemihostWriteText, text); }

static void SayHex(uint32_t value) {
  char text[11] = "0x";
  for (int digit = 0; digit < 8; ++digit)
    text[2 + digit] = "0123456789abcdef"[value >> (28 - 4 * digit) & 15];
  text[10] = 0;
  Say(text);
}

uint32_t BoardStackBytes(void) { return (uintptr_t)stack_top - (uintptr_t)stack_limit; }

uint32_t BoardStackUsed(void) {
  const uint32_t* lowest = stack_limit;
  while (lowest != stack_top && *lowest == PAINT) ++lowest;
  // a stack pointer moves by at least 8
  return ((uintptr_t)stack_top - (uintptr_t)lowest + 7) & ~(uintptr_t)7;
}

// Symbols that C++ and the C library need. Nothing is destroyed at the end.
void* __dso_handle;
int __aeabi_atexit(void* object, void (*destroy)(void*), void* dso) {
  (void)object, (void)destroy, (void)dso;
  return 0;
}

void abort(void) {
  Say("abort() was called\n");
  BoardExit(kFaultExitCode);
}

void __cxa_pure_virtual(void) {
  Say("a pure virtual function was called\n");
  BoardExit(kFaultExitCode);
}

// Splits the host's command line at spaces, in place.
static int Arguments(char** argv /* (kMaxArguments) */) {
  static char line[kCommandLineBytes];
  struct {
    char* text;
    int bytes;
  } block = {line, sizeof(line)};
  if (Semihost(kSemihostCommandLine, &block) != 0) {
    Say("the command line is longer than 1023 characters\n");
    BoardExit(2);
  }
  int argc = 0;
  for (char* at = line; *at != 0;) {
    if (argc == kMaxArguments) {
      Say("more than 15 arguments\n");
      BoardExit(2);
    }
    argv[argc++] = at;
    while (*at != 0 && *at != ' ') ++at;
    while (*at == ' ') *at++ = 0;
  }
  return argc;
}

__attribute__((used, noreturn)) static void Start(void) {
  for (uint32_t *to = data_start, *from = data_load; to != data_end;) *to++ = *from++;
  for (uint32_t* to = bss_start; to != bss_end;) *to++ = 0;
  *kHandlerControl |= 7u << 16;  // memory, bus and usage faults get handlers of their own
#if __ARM_ARCH < 8
  // This core has no stack limit. Region 0 denies access to the 16 MB below the stack: there is no
  // memory, but QEMU would not report an access.
  *kProtectionBase = ((uint32_t)stack_limit - (1u << 24)) | 1u << 4 /* region 0 */;
  *kProtectionAccess = 23u << 1 /* 2^24 bytes */ | 1;
  *kProtectionControl = 1u << 2 /* everything else as without regions */ | 1;
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
  *kConfiguration |= 1u << 4;  // a division by zero is a fault, as on the host
  for (void (*const* construct)(void) = init_array_start; construct != init_array_end; ++construct)
    (*construct)();
  static char* argv[kMaxArguments];
  const int argc = Arguments(argv);
  BoardExit(main(argc, argv));
}

// Runs before any C code: the pattern is written where C has its stack, and a compiler may use FPU
// registers anywhere.
__attribute__((naked, noreturn)) void Reset(void) {
  __asm__ volatile(
      "ldr r0, =stack_limit\n"
      "ldr r1, =stack_top\n"
      "ldr r2, =" ASSEMBLER(PAINT) "\n"
      "1: str r2, [r0], #4\n"
      "cmp r0, r1\n"
      "bne 1b\n"
#if __ARM_ARCH >= 8
      "ldr r0, =stack_limit\n"
      "msr msplim, r0\n"
#endif
      // CPACR: coprocessors 10 and 11 are the FPU, and Helium.
      "ldr r0, =0xE000ED88\n"
      "ldr r1, [r0]\n"
      "orr r1, r1, #0xF00000\n"
      "str r1, [r0]\n"
      "dsb\n"
      "isb\n"
      "b Start\n"
      ".ltorg\n");
}

// The registers that the core pushes before a handler runs.
struct Frame {
  uint32_t r0, r1, r2, r3, r12, lr, pc, status;
};

// Names of the exceptions, by their number.
static const char* const kExceptions[] = {
    0,
    0,
    "not maskable interrupt",
    "hard fault",
    "memory fault",
    "bus fault",
    "usage fault",
    "secure fault",
};

static const struct {
  int bit;  // of the Configurable Fault Status Register
  const char* text;
} kReasons[] = {
    {0, "instruction fetch not allowed"},
    {1, "data access not allowed"},
    {4, "stack not accessible"},
    {8, "no memory at the instruction"},
    {9, "no memory at the address"},
    {10, "no memory at an address written earlier"},
    {12, "no memory at the stack"},
    {16, "undefined instruction"},
    {17, "not Thumb code"},
    {18, "bad return from an exception"},
    {19, "FPU or coprocessor is off"},
    {20, "stack overflow"},
    {24, "access not aligned"},
    {25, "division by zero"},
};

__attribute__((used, noreturn)) static void Report(const struct Frame* frame, uint32_t exception) {
  const uint32_t status = *kFaultStatus;
  Say(exception < sizeof(kExceptions) / sizeof(kExceptions[0]) && kExceptions[exception]
          ? kExceptions[exception]
          : "unexpected interrupt");
  // After an overflow, the frame is missing or incomplete.
  const uint32_t* words = (const uint32_t*)frame;
  if (words < stack_limit) Say(": stack overflow");
  if (words >= stack_limit && words + 8 <= stack_top &&
      !(status & (1u << 4 | 1u << 12 | 1u << 20))) {
    Say(" at pc ");
    SayHex(frame->pc);
    Say(", called from ");
    SayHex(frame->lr);
  }
  for (unsigned i = 0; i < sizeof(kReasons) / sizeof(kReasons[0]); ++i) {
    if (status >> kReasons[i].bit & 1) Say(": "), Say(kReasons[i].text);
  }
  if (status >> 7 & 1) Say(": address "), SayHex(*kMemoryFaultAddress);
  if (status >> 15 & 1) Say(": address "), SayHex(*kBusFaultAddress);
  Say("\n");
  BoardExit(kFaultExitCode);
}

// Uses a separate stack: the other one may be exhausted, and then this function could not be
// called.
__attribute__((naked)) static void Fault(void) {
  __asm__ volatile(
      "mrs r0, msp\n"
      "mrs r1, ipsr\n"
#if __ARM_ARCH >= 8
      "movs r2, #0\n"
      "msr msplim, r2\n"
#endif
      "ldr r2, =fault_stack_top\n"
      "msr msp, r2\n"
      "b Report\n"
      ".ltorg\n");
}

// The initial stack pointer, Reset, and the handlers of the core's exceptions. No peripheral
// interrupt is ever enabled.
__attribute__((section(".vectors"), used)) static const void* const kVectors[16] = {
    stack_top, Reset, Fault, Fault, Fault, Fault, Fault, Fault,
    Fault,     Fault, Fault, Fault, Fault, Fault, Fault, Fault,
};
