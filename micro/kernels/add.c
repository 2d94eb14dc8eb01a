#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

static void gc_add_portable(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = (a[r * p->a.row + c * p->a.step] - p->a.zero_point) * (1 << 20);
      const int32_t y = (b[r * p->b.row + c * p->b.step] - p->b.zero_point) * (1 << 20);
      const int32_t sum = gc_rescale(x, p->a_scale.multiplier, p->a_scale.shift) + gc_rescale(y, p->b_scale.multiplier, p->b_scale.shift);
      const int32_t z = gc_rescale(sum, p->scale.multiplier, p->scale.shift) + p->zero_point;
      *out++ = (int8_t)gc_clamp(z, p->low, p->high);
    }
  }
}

#if defined(GC_DSP) || defined(GC_HELIUM)
static int gc_is_half(const gc_scale* s) { return s->multiplier == 1 << 30 && s->shift == 0; }
#endif

#ifdef GC_DSP

/* TFLM's scales make one of the operands exactly half of its value * 2^20. The other one is below 2^28 before it is scaled: it may be
   doubled instead of its multiplier. Neither has a shift to the left. */
static inline __attribute__((always_inline)) void gc_add_row(const gc_add* p, const gc_operand* a, const gc_scale* scale, const gc_operand* b,
                                                             const int8_t* x, const int8_t* y, int8_t* out, int32_t x_step, int32_t y_step) {
  const int32_t x_zero = -a->zero_point * (1 << 21), y_zero = -b->zero_point * (1 << 19);
  const int32_t multiplier = scale->multiplier, x_right = -scale->shift, right = -p->scale.shift, zero_point = p->zero_point;
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

/* One operand's scale is exactly half: see the body for the DSP extension. */
static void gc_add_helium(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
  const int swap = !gc_is_half(&p->b_scale);
  const gc_operand *x = swap ? &p->b : &p->a, *y = swap ? &p->a : &p->b;
  const gc_scale x_scale = swap ? p->b_scale : p->a_scale, scale = p->scale;
  const int8_t *at_x = swap ? b : a, *at_y = swap ? a : b;
  const int32_t columns = p->columns, zero_point = p->zero_point, y_zero = y->zero_point, x_zero = x->zero_point;
  const int32_t x_multiplier = x_scale.multiplier, x_shift = x_scale.shift, multiplier = scale.multiplier, shift = scale.shift;
  const int32x4_t low = vdupq_n_s32(p->low), high = vdupq_n_s32(p->high), x_right = vdupq_n_s32(x_shift);
  for (int32_t r = 0; r < p->rows; ++r, at_x += x->row, at_y += y->row) {
    const int8_t *u = at_x, *v = at_y;
    for (int32_t c = columns; c > 0; c -= 4, u += 4, v += 4) {
      const mve_pred16_t here = vctp32q((uint32_t)c);
      int32x4_t sum = vqrdmulhq_n_s32(vshlq_n_s32(vsubq_n_s32(c < 4 ? vldrbq_z_s32(u, here) : vldrbq_s32(u), x_zero), 20), x_multiplier);
      sum = vrshlq_n_s32(vaddq_s32(sum, vshrq_n_s32(vandq_s32(sum, x_right), 31)), x_shift);
      sum = vaddq_s32(sum, vshlq_n_s32(vsubq_n_s32(c < 4 ? vldrbq_z_s32(v, here) : vldrbq_s32(v), y_zero), 19));
      sum = vqrdmulhq_n_s32(sum, multiplier);
      sum = vaddq_n_s32(vrshlq_n_s32(vaddq_s32(sum, vshrq_n_s32(sum, 31)), shift), zero_point);
      sum = vminq_s32(vmaxq_s32(sum, low), high);
      if (c < 4) {
        vstrbq_p_s32(out, sum, here);
        out += c;
      } else {
        vstrbq_s32(out, sum);
        out += 4;
      }
    }
  }
}

#endif

void gc_add_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
#ifdef GC_DSP
  if (p->scale.multiplier != 0 && p->a_scale.shift <= 0 && p->b_scale.shift <= 0 && p->scale.shift <= 0 &&
      (gc_is_half(&p->a_scale) || gc_is_half(&p->b_scale))) {
    gc_add_fast(p, a, b, out);
    return;
  }
#endif
#ifdef GC_HELIUM
  if (p->a.step == 1 && p->b.step == 1 && p->a_scale.shift <= 0 && p->b_scale.shift <= 0 && p->scale.shift < 0 &&
      (gc_is_half(&p->a_scale) || gc_is_half(&p->b_scale))) {
    gc_add_helium(p, a, b, out);
    return;
  }
#endif
  gc_add_portable(p, a, b, out);
}
