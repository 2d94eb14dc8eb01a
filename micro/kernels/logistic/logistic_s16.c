#include "micro/kernels/curve.h"
#include "micro/kernels/kernels.h"

void gc_logistic_s16(const gc_logistic* p, const int16_t* in /* (count) */,
                     int16_t* out /* (count) */) {
  /* the end of the curve, where it reaches 0 and 1, which TFLM does not */
  const int32_t end = 255 << 9;
  for (int32_t i = 0; i < p->count; ++i) {
    const int32_t x = gc_clamp(gc_curve_argument(in[i], p->multiplier, p->shift), -end, end);
    out[i] = (int16_t)gc_clamp(gc_logistic16(x), 1, 32767);
  }
}
