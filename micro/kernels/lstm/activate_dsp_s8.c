#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE
#include "micro/kernels/lstm/lstm_dsp.h"

/* The scaled sums of two units in r10 and r11, times 3. Registers: r0 x, r1 h, r2 gate, r4 and r5
   the multipliers of both, r6 the table, r7 the factors of a point and of its step, r8 the offset,
   r9 the number 3. */
#define GC_TWO_SUMS(scale_h)           \
  "ldrd r10, r11, [r0], #8\n\t"        \
  "smmulr r10, r10, r4\n\t"            \
  "smmulr r11, r11, r4\n\t"            \
  "ssat r10, #16, r10\n\t"             \
  "ssat r11, #16, r11\n\t"             \
  "pkhbt r10, r10, r11, lsl #16\n\t"   \
  "ldrd r11, ip, [r1], #8\n\t" scale_h \
  "pkhbt r11, r11, ip, lsl #16\n\t"    \
  "qadd16 r10, r10, r11\n\t"           \
  "smulbb r11, r10, r9\n\t"            \
  "smultb r10, r10, r9\n\t"

/* The sums of the hidden state without a shift, or with a shift to the right by 1, for which r3 is
   1: see gc_rescale_twice. */
#define GC_NO_SHIFT         \
  "smmulr r11, r11, r5\n\t" \
  "smmulr ip, ip, r5\n\t"   \
  "ssat r11, #16, r11\n\t"  \
  "ssat ip, #16, ip\n\t"
#define GC_SHIFT_BY_1              \
  "add lr, r3, r11, asr #31\n\t"   \
  "smmlar r11, r11, r5, lr\n\t"    \
  "add lr, r3, ip, asr #31\n\t"    \
  "smmlar ip, ip, r5, lr\n\t"      \
  "ssat r11, #16, r11, asr #1\n\t" \
  "ssat ip, #16, ip, asr #1\n\t"

/* The indexes of their points, the bits behind the index, and the shift of the result. */
#define GC_LOGISTIC_INDEX "asr ip, r11, #9\n\tasr lr, r10, #9\n\t"
#define GC_TANH_INDEX "ssat ip, #9, r11, asr #8\n\tssat lr, #9, r10, asr #8\n\t"

/* Interpolates both, as gc_interpolate does, and writes the pair. */
#define GC_TWO_RESULTS(index, bits, shift, left) \
  index "bfi r7, r11, #16, #" bits               \
        "\n\t"                                   \
        "ldr ip, [r6, ip, lsl #2]\n\t"           \
        "ldr lr, [r6, lr, lsl #2]\n\t"           \
        "add r11, r8, r11, asr #31\n\t"          \
        "smlad r11, ip, r7, r11\n\t"             \
        "bfi r7, r10, #16, #" bits               \
        "\n\t"                                   \
        "add r10, r8, r10, asr #31\n\t"          \
        "smlad r10, lr, r7, r10\n\t"             \
        "asr r11, r11, #" shift                  \
        "\n\t"                                   \
        "pkhbt r11, r11, r10, lsl #" left        \
        "\n\t"                                   \
        "str r11, [r2], #4\n\t"

/* Functions without a frame of the compiler, because they need all registers. */
#define GC_DEFINE_ACTIVATE(name, one, scale_h, index, bits, shift, left)                           \
  __attribute__((naked)) void name(const int32_t* x GC_UNUSED, const int32_t* h GC_UNUSED,         \
                                   gc_pair* gate GC_UNUSED, const gc_activate_data* d GC_UNUSED) { \
    __asm__(                                                                                     \
        "push {r4-r11, lr}\n\t"                                                                  \
        "ldm r3, {r3-r9}\n\t"                                                                    \
        "push {r3}\n\t" one                                                                      \
        ".balign 4\n"                                                                            \
        "0:\n\t" GC_TWO_SUMS(scale_h) GC_TWO_RESULTS(index, bits, shift, left)                   \
            GC_TWO_SUMS(scale_h) GC_TWO_RESULTS(index, bits, shift, left)                        \
        "ldr ip, [sp]\n\t"                                                                       \
        "cmp r0, ip\n\t"                                                                         \
        "bne 0b\n\t"                                                                             \
        "add sp, sp, #4\n\t"                                                                     \
        "pop {r4-r11, pc}\n\t"); \
  }

GC_DEFINE_ACTIVATE(gc_activate_dsp_logistic_0, "", GC_NO_SHIFT, GC_LOGISTIC_INDEX, "9", "10", "6")
GC_DEFINE_ACTIVATE(gc_activate_dsp_logistic_1, "movs r3, #1\n\t", GC_SHIFT_BY_1, GC_LOGISTIC_INDEX,
                   "9", "10", "6")
GC_DEFINE_ACTIVATE(gc_activate_dsp_tanh_0, "", GC_NO_SHIFT, GC_TANH_INDEX, "8", "8", "8")
GC_DEFINE_ACTIVATE(gc_activate_dsp_tanh_1, "movs r3, #1\n\t", GC_SHIFT_BY_1, GC_TANH_INDEX, "8",
                   "8", "8")

#endif
