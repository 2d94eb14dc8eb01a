#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

#ifndef GC_HELIUM

static void gc_mean_portable(const gc_mean* p, const int8_t* in, int8_t* out) {
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * p->inner) {
    for (int32_t i = 0; i < p->inner; ++i) {
      int32_t sum = p->bias;
      for (int32_t n = 0; n < p->count; ++n) sum += in[n * p->inner + i];
      *out++ = (int8_t)gc_clamp(gc_plus(gc_rescale(sum, p->scale.multiplier, p->scale.shift), p->zero_point), -128, 127);
    }
  }
}

#endif

#ifdef GC_DSP

/* Four neighbours at a time, as long as their sums fit into halves. */
static void gc_mean_fast(const gc_mean* p, const int8_t* in, int8_t* out) {
  const int32_t inner = p->inner, bias = p->bias, multiplier = p->scale.multiplier, shift = p->scale.shift, zero_point = p->zero_point;
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * inner) {
    for (int32_t i = 0; i < inner; i += 4) {
      const int8_t* at = in + i;
      int16x2_t even = 0, odd = 0;
      for (int32_t n = p->count; n > 0; --n, at += inner) {
        const uint32_t x = gc_load4(at);
        even = __sadd16(even, gc_even(x));
        odd = __sadd16(odd, gc_odd(x));
      }
      const int32_t sums[4] = {(int16_t)even, (int16_t)odd, (int32_t)even >> 16, (int32_t)odd >> 16};
      for (const int32_t* s = sums; s != sums + 4; ++s) *out++ = (int8_t)__ssat(gc_plus(gc_rescale(*s + bias, multiplier, shift), zero_point), 8);
    }
  }
}

#endif

#ifdef GC_HELIUM

static void gc_mean_helium(const gc_mean* p, const int8_t* in, int8_t* out) {
  const int32_t inner = p->inner;
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * inner) {
    for (int32_t i = inner; i > 0; i -= 4) {
      const mve_pred16_t here = vctp32q((uint32_t)i);
      const int8_t* at = in + inner - i;
      int32x4_t sum = vdupq_n_s32(p->bias);
      for (int32_t n = p->count; n > 0; --n, at += inner) sum = vaddq_s32(sum, vldrbq_z_s32(at, here));
      sum = vaddq_n_s32(gc_rescale_all(sum, p->scale.multiplier, p->scale.shift), p->zero_point);
      vstrbq_p_s32(out, vminq_s32(vmaxq_s32(sum, vdupq_n_s32(-128)), vdupq_n_s32(127)), here);
      out += i < 4 ? i : 4;
    }
  }
}

#endif

void gc_mean_s8(const gc_mean* p, const int8_t* in, int8_t* out) {
#ifdef GC_DSP
  if (p->inner % 4 == 0 && p->count <= 255) {
    gc_mean_fast(p, in, out);
    return;
  }
#endif
#ifdef GC_HELIUM
  gc_mean_helium(p, in, out);
#else
  gc_mean_portable(p, in, out);
#endif
}
