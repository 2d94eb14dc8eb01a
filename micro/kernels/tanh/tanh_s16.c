#include "micro/kernels/curve.h"
#include "micro/kernels/kernels.h"

void gc_tanh_s16(const gc_tanh* p, const int16_t* in /* (count) */, int16_t* out /* (count) */) {
  for (int32_t i = 0; i < p->count; ++i)
    out[i] = (int16_t)gc_tanh16(gc_curve_argument(in[i], p->multiplier, p->shift));
}
