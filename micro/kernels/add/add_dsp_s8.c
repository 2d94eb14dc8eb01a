#include "micro/kernels/add/add.h"
#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* What gc_add_fours needs in registers, in their order. */
typedef struct {
  int32_t x_zero, multiplier, x_right, y_zero;
  uint32_t doubled;
  int32_t right, zero_point;
} gc_add_data;

/* TFLM's scales make one of the operands exactly half of its value * 2^20. The other one, x, is
   below 2^28 before it is scaled, so its value is doubled instead of its multiplier. Neither is
   shifted to the left. */
static inline gc_add_data gc_add_data_of(const gc_add* p, const gc_operand* x,
                                         const gc_scale* scale, const gc_operand* y) {
  const gc_add_data d = {
      -x->zero_point * (1 << 21),      scale->multiplier, -scale->shift, -y->zero_point * (1 << 19),
      gc_doubled(p->scale.multiplier), -p->scale.shift,   p->zero_point};
  return d;
}

static inline int8_t gc_add_one(const gc_add_data* d, int32_t x, int32_t y) {
  int32_t sum = d->x_zero + x * (1 << 21);
  __asm__(
      "smmulr %0, %0, %1\n\t"
      "adds %0, %0, %0, asr #31\n\t"
      "asrs %0, %0, %2\n\t"
      "adc %0, %0, %3"
      : "+r"(sum)
      : "r"(d->multiplier), "r"(d->x_right), "r"(d->y_zero + y * (1 << 19))
      : "cc");
  return (int8_t)gc_ssat(gc_rescale_fast(sum, d->doubled, d->right, d->zero_point), 8);
}

/* gc_add_one of four elements at a time, until out is end; a function without a frame of the
   compiler, because it needs all registers. x, y and out (a multiple of 4, not 0). Two elements, in
   r11 and lr, take turns, because the M33 waits where the next instruction needs a product or a
   shifted value. */
#define GC_ADD_TWO                  \
  "ldrsb r11, [r0], #1\n\t"         \
  "ldrsb ip, [r1], #1\n\t"          \
  "add r11, r4, r11, lsl #21\n\t"   \
  "add ip, r7, ip, lsl #19\n\t"     \
  "smmulr r11, r11, r5\n\t"         \
  "ldrsb lr, [r0], #1\n\t"          \
  "adds r11, r11, r11, asr #31\n\t" \
  "add lr, r4, lr, lsl #21\n\t"     \
  "asrs r11, r11, r6\n\t"           \
  "adc r11, r11, ip\n\t"            \
  "smmlar r11, r11, r8, r11\n\t"    \
  "ldrsb ip, [r1], #1\n\t"          \
  "smmulr lr, lr, r5\n\t"           \
  "adds r11, r11, r11, asr #31\n\t" \
  "add ip, r7, ip, lsl #19\n\t"     \
  "asrs r11, r11, r9\n\t"           \
  "adc r11, r11, r10\n\t"           \
  "adds lr, lr, lr, asr #31\n\t"    \
  "ssat r11, #8, r11\n\t"           \
  "asrs lr, lr, r6\n\t"             \
  "adc lr, lr, ip\n\t"              \
  "smmlar lr, lr, r8, lr\n\t"       \
  "strb r11, [r2], #1\n\t"          \
  "adds lr, lr, lr, asr #31\n\t"    \
  "asrs lr, lr, r9\n\t"             \
  "adc lr, lr, r10\n\t"             \
  "ssat lr, #8, lr\n\t"             \
  "strb lr, [r2], #1\n\t"
__attribute__((naked, noinline)) static void gc_add_fours(const int8_t* x GC_UNUSED,
                                                          const int8_t* y GC_UNUSED,
                                                          int8_t* out GC_UNUSED,
                                                          const int8_t* end GC_UNUSED,
                                                          const gc_add_data* d GC_UNUSED) {
  __asm__(
      "push {r4-r11, lr}\n\t"
      "ldr ip, [sp, #36]\n\t"
      "ldm ip, {r4-r10}\n\t"
      ".balign 4\n"
      "0:\n\t" GC_ADD_TWO GC_ADD_TWO
      "cmp r2, r3\n\t"
      "bne 0b\n\t"
      "pop {r4-r11, pc}\n\t");
}

void gc_add_dsp_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
  const int swap = !gc_is_half(&p->b_scale);
  const gc_operand *x = swap ? &p->b : &p->a, *y = swap ? &p->a : &p->b;
  const gc_scale* scale = swap ? &p->b_scale : &p->a_scale;
  const int8_t *at_x = swap ? b : a, *at_y = swap ? a : b;
  const gc_add_data d = gc_add_data_of(p, x, scale, y);
  const int32_t columns = p->columns;
  for (int32_t r = 0; r < p->rows; ++r, at_x += x->row, at_y += y->row, out += columns) {
    int32_t c = 0;
    if (x->step == 1 && y->step == 1 && columns >= 4) {
      c = columns & ~3;
      gc_add_fours(at_x, at_y, out, out + c, &d);
    }
    for (; c < columns; ++c) out[c] = gc_add_one(&d, at_x[c * x->step], at_y[c * y->step]);
    if (p->low > -128 || p->high < 127) {
      for (c = 0; c < columns; ++c) out[c] = (int8_t)gc_clamp(out[c], p->low, p->high);
    }
  }
}

#endif
