/* Fixed-point rounding that all kernels share, and helpers of the optimized variants. */
#ifndef GROUPCOMM_MICRO_KERNELS_ARITHMETIC_H_
#define GROUPCOMM_MICRO_KERNELS_ARITHMETIC_H_

#include <stdint.h>
#include <string.h>

/* Selects the variant of each kernel. GC_PORTABLE_ONLY selects the portable one on every target. */
#if !defined(GC_PORTABLE_ONLY) && defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define GC_HELIUM 1
#include <arm_mve.h>
#elif !defined(GC_PORTABLE_ONLY) && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && \
    defined(__OPTIMIZE__)
#define GC_DSP 1
#include <arm_acle.h>
#endif

/* Adds; an overflow wraps, as it does in TFLM on every supported machine. */
static inline int32_t gc_add_wrapping(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a + (uint32_t)b);
}

static inline int32_t gc_clamp(int32_t x, int32_t low, int32_t high) {
  return x < low ? low : x > high ? high : x;
}

/* Returns x * multiplier / 2^31, rounded to nearest, ties up. */
static inline int32_t gc_multiply_high(int32_t x, int32_t multiplier) {
  return (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
}

/* Returns x / 2^shift, rounded to nearest, ties away from zero. x must not be INT32_MIN;
   gc_multiply_high never returns that value. */
static inline int32_t gc_rounding_shift_right(int32_t x, int32_t shift) {
  if (shift == 0) return x;
  x += x >> 31;
  return (x >> shift) + ((x >> (shift - 1)) & 1);
}

/* Returns x * multiplier * 2^(shift - 31), rounded twice as TFLM rounds it: see gc_scale. */
static inline int32_t gc_rescale(int32_t x, int32_t multiplier, int32_t shift) {
  if (shift > 0) return gc_multiply_high((int32_t)((uint32_t)x << shift), multiplier);
  return gc_rounding_shift_right(gc_multiply_high(x, multiplier), -shift);
}

/* gc_rescale for sums of int16 activations. TFLM accumulates those in 64 bits, uses only the upper
   16 bits of the multiplier, and rounds once, ties up. The lower 16 bits of the multiplier are 0;
   the shift is below 8. */
static inline int32_t gc_rescale_wide(int64_t x, int32_t multiplier, int32_t shift) {
  return (int32_t)((x * (multiplier >> 16) + ((int64_t)1 << (14 - shift))) >> (15 - shift));
}

/* Returns whether every sum of a bias (count) and `inputs` products of int16 and int8 fits into 32
   bits. The magnitude of a product is at most 2^22. */
static inline int gc_sums_fit(const int32_t* bias, int32_t count, int32_t inputs) {
  /* OR of all magnitudes; the largest magnitude is below twice its highest bit */
  uint32_t bits = 0;
  for (const int32_t* end = bias + count; bias != end; ++bias)
    bits |= (uint32_t)(*bias ^ *bias >> 31);
  return inputs < 512 && bits < (1u << 31) - ((uint32_t)inputs << 22);
}

#ifdef GC_DSP

/* Boards are often built with -Os. Some loops need nearly all registers: they compile only with
   -O2, and are fast only then. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2", "omit-frame-pointer")
#endif

/* gc_rescale in four instructions, plus an offset. The caller has already shifted x to the left;
   right is the shift to the right. doubled is twice the multiplier, which must not be 0. Read as a
   signed 32-bit number, doubled is 2^32 too small, so the rounded upper half of its product with x
   is too small by x; smmlar adds x back. adds and asrs leave in the carry flag what
   gc_rounding_shift_right adds: the last bit that is shifted out. Where right is 0, asrs keeps the
   carry of adds, which restores the 1 that adds subtracted from a negative number. */
static inline int32_t gc_rescale_fast(int32_t x, uint32_t doubled, int32_t right, int32_t offset) {
  __asm__(
      "smmlar %0, %0, %1, %0\n\t"
      "adds %0, %0, %0, asr #31\n\t"
      "asrs %0, %0, %2\n\t"
      "adc %0, %0, %3"
      : "+r"(x)
      : "r"(doubled), "r"(right), "rI"(offset)
      : "cc");
  return x;
}

/* Twice the multiplier, and a shift as separate shifts to the left and to the right. */
static inline uint32_t gc_doubled(int32_t multiplier) { return (uint32_t)multiplier << 1; }
static inline int32_t gc_left(int32_t shift) { return shift & ~(shift >> 31); }
static inline int32_t gc_right(int32_t shift) { return gc_left(shift) - shift; }

/* gc_load4 loads in (4), which need not be aligned. gc_even and gc_odd widen bytes 0 and 2, or 1
   and 3, of such a word to signed halfwords. */
static inline uint32_t gc_load4(const int8_t* p) {
  uint32_t x;
  memcpy(&x, p, 4);
  return x;
}
static inline int16x2_t gc_even(uint32_t x) { return __sxtb16((int8x4_t)x); }
static inline int16x2_t gc_odd(uint32_t x) {
  int16x2_t y;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
  return y;
}

/* gc_rescale_wide of a 32-bit value, for a shift below -1. The lower half of the product cannot
   change the rounding then. */
static inline int32_t gc_rescale_narrow(int32_t x, int32_t multiplier, int32_t shift) {
  const int32_t right = -1 - shift;
  int32_t y;
  __asm__("smmla %0, %1, %2, %3" : "=r"(y) : "r"(x), "r"(multiplier), "r"(1 << (right - 1)));
  return y >> right;
}

/* Loads halfwords p (4) in the order of gc_even and gc_odd: 0 and 2, then 1 and 3. */
static inline void gc_load_halves(const int16_t* p, int16x2_t* even, int16x2_t* odd) {
  uint32_t x, y;
  memcpy(&x, p, 4);
  memcpy(&y, p + 2, 4);
  *even = (int16x2_t)((x & 0xffff) | y << 16);
  *odd = (int16x2_t)(x >> 16 | (y & 0xffff0000));
}

/* Interleaves two rows of halfwords, a and b (count), to out (2 * (count rounded up to 8)
   halfwords). Of every four halfwords, elements 0 and 2 of both rows come first, then elements 1
   and 3 of both. The rows are padded with zeros to a multiple of eight. */
static inline void gc_interleave_halves(const int16_t* a, const int16_t* b, int32_t count,
                                        int16x2_t* out) {
  int32_t i = 0;
  for (; i + 4 <= count; i += 4, out += 4) {
    gc_load_halves(a + i, out, out + 2);
    gc_load_halves(b + i, out + 1, out + 3);
  }
  for (; i % 8 != 0 || i < count; i += 4, out += 4) {
    int16_t four[2][4] = {{0}};
    for (int32_t k = 0; k < 4 && i + k < count; ++k) four[0][k] = a[i + k], four[1][k] = b[i + k];
    gc_load_halves(four[0], out, out + 2);
    gc_load_halves(four[1], out + 1, out + 3);
  }
}

#endif

#ifdef GC_HELIUM

/* GCC's scheduler moves loads ahead of their use. They then occupy all eight vector registers, and
   other values are spilled to the stack. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-schedule-insns")
#endif

/* gc_rescale in each lane: left is max(shift, 0), right is min(shift, 0). vrshl rounds ties up;
   where the lane is shifted to the right, subtracting 1 from a negative number makes it round ties
   away from zero. */
static inline int32x4_t gc_rescale_lanes(int32x4_t x, int32x4_t multiplier, int32x4_t left,
                                         int32x4_t right) {
  x = vqrdmulhq_s32(vshlq_s32(x, left), multiplier);
  return vrshlq_s32(vaddq_s32(x, vshrq_n_s32(vandq_s32(x, right), 31)), right);
}

/* gc_rescale with one scale for all lanes. The 1 is subtracted together with the product, by the
   sign of x. Where the product is 0, subtracting 1 does not change the rounded result. */
static inline __attribute__((always_inline)) int32x4_t gc_rescale_all(int32x4_t x,
                                                                      int32_t multiplier,
                                                                      int32_t shift) {
  if (shift < 0) return vrshlq_n_s32(vqrdmlahq_n_s32(vshrq_n_s32(x, 31), x, multiplier), shift);
  if (shift > 0) x = vshlq_r_s32(x, shift);
  return vqrdmulhq_n_s32(x, multiplier);
}

/* gc_rescale_wide of 32-bit values in each lane, for shifts below 0. */
static inline int32x4_t gc_rescale_narrow_lanes(int32x4_t x, int32x4_t multiplier,
                                                int32x4_t shift) {
  return vrshlq_s32(vqdmulhq_s32(x, multiplier), shift);
}

/* gc_narrow saturates the even and the odd four of eight 32-bit lanes to 16-bit lanes.
   gc_narrow_bytes saturates those to int8 values, each still in a 16-bit lane. */
static inline int16x8_t gc_narrow(int32x4_t even, int32x4_t odd) {
  __asm__("vqmovnb.s32 %q0, %q0\n\tvqmovnt.s32 %q0, %q1" : "+w"(even) : "w"(odd));
  return vreinterpretq_s16_s32(even);
}
static inline int16x8_t gc_narrow_bytes(int16x8_t x) {
  __asm__("vqmovnb.s16 %q0, %q0" : "+w"(x));
  return x;
}

/* Copies from (count) to to (count) with vector instructions. The memcpy of the C library is built
   for any core and does not use them. */
static inline void gc_copy_bytes(int8_t* to, const int8_t* from, int32_t count) {
  int8x16_t x;
  __asm__ volatile(
      "wlstp.8 lr, %[count], 1f\n\t"
      "0:\n\t"
      "vldrb.8 %q[x], [%[from]], #16\n\t"
      "vstrb.8 %q[x], [%[to]], #16\n\t"
      "letp lr, 0b\n\t"
      "1:"
      : [to] "+r"(to), [from] "+r"(from), [x] "=&w"(x)
      : [count] "r"(count)
      : "lr", "memory");
}

/* Applies the range of a fused activation to out (count). */
static inline void gc_clamp_bytes(int8_t* out, int32_t count, int32_t low, int32_t high) {
  if (low <= -128 && high >= 127) return;
  const int8x16_t lows = vdupq_n_s8((int8_t)low), highs = vdupq_n_s8((int8_t)high);
  for (; count > 0; count -= 16, out += 16) {
    const mve_pred16_t some = vctp8q((uint32_t)count);
    vstrbq_p_s8(out, vminq_s8(vmaxq_s8(vldrbq_z_s8(out, some), lows), highs), some);
  }
}

/* vmov writes two lanes at once, for which there is no intrinsic. After gc_even_lanes the odd lanes
   are undefined; gc_odd_lanes writes them. */
static inline int32x4_t gc_even_lanes(int32_t a, int32_t c) {
  int32x4_t x;
  __asm__("vmov %q0[2], %q0[0], %1, %2" : "=w"(x) : "r"(a), "r"(c));
  return x;
}
static inline int32x4_t gc_odd_lanes(int32x4_t x, int32_t b, int32_t d) {
  __asm__("vmov %q0[3], %q0[1], %1, %2" : "+w"(x) : "r"(b), "r"(d));
  return x;
}
static inline int32x4_t gc_lanes(int32_t a, int32_t b, int32_t c, int32_t d) {
  return gc_odd_lanes(gc_even_lanes(a, c), b, d);
}

#endif

#endif /* GROUPCOMM_MICRO_KERNELS_ARITHMETIC_H_ */
