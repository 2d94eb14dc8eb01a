#include "micro/kernels/mul/mul.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

void gc_mul_helium_s8(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out) {
  const gc_scale s = p->scale;
  const int32_t zero_point = p->zero_point;
  const int16x8_t low = vdupq_n_s16((int16_t)p->low), high = vdupq_n_s16((int16_t)p->high);
  for (int32_t r = 0; r < p->rows; ++r, a += p->a.row, b += p->b.row, out += p->columns) {
    for (int32_t c = 0; c < p->columns; c += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)(p->columns - c));
      const int16x8_t x = gc_load_operand(a, p->a.step, p->a.zero_point, c, here),
                      y = gc_load_operand(b, p->b.step, p->b.zero_point, c, here);
      const int32x4_t even =
          vaddq_n_s32(gc_rescale_all(vmullbq_int_s16(x, y), s.multiplier, s.shift), zero_point);
      const int32x4_t odd =
          vaddq_n_s32(gc_rescale_all(vmulltq_int_s16(x, y), s.multiplier, s.shift), zero_point);
      vstrbq_p_s16(out + c, vminq_s16(vmaxq_s16(gc_narrow(even, odd), low), high), here);
    }
  }
}

#endif
