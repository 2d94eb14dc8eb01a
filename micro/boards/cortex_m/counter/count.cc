// Spans of known length, for the test of the counter.
#include "micro/boards/cortex_m/board.h"
#include "micro/boards/cortex_m/marker.h"

using groupcomm::board::SpanBegin;
using groupcomm::board::SpanEnd;

// n iterations of two instructions, and the return.
extern "C" __attribute__((naked, noinline)) void CountedLoop(int) {
  __asm__ volatile(
      "1: subs r0, r0, #1\n"
      "bne 1b\n"
      "bx lr\n");
}

// Span 6 begins and ends at every offset that code can have in a page of QEMU, which has 1 KB: the
// offset advances by 10 bytes.
extern "C" __attribute__((naked, noinline)) void MarksEverywhere() {
  __asm__ volatile(
      ".rept 512\n"
      "dbg #12\n"
      "dbg #13\n"
      "nop\n"
      ".endr\n"
      "bx lr\n");
}

// Two calls that the counter distinguishes by their addresses.
extern "C" __attribute__((naked, noinline)) void TwoCalls() {
  __asm__ volatile(
      "push {r4, lr}\n"
      "movs r0, #10\n"
      "bl CountedLoop\n"
      "movs r0, #100\n"
      "bl CountedLoop\n"
      "pop {r4, pc}\n");
}

// Spans are written in assembler, because the code that a compiler puts around a call has no known
// length.
#define CALL_LOOP(begin, turns, end)                                                 \
  __asm__ volatile("mov r0, %0\n dbg #" #begin "\n bl CountedLoop\n dbg #" #end "\n" \
                   :                                                                 \
                   : "r"(turns)                                                      \
                   : "r0", "lr", "cc", "memory")

int main() {
  SpanBegin<0>();
  SpanEnd<0>();

  SpanBegin<1>();
  __asm__ volatile(".rept 137\n nop\n .endr");
  SpanEnd<1>();

  // Span 2 in runs of 1, 1,000 and 1,000,000 iterations, within span 3.
  SpanBegin<3>();
  CALL_LOOP(4, 1, 5);
  CALL_LOOP(4, 1000, 5);
  CALL_LOOP(4, 1000000, 5);
  SpanEnd<3>();

  // An instruction whose condition fails is counted too.
  __asm__ volatile(
      "movs r0, #0\n dbg #8\n cmp r0, #1\n ite eq\n addeq r0, #1\n addne r0, #2\n dbg #9\n"
      :
      :
      : "r0", "cc", "memory");
  MarksEverywhere();

  // Two runs of span 7. After the mark, TwoCalls is not counted.
  __asm__ volatile(".rept 2\n dbg #14\n bl TwoCalls\n dbg #15\n .endr\n nop"
                   :
                   :
                   : "r0", "lr", "cc", "memory");

#if __ARM_FEATURE_MVE
  // A low-overhead loop of 10 iterations: one nop and one loop end each.
  __asm__ volatile("mov r0, #10\n dbg #10\n dls lr, r0\n 1: nop\n le lr, 1b\n dbg #11\n"
                   :
                   :
                   : "r0", "lr", "memory");
#endif
}
