#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

/* In all functions of this file: a, b and out as in kernels.h; of a row, (columns). */

#ifndef GC_HELIUM

static void gc_mul_portable(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = a[r * p->a.row + c * p->a.step] - p->a.zero_point;
      const int32_t y = b[r * p->b.row + c * p->b.step] - p->b.zero_point;
      const int32_t z =
          gc_add_wrapping(gc_rescale(x * y, p->scale.multiplier, p->scale.shift), p->zero_point);
      *out++ = (int8_t)gc_clamp(z, p->low, p->high);
    }
  }
}

#endif

#ifdef GC_DSP

static inline __attribute__((always_inline)) void gc_mul_row(const gc_mul* p, const int8_t* a,
                                                             const int8_t* b, int8_t* out,
                                                             int32_t a_step, int32_t b_step) {
  const int32_t a_zero = p->a.zero_point, b_zero = p->b.zero_point, left = gc_left(p->scale.shift),
                right = gc_right(p->scale.shift);
  const int32_t zero_point = p->zero_point;
  const uint32_t doubled = gc_doubled(p->scale.multiplier);
#pragma GCC unroll 2
  for (const int8_t* end = out + p->columns; out != end; a += a_step, b += b_step) {
    const uint32_t product = (uint32_t)((*a - a_zero) * (*b - b_zero));
    *out++ =
        (int8_t)__ssat(gc_rescale_fast((int32_t)(product << left), doubled, right, zero_point), 8);
  }
}

static void gc_mul_fast(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out) {
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

#ifdef GC_HELIUM

/* Loads eight elements of a row minus their zero point; or repeats the one element of a broadcast
   column. */
static inline __attribute__((always_inline)) int16x8_t gc_mul_load(const int8_t* x,
                                                                   const gc_operand* o, int32_t c,
                                                                   mve_pred16_t here) {
  return vsubq_n_s16(o->step ? vldrbq_z_s16(x + c, here) : vdupq_n_s16(*x), (int16_t)o->zero_point);
}

static void gc_mul_helium(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out) {
  const gc_scale s = p->scale;
  const int32_t zero_point = p->zero_point;
  const int16x8_t low = vdupq_n_s16((int16_t)p->low), high = vdupq_n_s16((int16_t)p->high);
  for (int32_t r = 0; r < p->rows; ++r, a += p->a.row, b += p->b.row, out += p->columns) {
    for (int32_t c = 0; c < p->columns; c += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)(p->columns - c));
      const int16x8_t x = gc_mul_load(a, &p->a, c, here), y = gc_mul_load(b, &p->b, c, here);
      const int32x4_t even =
          vaddq_n_s32(gc_rescale_all(vmullbq_int_s16(x, y), s.multiplier, s.shift), zero_point);
      const int32x4_t odd =
          vaddq_n_s32(gc_rescale_all(vmulltq_int_s16(x, y), s.multiplier, s.shift), zero_point);
      vstrbq_p_s16(out + c, vminq_s16(vmaxq_s16(gc_narrow(even, odd), low), high), here);
    }
  }
}

#endif

void gc_mul_s8(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out) {
#ifdef GC_DSP
  if (p->scale.multiplier != 0) {
    gc_mul_fast(p, a, b, out);
    return;
  }
#endif
#ifdef GC_HELIUM
  gc_mul_helium(p, a, b, out);
#else
  gc_mul_portable(p, a, b, out);
#endif
}

#ifdef GC_HELIUM

static void gc_mul16_helium(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out) {
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
      *out++ =
          (int16_t)gc_clamp(gc_rescale(x, p->scale.multiplier, p->scale.shift), p->low, p->high);
    }
  }
}
