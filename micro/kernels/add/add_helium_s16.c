#include "micro/kernels/add/add.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

static inline int32x4_t gc_add16_lanes(const gc_add* p, int32x4_t x, int32x4_t y) {
  x = gc_rescale_all(x, p->a_scale.multiplier, p->a_scale.shift);
  y = gc_rescale_all(y, p->b_scale.multiplier, p->b_scale.shift);
  return gc_rescale_all(vaddq_s32(x, y), p->scale.multiplier, p->scale.shift);
}

void gc_add_helium_s16(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out) {
  const int16x8_t low = vdupq_n_s16((int16_t)p->low), high = vdupq_n_s16((int16_t)p->high);
  for (int32_t r = 0; r < p->rows; ++r, a += p->a.row, b += p->b.row, out += p->columns) {
    for (int32_t c = 0; c < p->columns; c += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)(p->columns - c));
      const int16x8_t x = vldrhq_z_s16(a + c, here), y = vldrhq_z_s16(b + c, here);
      const int32x4_t even = gc_add16_lanes(p, vshllbq_n_s16(x, 15), vshllbq_n_s16(y, 15));
      const int32x4_t odd = gc_add16_lanes(p, vshlltq_n_s16(x, 15), vshlltq_n_s16(y, 15));
      vstrhq_p_s16(out + c, vminq_s16(vmaxq_s16(gc_narrow(even, odd), low), high), here);
    }
  }
}

#endif
