#include "micro/kernels/mul/mul.h"
#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

GC_ALWAYS_INLINE void gc_mul_row(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out,
                                 int32_t a_step, int32_t b_step) {
  const int32_t a_zero = p->a.zero_point, b_zero = p->b.zero_point, left = gc_left(p->scale.shift),
                right = gc_right(p->scale.shift);
  const int32_t zero_point = p->zero_point;
  const uint32_t doubled = gc_doubled(p->scale.multiplier);
  GC_UNROLL(2)
  for (const int8_t* end = out + p->columns; out != end; a += a_step, b += b_step) {
    const uint32_t product = (uint32_t)((*a - a_zero) * (*b - b_zero));
    *out++ =
        (int8_t)gc_ssat(gc_rescale_fast((int32_t)(product << left), doubled, right, zero_point), 8);
  }
}

void gc_mul_dsp_s8(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r, a += p->a.row, b += p->b.row, out += p->columns) {
    if (p->a.step == 1 && p->b.step == 1) {
      gc_mul_row(p, a, b, out, 1, 1);
    } else {
      gc_mul_row(p, a, b, out, p->a.step, p->b.step);
    }
    if (p->low > -128 || p->high < 127) {
      for (int32_t c = 0; c < p->columns; ++c) out[c] = (int8_t)gc_clamp(out[c], p->low, p->high);
    }
  }
}

#endif
