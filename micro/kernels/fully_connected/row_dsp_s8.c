#include "micro/kernels/dot/four_deep_dsp.h"
#include "micro/kernels/fully_connected/fully_connected.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Scales the sums a and b of two adjacent outputs with the multipliers in m and n. The shifts to the
   right are the lowest bytes of r3, the zero point is in lr. The outputs take turns, because the M33
   waits where the next instruction needs a product or a shifted value. */
#define GC_SCALE_TWO(a, b, m, n)   \
  "lsl " m ", " m                  \
  ", #1\n\t"                       \
  "lsl " n ", " n                  \
  ", #1\n\t"                       \
  "smmlar " a ", " a ", " m ", " a \
  "\n\t"                           \
  "smmlar " b ", " b ", " n ", " b \
  "\n\t"                           \
  "adds " a ", " a ", " a          \
  ", asr #31\n\t"                  \
  "lsr " m                         \
  ", r3, #8\n\t"                   \
  "asrs " a ", " a                 \
  ", r3\n\t"                       \
  "adc " a ", " a                  \
  ", lr\n\t"                       \
  "adds " b ", " b ", " b          \
  ", asr #31\n\t"                  \
  "ssat " a ", #8, " a             \
  "\n\t"                           \
  "asrs " b ", " b ", " m          \
  "\n\t"                           \
  "adc " b ", " b                  \
  ", lr\n\t"                       \
  "ssat " b ", #8, " b "\n\t"

/* A function without a frame of the compiler, because it needs all registers. */
__attribute__((naked)) void gc_row_dsp_s8(gc_row* row GC_UNUSED) {
  __asm__(
      "push {r0, r4-r11, lr}\n\t"
      ".balign 4\n"
      "0:\n\t"
      "ldr r8, [sp]\n\t"
      "ldm r8, {r0-r3, r9}\n\t" /* w, x, inputs, eights, bias */
      "mov lr, r3\n\t"
      "ldm r9!, {r4-r7}\n\t"
      "str r9, [r8, #16]\n\t"
      "add r3, r2, r2, lsl #1\n\t"
      ".balign 4\n"
      "1:\n\t" GC_FOUR_DEEP GC_FOUR_DEEP
      "subs lr, lr, #1\n\t"
      "bne 1b\n\t"
      "ldr r8, [sp]\n\t"
      "add r0, r0, r3\n\t"
      "str r0, [r8]\n\t"
      "ldrd r1, r2, [r8, #20]\n\t" /* multiplier, shift */
      "ldm r1!, {r9, r10, r11, ip}\n\t"
      "ldr r3, [r2], #4\n\t"
      "mov lr, #0\n\t"
      "str r1, [r8, #20]\n\t"
      "str r2, [r8, #24]\n\t"
      "usub8 r3, lr, r3\n\t"
      "ldr r2, [r8, #28]\n\t"
      "ldr lr, [r8, #36]\n\t" GC_SCALE_TWO("r4", "r5", "r9", "r10")
      "lsr r3, r3, #16\n\t" GC_SCALE_TWO("r6", "r7", "r11", "ip")
      "ldr r9, [r8, #32]\n\t"
      "strb r4, [r2], #1\n\t"
      "strb r5, [r2], #1\n\t"
      "strb r6, [r2], #1\n\t"
      "strb r7, [r2], #1\n\t"
      "str r2, [r8, #28]\n\t"
      "cmp r2, r9\n\t"
      "bne 0b\n\t"
      "pop {r0, r4-r11, pc}\n\t");
}

#endif
