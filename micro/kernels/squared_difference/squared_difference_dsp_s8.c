#include "micro/kernels/dsp.h"
#include "micro/kernels/squared_difference/squared_difference.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Scales a value minus its zero point, times 2^7. */
GC_ALWAYS_INLINE int32_t gc_squared_operand(int32_t x, const gc_operand* of,
                                            const gc_scale* scale) {
  return gc_rescale_fast((x - of->zero_point) * (1 << 7), gc_doubled(scale->multiplier),
                         -scale->shift, 0);
}

void gc_squared_difference_dsp_s8(const gc_squared_difference* p, const int8_t* a, const int8_t* b,
                                  int8_t* out) {
  const gc_squared_difference own = *p; /* stays in registers: no store through out can change it */
  const int32_t left = gc_left(own.scale.shift), right = gc_right(own.scale.shift);
  const uint32_t doubled = gc_doubled(own.scale.multiplier);
  for (int32_t r = own.rows; r > 0; --r, a += own.a.row, b += own.b.row) {
    const int8_t *x = a, *y = b;
    for (const int8_t* end = out + own.columns; out != end; x += own.a.step, y += own.b.step) {
      const int32_t difference = gc_squared_operand(*x, &own.a, &own.a_scale) -
                                 gc_squared_operand(*y, &own.b, &own.b_scale);
      const uint32_t square = (uint32_t)(difference * difference);
      const int32_t z = gc_rescale_fast((int32_t)(square << left), doubled, right, own.zero_point);
      *out++ = (int8_t)gc_clamp(z, own.low, own.high);
    }
  }
}

#endif
