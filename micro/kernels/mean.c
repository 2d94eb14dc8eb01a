#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

/* In all functions of this file: in (outer, count, inner), out (outer, inner). */

#ifndef GC_HELIUM

static void gc_mean_portable(const gc_mean* p, const int8_t* in, int8_t* out) {
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

#endif

#ifdef GC_DSP

/* Four adjacent elements at a time. inner is a multiple of 4, and the sums fit into halfwords. */
static void gc_mean_fast(const gc_mean* p, const int8_t* in, int8_t* out) {
  const int32_t inner = p->inner, bias = p->bias, multiplier = p->scale.multiplier,
                shift = p->scale.shift, zero_point = p->zero_point;
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * inner) {
    for (int32_t i = 0; i < inner; i += 4) {
      const int8_t* at = in + i;
      int16x2_t even = 0, odd = 0;
      for (int32_t n = p->count; n > 0; --n, at += inner) {
        const uint32_t x = gc_load4(at);
        even = __sadd16(even, gc_even(x));
        odd = __sadd16(odd, gc_odd(x));
      }
      const int32_t sums[4] = {(int16_t)even, (int16_t)odd, (int32_t)even >> 16,
                               (int32_t)odd >> 16};
      for (const int32_t* s = sums; s != sums + 4; ++s) {
        *out++ = (int8_t)__ssat(
            gc_add_wrapping(gc_rescale(*s + bias, multiplier, shift), zero_point), 8);
      }
    }
  }
}

#endif

#ifdef GC_HELIUM

/* Eight adjacent elements at a time. inner is a multiple of 8, and the sums fit into 16-bit
   lanes. */
static void gc_mean_eights(const gc_mean* p, const int8_t* in, int8_t* out) {
  const int32_t inner = p->inner, bias = p->bias, multiplier = p->scale.multiplier,
                shift = p->scale.shift;
  for (int32_t o = p->outer; o > 0; --o, in += p->count * inner) {
    for (int32_t i = 0; i < inner; i += 8, out += 8) {
      const int8_t* at = in + i;
      int16x8_t sum = vdupq_n_s16(0);
      for (uint32_t n = (uint32_t)p->count; n > 0; --n, at += inner)
        sum = vaddq_s16(sum, vldrbq_s16(at));
      const int32x4_t even = gc_rescale_all(vaddq_n_s32(vmovlbq_s16(sum), bias), multiplier, shift);
      const int32x4_t odd = gc_rescale_all(vaddq_n_s32(vmovltq_s16(sum), bias), multiplier, shift);
      vstrbq_s16(out, gc_narrow_bytes(gc_narrow(vaddq_n_s32(even, p->zero_point),
                                                vaddq_n_s32(odd, p->zero_point))));
    }
  }
}

static void gc_mean_helium(const gc_mean* p, const int8_t* in, int8_t* out) {
  const int32_t inner = p->inner;
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * inner) {
    for (int32_t i = inner; i > 0; i -= 4) {
      const mve_pred16_t here = vctp32q((uint32_t)i);
      const int8_t* at = in + inner - i;
      int32x4_t sum = vdupq_n_s32(p->bias);
      for (int32_t n = p->count; n > 0; --n, at += inner)
        sum = vaddq_s32(sum, vldrbq_z_s32(at, here));
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
  if (p->inner % 8 == 0 && p->count <= 255) {
    gc_mean_eights(p, in, out);
  } else {
    gc_mean_helium(p, in, out);
  }
#else
  gc_mean_portable(p, in, out);
#endif
}

void gc_mean_s16(const gc_mean* p, const int16_t* in, int16_t* out) {
  const int32_t inner = p->inner;
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * inner) {
#ifdef GC_HELIUM
    for (int32_t i = 0; i < inner; i += 4) {
      const mve_pred16_t here = vctp32q((uint32_t)(inner - i));
      const int16_t* at = in + i;
      int32x4_t sum = vdupq_n_s32(0);
      for (int32_t n = p->count; n > 0; --n, at += inner)
        sum = vaddq_s32(sum, vldrhq_z_s32(at, here));
      sum = gc_rescale_all(sum, p->scale.multiplier, p->scale.shift);
      vstrhq_p_s32(out + i, vminq_s32(vmaxq_s32(sum, vdupq_n_s32(-32768)), vdupq_n_s32(32767)),
                   here);
    }
    out += inner;
#else
    for (int32_t i = 0; i < inner; ++i) {
      int32_t sum = 0;
      for (int32_t n = 0; n < p->count; ++n) sum += in[n * inner + i];
      *out++ =
          (int16_t)gc_clamp(gc_rescale(sum, p->scale.multiplier, p->scale.shift), -32768, 32767);
    }
#endif
  }
}
