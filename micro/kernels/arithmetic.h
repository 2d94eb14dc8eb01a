/* The roundings that all kernels share. */
#ifndef GROUPCOMM_MICRO_KERNELS_ARITHMETIC_H_
#define GROUPCOMM_MICRO_KERNELS_ARITHMETIC_H_

#include <stdint.h>

/* Which body a kernel gets. GC_PORTABLE_ONLY takes the portable one on every target. */
#if !defined(GC_PORTABLE_ONLY) && defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define GC_HELIUM 1
#include <arm_mve.h>
#elif !defined(GC_PORTABLE_ONLY) && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define GC_DSP 1
#include <arm_acle.h>
#endif

/* Overflow wraps, as it does in TFLM on every machine that we know of. */
static inline int32_t gc_plus(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

static inline int32_t gc_clamp(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

/* x * multiplier / 2^31, to the nearest, halves up. */
static inline int32_t gc_multiply_high(int32_t x, int32_t multiplier) {
  return (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
}

/* x / 2^shift, to the nearest, halves away from zero. x is not INT32_MIN; gc_multiply_high never gives it. */
static inline int32_t gc_divide(int32_t x, int32_t shift) {
  if (shift == 0) return x;
  x += x >> 31;
  return (x >> shift) + ((x >> (shift - 1)) & 1);
}

static inline int32_t gc_rescale(int32_t x, int32_t multiplier, int32_t shift) {
  if (shift > 0) return gc_multiply_high((int32_t)((uint32_t)x << shift), multiplier);
  return gc_divide(gc_multiply_high(x, multiplier), -shift);
}

#endif  /* GROUPCOMM_MICRO_KERNELS_ARITHMETIC_H_ */
