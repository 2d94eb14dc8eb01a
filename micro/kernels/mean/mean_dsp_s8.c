#include "micro/kernels/mean/mean.h"
#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Four adjacent elements at a time. inner is a multiple of 4, and the sums fit into halfwords. */
void gc_mean_dsp_s8(const gc_mean* p, const int8_t* in, int8_t* out) {
  const int32_t inner = p->inner, bias = p->bias, multiplier = p->scale.multiplier,
                shift = p->scale.shift, zero_point = p->zero_point;
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * inner) {
    for (int32_t i = 0; i < inner; i += 4) {
      const int8_t* at = in + i;
      gc_pair even = 0, odd = 0;
      for (int32_t n = p->count; n > 0; --n, at += inner) {
        const uint32_t x = gc_load4(at);
        even = gc_sadd16(even, gc_even(x));
        odd = gc_sadd16(odd, gc_odd(x));
      }
      const int32_t sums[4] = {(int16_t)even, (int16_t)odd, (int32_t)even >> 16,
                               (int32_t)odd >> 16};
      for (const int32_t* s = sums; s != sums + 4; ++s) {
        *out++ = (int8_t)gc_ssat(
            gc_add_wrapping(gc_rescale(*s + bias, multiplier, shift), zero_point), 8);
      }
    }
  }
}

#endif
