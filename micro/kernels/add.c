#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

/* In all functions of this file: a, b and out as in kernels.h. */
static void gc_add_portable(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = (a[r * p->a.row + c * p->a.step] - p->a.zero_point) * (1 << 20);
      const int32_t y = (b[r * p->b.row + c * p->b.step] - p->b.zero_point) * (1 << 20);
      const int32_t sum = gc_rescale(x, p->a_scale.multiplier, p->a_scale.shift) +
                          gc_rescale(y, p->b_scale.multiplier, p->b_scale.shift);
      const int32_t z = gc_rescale(sum, p->scale.multiplier, p->scale.shift) + p->zero_point;
      *out++ = (int8_t)gc_clamp(z, p->low, p->high);
    }
  }
}

#if defined(GC_DSP) || defined(GC_HELIUM)
static int gc_is_half(const gc_scale* s) { return s->multiplier == 1 << 30 && s->shift == 0; }
#endif

#ifdef GC_DSP

/* One row: x, y and out (columns); a step of 0 broadcasts. TFLM's scales make one of the operands
   exactly half of its value * 2^20. The other one is below 2^28 before it is scaled, so its value
   is doubled instead of its multiplier. Neither is shifted to the left. */
static inline __attribute__((always_inline)) void gc_add_row(const gc_add* p, const gc_operand* a,
                                                             const gc_scale* scale,
                                                             const gc_operand* b, const int8_t* x,
                                                             const int8_t* y, int8_t* out,
                                                             int32_t x_step, int32_t y_step) {
  const int32_t x_zero = -a->zero_point * (1 << 21), y_zero = -b->zero_point * (1 << 19);
  const int32_t multiplier = scale->multiplier, x_right = -scale->shift, right = -p->scale.shift,
                zero_point = p->zero_point;
  const uint32_t doubled = gc_doubled(p->scale.multiplier);
#pragma GCC unroll 4
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
    *out++ = (int8_t)__ssat(gc_rescale_fast(sum, doubled, right, zero_point), 8);
  }
}

static void gc_add_fast(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
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

#ifdef GC_HELIUM

/* Constants for one vector of eight elements. The scale of one operand is exactly half: see the
   variant for the DSP extension. */
typedef struct {
  int32_t x_zero, y_zero; /* the contribution of the zero points, to values * 16 and * 8 */
  gc_scale x, sum;
  int32_t zero_point;
} gc_addition;

/* Adds eight elements. Values minus their zero point are shifted to the left by 20 and 19 bits in
   two steps, the first for all eight lanes. right: whether the scaled operand is shifted to the
   right; otherwise it is not shifted. The sum is always shifted to the right. */
static inline __attribute__((always_inline)) int16x8_t gc_add_lanes(const gc_addition* s,
                                                                    int16x8_t x, int16x8_t y,
                                                                    int right) {
  const int32_t x_shift = right ? s->x.shift : 0;
  if ((right && x_shift >= 0) || s->sum.shift >= 0) __builtin_unreachable();
  x = vmlasq_n_s16(x, vdupq_n_s16(16), (int16_t)s->x_zero),
  y = vmlasq_n_s16(y, vdupq_n_s16(8), (int16_t)s->y_zero);
  int32x4_t even = gc_rescale_all(vshllbq_n_s16(x, 16), s->x.multiplier, x_shift);
  int32x4_t odd = gc_rescale_all(vshlltq_n_s16(x, 16), s->x.multiplier, x_shift);
  even = gc_rescale_all(vaddq_s32(even, vshllbq_n_s16(y, 16)), s->sum.multiplier, s->sum.shift);
  odd = gc_rescale_all(vaddq_s32(odd, vshlltq_n_s16(y, 16)), s->sum.multiplier, s->sum.shift);
  return gc_narrow_bytes(vqaddq_n_s16(gc_narrow(even, odd), (int16_t)s->zero_point));
}

/* Adds `count` vectors of eight: parts of one row, or whole rows of 8 columns. x_step and y_step
   are the strides between them; out is (count, 8). */
static __attribute__((noinline)) void gc_add_eights(const gc_addition* s, const int8_t* x,
                                                    int32_t x_step, const int8_t* y, int32_t y_step,
                                                    int8_t* out, uint32_t count) {
  /* a local copy stays in registers: no store through out can change it */
  const gc_addition own = *s;
  for (; count > 0; --count, x += x_step, y += y_step, out += 8)
    vstrbq_s16(out, gc_add_lanes(&own, vldrbq_s16(x), vldrbq_s16(y), 1));
}

/* Adds rows of any length. x_row and y_row are the strides between rows; out is (rows, columns). */
static __attribute__((noinline)) void gc_add_rows(const gc_add* p, const gc_addition* s,
                                                  const int8_t* x, int32_t x_row, const int8_t* y,
                                                  int32_t y_row, int8_t* out, int right) {
  for (int32_t r = p->rows; r > 0; --r, x += x_row, y += y_row, out += p->columns) {
    for (int32_t c = 0; c < p->columns; c += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)(p->columns - c));
      const int16x8_t u = vldrbq_z_s16(x + c, here), v = vldrbq_z_s16(y + c, here);
      vstrbq_p_s16(out + c, right ? gc_add_lanes(s, u, v, 1) : gc_add_lanes(s, u, v, 0), here);
    }
  }
}

