#include "micro/kernels/dot/four_deep_dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* The first `eights` times eight elements of the rows, at least one eight; sums (until end, a multiple
   of 4). A function without a frame of the compiler, because it needs all registers. On the stack: 0
   x, 4 eights, 8 sums, 12 end, 16 the distance from the last eight of a row to the fourth row after
   it. */
__attribute__((naked, noinline)) static void gc_dot_eights(
    const int8_t* w GC_UNUSED, const gc_pair* x GC_UNUSED, int32_t stride GC_UNUSED,
    int32_t* sums GC_UNUSED, const int32_t* end GC_UNUSED, int32_t eights GC_UNUSED) {
  __asm__(
      "push {r4-r11, lr}\n\t"
      "ldrd r5, r6, [sp, #36]\n\t" /* end, eights */
      "mov r4, r3\n\t"
      "mov r3, r6\n\t"
      "lsl r6, r2, #2\n\t"
      "sub r6, r6, r3, lsl #3\n\t"
      "push {r1, r3, r4, r5, r6}\n\t"
      "mov lr, r3\n\t"
      "add r3, r2, r2, lsl #1\n"
      "0:\n\t"
      "ldr r8, [sp, #8]\n\t"
      "ldm r8, {r4-r7}\n\t"
      ".balign 4\n"
      "1:\n\t" GC_FOUR_DEEP GC_FOUR_DEEP
      "subs lr, lr, #1\n\t"
      "bne 1b\n\t"
      "ldr r8, [sp, #8]\n\t"
      "ldr r9, [sp, #12]\n\t"
      "ldr r10, [sp, #16]\n\t"
      "ldr r1, [sp]\n\t"
      "ldr lr, [sp, #4]\n\t"
      "stm r8!, {r4-r7}\n\t"
      "str r8, [sp, #8]\n\t"
      "add r0, r0, r10\n\t"
      "cmp r8, r9\n\t"
      "bne 0b\n\t"
      "add sp, sp, #20\n\t"
      "pop {r4-r11, pc}\n\t");
}

void gc_dot_dsp(const int8_t* w, int32_t stride, const gc_pair* x, int32_t n, int32_t* sums,
                int32_t count) {
  const int32_t whole = n & ~7;
  if (whole > 0) gc_dot_eights(w, x, stride, sums, sums + count, whole / 8);
  const int16_t* rest = (const int16_t*)x;
  for (int32_t o = 0; o < count && whole < n; ++o, w += stride) {
    for (int32_t i = whole; i < n; ++i) sums[o] += rest[i] * w[i];
  }
}

#endif
