#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

void gc_mul_s8(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = a[r * p->a.row + c * p->a.step] - p->a.zero_point;
      const int32_t y = b[r * p->b.row + c * p->b.step] - p->b.zero_point;
      const int32_t z = gc_plus(gc_rescale(x * y, p->scale.multiplier, p->scale.shift), p->zero_point);
      *out++ = (int8_t)gc_clamp(z, p->low, p->high);
    }
  }
}

#ifdef GC_HELIUM

static void gc_mul16_helium(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out) {
  const int16x8_t low = vdupq_n_s16((int16_t)p->low), high = vdupq_n_s16((int16_t)p->high);
  for (int32_t r = 0; r < p->rows; ++r, a += p->a.row, b += p->b.row, out += p->columns) {
    for (int32_t c = 0; c < p->columns; c += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)(p->columns - c));
      const int16x8_t x = vldrhq_z_s16(a + c, here), y = vldrhq_z_s16(b + c, here);
      const int32x4_t even = gc_rescale_all(vmullbq_int_s16(x, y), p->scale.multiplier, p->scale.shift);
      const int32x4_t odd = gc_rescale_all(vmulltq_int_s16(x, y), p->scale.multiplier, p->scale.shift);
      vstrhq_p_s16(out + c, vminq_s16(vmaxq_s16(gc_narrow(even, odd), low), high), here);
    }
  }
}

#endif

void gc_mul_s16(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out) {
#ifdef GC_HELIUM
  if (p->a.step == 1 && p->b.step == 1) {
    gc_mul16_helium(p, a, b, out);
    return;
  }
#endif
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = a[r * p->a.row + c * p->a.step] * b[r * p->b.row + c * p->b.step];
      *out++ = (int16_t)gc_clamp(gc_rescale(x, p->scale.multiplier, p->scale.shift), p->low, p->high);
    }
  }
}
