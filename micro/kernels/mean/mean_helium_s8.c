#include "micro/kernels/mean/mean.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

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

static void gc_mean_fours(const gc_mean* p, const int8_t* in, int8_t* out) {
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

void gc_mean_helium_s8(const gc_mean* p, const int8_t* in, int8_t* out) {
  if (p->inner % 8 == 0 && p->count <= 255) {
    gc_mean_eights(p, in, out);
  } else {
    gc_mean_fours(p, in, out);
  }
}

#endif