static void gc_add_helium(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
  const int swap = !gc_is_half(&p->b_scale);
  const gc_operand *of_x = swap ? &p->b : &p->a, *of_y = swap ? &p->a : &p->b;
  const int8_t *x = swap ? b : a, *y = swap ? a : b;
  const gc_addition s = {-16 * of_x->zero_point, -8 * of_y->zero_point,
                         swap ? p->b_scale : p->a_scale, p->scale, p->zero_point};
  const int right = s.x.shift < 0, one_row = p->rows == 1 && p->columns % 8 == 0;
  if (right && (one_row || p->columns == 8)) {
    gc_add_eights(&s, x, one_row ? 8 : of_x->row, y, one_row ? 8 : of_y->row, out,
                  (uint32_t)(one_row ? p->columns / 8 : p->rows));
  } else {
    gc_add_rows(p, &s, x, of_x->row, y, of_y->row, out, right);
  }
  gc_clamp_bytes(out, p->rows * p->columns, p->low, p->high);
}

#endif

void gc_add_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
#ifdef GC_DSP
  if (p->scale.multiplier != 0 && p->a_scale.shift <= 0 && p->b_scale.shift <= 0 &&
      p->scale.shift <= 0 && (gc_is_half(&p->a_scale) || gc_is_half(&p->b_scale))) {
    gc_add_fast(p, a, b, out);
    return;
  }
#endif
#ifdef GC_HELIUM
  if (p->a.step == 1 && p->b.step == 1 && p->a_scale.shift <= 0 && p->b_scale.shift <= 0 &&
      p->scale.shift < 0 && (gc_is_half(&p->a_scale) || gc_is_half(&p->b_scale))) {
    gc_add_helium(p, a, b, out);
    return;
  }
#endif
  gc_add_portable(p, a, b, out);
}

static void gc_add16_portable(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = a[r * p->a.row + c * p->a.step] * (1 << 15),
                    y = b[r * p->b.row + c * p->b.step] * (1 << 15);
      const int32_t sum = gc_rescale(x, p->a_scale.multiplier, p->a_scale.shift) +
                          gc_rescale(y, p->b_scale.multiplier, p->b_scale.shift);
      *out++ =
          (int16_t)gc_clamp(gc_rescale(sum, p->scale.multiplier, p->scale.shift), p->low, p->high);
    }
  }
}

#ifdef GC_HELIUM

static inline int32x4_t gc_add16_lanes(const gc_add* p, int32x4_t x, int32x4_t y) {
  x = gc_rescale_all(x, p->a_scale.multiplier, p->a_scale.shift);
  y = gc_rescale_all(y, p->b_scale.multiplier, p->b_scale.shift);
  return gc_rescale_all(vaddq_s32(x, y), p->scale.multiplier, p->scale.shift);
}

static void gc_add16_helium(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out) {
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

void gc_add_s16(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out) {
#ifdef GC_HELIUM
  if (p->a.step == 1 && p->b.step == 1 && p->a_scale.shift <= 0 && p->b_scale.shift <= 0) {
    gc_add16_helium(p, a, b, out);
    return;
  }
#endif
  gc_add16_portable(p, a, b, out);
}
