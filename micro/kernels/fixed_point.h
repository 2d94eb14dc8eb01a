/* The rounding of TFLM in portable C, the selection of the variants, and what the compiler has to
   know. Each instruction set has a header of its own: dsp.h, helium.h. */
#ifndef GROUPCOMM_MICRO_KERNELS_FIXED_POINT_H_
#define GROUPCOMM_MICRO_KERNELS_FIXED_POINT_H_

#include <stdint.h>

/* The variant of every kernel. GC_PORTABLE_ONLY selects the portable one on every target. The
   variants need the inline assembly of GCC and Clang. That of the DSP extension also needs nearly
   all registers, which only an optimizing compiler leaves to it. */
#if !defined(GC_PORTABLE_ONLY) && defined(__GNUC__)
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define GC_HELIUM 1
#elif defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && defined(__OPTIMIZE__)
#define GC_DSP 1
#endif
#endif

/* GC_ALWAYS_INLINE: a function whose constant arguments select its code. GC_NOINLINE: a loop that
   needs all registers for itself. GC_UNROLL(n) stands before a loop. */
#ifdef __GNUC__
#define GC_ALWAYS_INLINE static inline __attribute__((always_inline))
#define GC_NOINLINE static __attribute__((noinline))
#else
#define GC_ALWAYS_INLINE static inline
#define GC_NOINLINE static
#endif
#define GC_PRAGMA(text) _Pragma(#text)
#if defined(__GNUC__) && !defined(__clang__)
#define GC_UNROLL(n) GC_PRAGMA(GCC unroll n)
#else
#define GC_UNROLL(n)
#endif

/* Stands in a source file of portable loops, before the internal headers of its operator. A host
   has vector instructions (SSE, AVX, NEON), and the compiler writes such loops with them: Clang from
   -O2 on, GCC from -O3 on. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(GC_PORTABLE_ONLY) && \
    defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__) &&                   \
    (defined(__SSE2__) || defined(__ARM_NEON))
#define GC_VECTOR_OPTIMIZE GC_PRAGMA(GCC optimize("O3"))
#else
#define GC_VECTOR_OPTIMIZE
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

/* Returns the OR of the magnitudes of x (count): the largest is below twice its highest bit. A
   negative number counts as its magnitude minus 1. */
static inline uint32_t gc_magnitude_bits(const int32_t* x, int32_t count) {
  uint32_t bits = 0;
  for (; count >= 4; count -= 4, x += 4)
    bits |= (uint32_t)((x[0] ^ x[0] >> 31) | (x[1] ^ x[1] >> 31) | (x[2] ^ x[2] >> 31) |
                       (x[3] ^ x[3] >> 31));
  for (; count > 0; --count, ++x) bits |= (uint32_t)(*x ^ *x >> 31);
  return bits;
}

/* Returns whether every sum of a bias (count) and `inputs` products of int16 and int8 fits into 32
   bits. The magnitude of a product is at most 2^22. */
static inline int gc_sums_fit(const int32_t* bias, int32_t count, int32_t inputs) {
  return inputs < 512 && gc_magnitude_bits(bias, count) < (1u << 31) - ((uint32_t)inputs << 22);
}

static inline int32_t gc_clamp16(int32_t x) { return gc_clamp(x, -32768, 32767); }

#endif /* GROUPCOMM_MICRO_KERNELS_FIXED_POINT_H_ */
