#include "micro/kernels/mul/mul.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

void gc_mul_helium_s16(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out) {
  const int16x8_t low = vdupq_n_s16((int16_t)p->low), high = vdupq_n_s16((int16_t)p->high);
  for (int32_t r = 0; r < p->rows; ++r, a += p->a.row, b += p->b.row, out += p->columns) {
    for (int32_t c = 0; c < p->columns; c += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)(p->columns - c));
      const int16x8_t x = vldrhq_z_s16(a + c, here), y = vldrhq_z_s16(b + c, here);
      const int32x4_t even =
          gc_rescale_all(vmullbq_int_s16(x, y), p->scale.multiplier, p->scale.shift);
      const int32x4_t odd =
          gc_rescale_all(vmulltq_int_s16(x, y), p->scale.multiplier, p->scale.shift);
      vstrhq_p_s16(out + c, vminq_s16(vmaxq_s16(gc_narrow(even, odd), low), high), here);
    }
  }
}

#endif
