#include "micro/kernels/add/add.h"
#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* One row: x, y and out (columns); a step of 0 broadcasts. TFLM's scales make one of the operands
   exactly half of its value * 2^20. The other one is below 2^28 before it is scaled, so its value
   is doubled instead of its multiplier. Neither is shifted to the left. */
GC_ALWAYS_INLINE void gc_add_row(const gc_add* p, const gc_operand* a, const gc_scale* scale,
                                 const gc_operand* b, const int8_t* x, const int8_t* y, int8_t* out,
                                 int32_t x_step, int32_t y_step) {
  const int32_t x_zero = -a->zero_point * (1 << 21), y_zero = -b->zero_point * (1 << 19);
  const int32_t multiplier = scale->multiplier, x_right = -scale->shift, right = -p->scale.shift,
                zero_point = p->zero_point;
  const uint32_t doubled = gc_doubled(p->scale.multiplier);
  GC_UNROLL(4)
  for (const int8_t* end = out + p->columns; out != end; x += x_step, y += y_step) {
    int32_t sum = x_zero + *x * (1 << 21);
    __asm__(
        "smmulr %0, %0, %1\n\t"
        "adds %0, %0, %0, asr #31\n\t"
        "asrs %0, %0, %2\n\t"
        "adc %0, %0, %3"
        : "+r"(sum)
        : "r"(multiplier), "r"(x_right), "r"(y_zero + *y * (1 << 19))
        : "cc");
    *out++ = (int8_t)gc_ssat(gc_rescale_fast(sum, doubled, right, zero_point), 8);
  }
}

void gc_add_dsp_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
  const int swap = !gc_is_half(&p->b_scale);
  const gc_operand *x = swap ? &p->b : &p->a, *y = swap ? &p->a : &p->b;
  const gc_scale* scale = swap ? &p->b_scale : &p->a_scale;
  const int8_t *at_x = swap ? b : a, *at_y = swap ? a : b;
  for (int32_t r = 0; r < p->rows; ++r, at_x += x->row, at_y += y->row, out += p->columns) {
    if (x->step == 1 && y->step == 1) {
      gc_add_row(p, x, scale, y, at_x, at_y, out, 1, 1);
    } else {
      gc_add_row(p, x, scale, y, at_x, at_y, out, x->step, y->step);
    }
    if (p->low > -128 || p->high < 127) {
      for (int32_t c = 0; c < p->columns; ++c) out[c] = (int8_t)gc_clamp(out[c], p->low, p->high);
    }
  }
}

#endif
