#include "micro/kernels/helium.h"
#include "micro/kernels/squared_difference/squared_difference.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

/* Returns the square of the difference of four values, x and y, which are values times 2^7. */
GC_ALWAYS_INLINE int32x4_t gc_square_four(const gc_squared_difference* p, int32x4_t x,
                                          int32x4_t y) {
  const int32x4_t difference =
      vsubq_s32(gc_rescale_all(x, p->a_scale.multiplier, p->a_scale.shift),
                gc_rescale_all(y, p->b_scale.multiplier, p->b_scale.shift));
  return vaddq_n_s32(
      gc_rescale_all(vmulq_s32(difference, difference), p->scale.multiplier, p->scale.shift),
      p->zero_point);
}

void gc_squared_difference_helium_s8(const gc_squared_difference* p, const int8_t* a,
                                     const int8_t* b, int8_t* out) {
  const gc_squared_difference own = *p; /* stays in registers: no store through out can change it */
  const int16x8_t low = vdupq_n_s16((int16_t)own.low), high = vdupq_n_s16((int16_t)own.high);
  for (int32_t r = own.rows; r > 0; --r, a += own.a.row, b += own.b.row, out += own.columns) {
    for (int32_t c = 0; c < own.columns; c += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)(own.columns - c));
      const int16x8_t x = gc_load_operand(a, own.a.step, own.a.zero_point, c, here),
                      y = gc_load_operand(b, own.b.step, own.b.zero_point, c, here);
      const int32x4_t even = gc_square_four(&own, vshllbq_n_s16(x, 7), vshllbq_n_s16(y, 7)),
                      odd = gc_square_four(&own, vshlltq_n_s16(x, 7), vshlltq_n_s16(y, 7));
      vstrbq_p_s16(out + c, vminq_s16(vmaxq_s16(gc_narrow(even, odd), low), high), here);
    }
  }
}

#endif
