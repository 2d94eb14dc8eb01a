// Tests the state at the start of main: data, zeros, constructors, FPU and Helium, arguments, and
// the pattern in the stack.
#include <cstring>

#include "micro/boards/cortex_m/check.h"

#if __ARM_FEATURE_MVE
#include <arm_mve.h>
#endif

extern "C" uint32_t stack_top[];  // defined by the linker script

namespace groupcomm::board {
namespace {

struct Constructed {
  explicit Constructed(int value) : tripled(3 * value) {}
  ~Constructed() { tripled = 0; }  // never called, but registered at start
  int tripled;
};

// volatile: computed at run time and not by the compiler
volatile int two = 2;
volatile uint32_t data[] = {0xDEADBEEF, 7};  // (2)
volatile uint8_t zeros[100000];
Constructed constructed(two + 12);

void Memory() {
  CHECK_EQ(data[0], 0xDEADBEEF);
  CHECK_EQ(data[1], 7);
  for (const volatile uint8_t& zero : zeros) CHECK_EQ(zero, 0);
  CHECK_EQ(constructed.tripled, 42);
  static Constructed late(two);
  CHECK_EQ(late.tripled, 6);
}

void Floats() {
  const volatile float half = 0.5f;
  const float product = half * 3 + static_cast<float>(two);
  CHECK_EQ(static_cast<int>(product * 1000), 3500);
  const volatile double third = 1.0 / 3;
  CHECK_EQ(static_cast<int64_t>(third * 3e15), 1000000000000000);
}

#if __ARM_FEATURE_MVE
void Helium() {
  int8_t a[16], b[16];  // (16)
  int expected = two;
  for (int i = 0; i < 16; ++i) {
    a[i] = static_cast<int8_t>(i * 7 - 60);
    b[i] = static_cast<int8_t>(50 - i * 9);
    expected += a[i] * b[i];
  }
  CHECK_EQ(vmladavaq_s8(two, vld1q_s8(a), vld1q_s8(b)), expected);
  const float32x4_t sum = vfmaq_n_f32(vdupq_n_f32(1), vdupq_n_f32(static_cast<float>(two)), 3);
  CHECK_EQ(static_cast<int>(vgetq_lane_f32(sum, 3)), 7);
}
#endif

// Writes the word 4,096 bytes below the stack pointer, and returns the stack pointer.
__attribute__((naked, noinline)) uint32_t UseStack() {
  __asm__ volatile(
      "mov r0, sp\n"
      "sub.w sp, sp, #4096\n"
      "str r0, [sp]\n"
      "add.w sp, sp, #4096\n"
      "bx lr\n");
}

void StackMark() {
  CHECK_EQ(BoardStackBytes(), 32768);
  const uint32_t before = BoardStackUsed();
  CHECK_TRUE(before > 0);
  CHECK_LE(before, 1024);
  const uint32_t here = UseStack();
  CHECK_EQ(BoardStackUsed(), reinterpret_cast<uint32_t>(stack_top) - here + 4096);
}

void Arguments(int argc, char** argv) {
  CHECK_EQ(argc, 3);
  CHECK_EQ(std::strncmp(argv[0], "startup_test_cortex_m", 21), 0);
  CHECK_EQ(std::strcmp(argv[1], "one"), 0);
  CHECK_EQ(std::strcmp(argv[2], "two,three"), 0);
}

}  // namespace
}  // namespace groupcomm::board

int main(int argc, char** argv) {
  groupcomm::board::Memory();
  groupcomm::board::Floats();
#if __ARM_FEATURE_MVE
  groupcomm::board::Helium();
#endif
  groupcomm::board::StackMark();
  groupcomm::board::Arguments(argc, argv);
}
