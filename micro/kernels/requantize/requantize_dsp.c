#include "micro/kernels/requantize/requantize.h"
#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

GC_ALWAYS_INLINE void gc_requantize_dsp_any(const gc_requantize* p, const void* in /* (count) */,
                                            gc_width in_width, void* out /* (count) */,
                                            gc_width out_width) {
  const int32_t input_zero = p->input_zero_point, left = gc_left(p->scale.shift),
                right = gc_right(p->scale.shift);
  const int32_t zero_point = p->zero_point, low = p->low, high = p->high, count = p->count;
  const uint32_t doubled = gc_doubled(p->scale.multiplier);
  for (int32_t i = 0; i < count; ++i) {
    const uint32_t x = (uint32_t)(gc_element(in, in_width, i) - input_zero);
    const int32_t y = gc_rescale_fast((int32_t)(x << left), doubled, right, zero_point);
    gc_put(out, out_width, i, gc_clamp(y, low, high));
  }
}

GC_DEFINE_REQUANTIZE(gc_requantize_dsp)

#endif
