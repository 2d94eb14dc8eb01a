#include "micro/kernels/mean/mean.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

void gc_mean_helium_s16(const gc_mean* p, const int16_t* in, int16_t* out) {
  const int32_t inner = p->inner;
  for (int32_t o = 0; o < p->outer; ++o, in += p->count * inner, out += inner) {
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
  }
}

#endif
