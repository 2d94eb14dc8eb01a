/* tanh and logistic of TFLM's int16 activations in portable C: the gates of an LSTM, LOGISTIC, TANH. */
#ifndef GROUPCOMM_MICRO_KERNELS_CURVE_H_
#define GROUPCOMM_MICRO_KERNELS_CURVE_H_

#include "micro/kernels/fixed_point.h"

/* The table of tanh_table.c: tanh(k / 48) * 2^15 for k in -256 .. 255, within two units in the last
   place, and the difference to the next value. The values equal those of TFLM exactly:
   tests/micro/test_kernels.py compares all 65,536 arguments of both activations. */
typedef struct {
  int16_t value, step;
} gc_point;

#ifdef GC_HELIUM

/* The Helium variant removes the sign first, and needs only the positive half of the curve. The
   table extends to 3 * 32767 / 256, the last point that a gate can reach, so that no index exceeds
   it. Values and steps are separate tables because a 16-bit lane holds one of them. */
extern const int16_t gc_tanh_value[384];
extern const uint16_t gc_tanh_step[384];
extern const uint16_t gc_logistic_value[192];

static inline gc_point gc_curve_point(int32_t k) {
  gc_point t = {gc_tanh_value[k < 0 ? -k : k], (int16_t)gc_tanh_step[k < 0 ? -k - 1 : k]};
  if (k < 0) t.value = (int16_t)-t.value;
  return t;
}

#else

extern const gc_point gc_tanh_table[512];

static inline gc_point gc_curve_point(int32_t k) { return gc_tanh_table[256 + k]; }

#endif

/* Both functions are piecewise linear between 512 points of one odd curve, tanh(k / 48) * 2^15. The
   unit of the argument is 1 / 12288. logistic is tanh of half of its argument, so it advances half
   as fast between the points. A negative argument rounds to the negative of the result for its
   magnitude. */
static inline int32_t gc_tanh16(int32_t x) {
  const gc_point t = gc_curve_point(gc_clamp(x >> 8, -256, 255));
  return (t.value * 256 + t.step * (x & 255) + 128 + (x >> 31)) >> 8;
}

/* |x| < 255 << 9: a gate never reaches the end of the curve */
static inline int32_t gc_logistic16(int32_t x) {
  const gc_point t = gc_curve_point(x >> 9);
  return (t.value * 512 + t.step * (x & 511) + (1 << 24) + 512 + (x >> 31)) >> 10;
}

/* An argument of LOGISTIC or TANH, x * multiplier / 2^shift, in units of 1 / 12288. */
static inline int32_t gc_curve_argument(int32_t x, int32_t multiplier, int32_t shift) {
  return (x * multiplier + (1 << shift >> 1)) >> shift;
}

#endif /* GROUPCOMM_MICRO_KERNELS_CURVE_H_ */
