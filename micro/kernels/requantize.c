#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

void gc_requantize_s8(const gc_requantize* p, const int8_t* in, int8_t* out) {
  for (int32_t i = 0; i < p->count; ++i) {
    const int32_t x = gc_rescale(in[i] - p->input_zero_point, p->scale.multiplier, p->scale.shift);
    out[i] = (int8_t)gc_clamp(gc_plus(x, p->zero_point), p->low, p->high);
  }
}
