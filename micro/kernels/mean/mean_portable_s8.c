#include "micro/kernels/mean/mean.h"

void gc_mean_portable_s8(const gc_mean* p, const int8_t* in, int8_t* out) {
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * p->inner) {
    for (int32_t i = 0; i < p->inner; ++i) {
      int32_t sum = p->bias;
      for (int32_t n = 0; n < p->count; ++n) sum += in[n * p->inner + i];
      *out++ = (int8_t)gc_clamp(
          gc_add_wrapping(gc_rescale(sum, p->scale.multiplier, p->scale.shift), p->zero_point),
          -128, 127);
    }
  }
}
