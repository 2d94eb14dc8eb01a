#include "micro/kernels/requantize/requantize.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

GC_ALWAYS_INLINE void gc_requantize_helium_any(const gc_requantize* p, const void* in /* (count) */,
                                               gc_width in_width, void* out /* (count) */,
                                               gc_width out_width) {
  const gc_scale s = p->scale;
  const int32_t input_zero = -p->input_zero_point, zero_point = p->zero_point;
  const int16x8_t low = vdupq_n_s16((int16_t)p->low), high = vdupq_n_s16((int16_t)p->high);
  for (int32_t i = 0; i < p->count; i += 8) {
    const mve_pred16_t here = vctp16q((uint32_t)(p->count - i));
    const int16x8_t x = in_width == GC_INT16 ? vldrhq_z_s16((const int16_t*)in + i, here)
                                             : vldrbq_z_s16((const int8_t*)in + i, here);
    const int32x4_t even =
        gc_rescale_all(vaddq_n_s32(vmovlbq_s16(x), input_zero), s.multiplier, s.shift);
    const int32x4_t odd =
        gc_rescale_all(vaddq_n_s32(vmovltq_s16(x), input_zero), s.multiplier, s.shift);
    int16x8_t y = gc_narrow(vaddq_n_s32(even, zero_point), vaddq_n_s32(odd, zero_point));
    y = vminq_s16(vmaxq_s16(y, low), high);
    if (out_width == GC_INT16) {
      vstrhq_p_s16((int16_t*)out + i, y, here);
    } else {
      vstrbq_p_s16((int8_t*)out + i, y, here);
    }
  }
}

GC_DEFINE_REQUANTIZE(gc_requantize_helium)

#endif
