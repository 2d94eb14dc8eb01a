#include "micro/kernels/mean/mean.h"

void gc_mean_portable_s16(const gc_mean* p, const int16_t* in, int16_t* out) {
  const int32_t inner = p->inner;
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * inner) {
    for (int32_t i = 0; i < inner; ++i) {
      int32_t sum = 0;
      for (int32_t n = 0; n < p->count; ++n) sum += in[n * inner + i];
      *out++ = (int16_t)gc_clamp16(gc_rescale(sum, p->scale.multiplier, p->scale.shift));
    }
  }
}
