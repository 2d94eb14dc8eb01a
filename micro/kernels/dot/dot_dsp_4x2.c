#include "micro/kernels/dot/dot.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Two elements of the depth: 16 products. r10 and r11 get a pair of each row of inputs, ip and lr
   the pairs of two rows of weights. What was loaded last is used last, because the M33 waits for
   it. */
#define GC_TWO_DEEP             \
  "ldrd r10, r11, [r9], #8\n\t" \
  "ldrd ip, lr, [r8], #8\n\t"   \
  "smlad r0, ip, r10, r0\n\t"   \
  "smlad r4, ip, r11, r4\n\t"   \
  "smlad r1, lr, r10, r1\n\t"   \
  "smlad r5, lr, r11, r5\n\t"   \
  "ldrd ip, lr, [r8], #8\n\t"   \
  "smlad r2, ip, r10, r2\n\t"   \
  "smlad r6, ip, r11, r6\n\t"   \
  "smlad r3, lr, r10, r3\n\t"   \
  "smlad r7, lr, r11, r7\n\t"
#define GC_EIGHT_DEEP GC_TWO_DEEP GC_TWO_DEEP GC_TWO_DEEP GC_TWO_DEEP

/* Four elements of the depth of four rows of int8 weights, widened, doubled where more is
   GC_TWICE, and interleaved. Of the four loads, that with a post-index comes last: the others use
   its address. */
#define GC_ONCE
#define GC_TWICE             \
  "sadd16 r4, r4, r4\n\t"    \
  "sadd16 r5, r5, r5\n\t"    \
  "sadd16 r6, r6, r6\n\t"    \
  "sadd16 r7, r7, r7\n\t"    \
  "sadd16 r8, r8, r8\n\t"    \
  "sadd16 r9, r9, r9\n\t"    \
  "sadd16 r10, r10, r10\n\t" \
  "sadd16 r11, r11, r11\n\t"
#define GC_WIDEN_FOUR(more)       \
  "ldr r11, [r0, lr]\n\t"         \
  "ldr r10, [r0, r2, lsl #1]\n\t" \
  "ldr r9, [r0, r2]\n\t"          \
  "ldr r8, [r0], #4\n\t"          \
  "sxtb16 r7, r11\n\t"            \
  "sxtb16 r6, r10\n\t"            \
  "sxtb16 r5, r9\n\t"             \
  "sxtb16 r4, r8\n\t"             \
  "sxtb16 r8, r8, ror #8\n\t"     \
  "sxtb16 r9, r9, ror #8\n\t"     \
  "sxtb16 r10, r10, ror #8\n\t"   \
  "sxtb16 r11, r11, ror #8\n\t" more "stm ip!, {r4-r11}\n\t"

/* Eight sums, four pairs and two pointers take all registers, so there is none for a counter. The
   products of 32 elements stand in sequence; a smaller depth enters the sequence nearer to its end,
   a larger one passes it again. What else is needed is on the stack:
     0 bias (2, 4), 32 w, 36 where the sequence is entered, 40 x, 44 x_end, 48 sums, 52 the end of w
   One LDM loads the biases to the sums and w to r8, and jumps. A function without a frame of the
   compiler, which would need a register for it. */
__attribute__((naked)) void gc_dot_dsp_4x2(const gc_dot* d GC_UNUSED) {
  __asm__(
      "push {r4-r11, lr}\n\t"
      "sub sp, sp, #60\n\t"
      /* w, x, x_end, sums, bias, left, eights, bytes, count, weights_left */
      "ldm r0, {r0, r2-r10}\n\t"
      "ldm r5, {r1, r11, ip, lr}\n\t"
      "lsl r1, r1, r6\n\t"
      "lsl r11, r11, r6\n\t"
      "lsl ip, ip, r6\n\t"
      "lsl lr, lr, r6\n\t"
      "add r6, sp, #16\n\t"
      "add r5, r0, r7, lsl #6\n\t"
      "stm sp, {r1, r11, ip, lr}\n\t"
      "stm r6, {r1, r11, ip, lr}\n\t"
      "subs r6, r7, #1\n\t"
      "and r6, r6, #3\n\t"
      "adds r6, r6, #1\n\t" /* 1 to 4 eights in the first pass, */
      "mov ip, #176\n\t"    /* of so many bytes each */
      "adr r1, 2f\n\t"
      "mls r1, r6, ip, r1\n\t"
      "add r6, sp, #32\n\t"
      "adds r1, r1, #1\n\t" /* Thumb */
      "stm r6, {r0-r5}\n\t"
      "mov ip, r0\n\t"
      "movs r2, r9\n\t"
      "beq 4f\n\t" /* interleaved already */
      "mov r1, r7\n\t"
      "mov r0, r8\n\t"
      "add lr, r2, r2, lsl #1\n\t"
      "cmp r10, #0\n\t"
      "bne 5f\n\t"
      ".balign 4\n"
      "3:\n\t" GC_WIDEN_FOUR(GC_ONCE) GC_WIDEN_FOUR(GC_ONCE)
      "subs r1, r1, #1\n\t"
      "bne 3b\n\t"
      "b 4f\n\t"
      ".balign 4\n"
      "5:\n\t" GC_WIDEN_FOUR(GC_TWICE)  GC_WIDEN_FOUR(GC_TWICE)
      "subs r1, r1, #1\n\t"
      "bne 5b\n"
      "4:\n\t"
      "ldr r9, [sp, #40]\n"
      "0:\n\t"
      "ldm sp, {r0-r8, pc}\n\t"
      ".balign 4\n"
      "1:\n\t" GC_EIGHT_DEEP GC_EIGHT_DEEP GC_EIGHT_DEEP GC_EIGHT_DEEP
      "2:\n\t"
      "ldr r10, [sp, #52]\n\t"
      "ldr r11, [sp, #44]\n\t"
      "ldr lr, [sp, #48]\n\t"
      "cmp r8, r10\n\t"
      "bne 1b\n\t"
      "stm lr!, {r0-r7}\n\t"
      "str lr, [sp, #48]\n\t"
      "cmp r9, r11\n\t"
      "bne 0b\n\t"
      "add sp, sp, #60\n\t"
      "pop {r4-r11, pc}\n\t");
}

#endif
