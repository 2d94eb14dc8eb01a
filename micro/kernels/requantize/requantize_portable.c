#include "micro/kernels/requantize/requantize.h"

GC_ALWAYS_INLINE void gc_requantize_portable_any(const gc_requantize* p,
                                                 const void* in /* (count) */, gc_width in_width,
                                                 void* out /* (count) */, gc_width out_width) {
  for (int32_t i = 0; i < p->count; ++i) {
    const int32_t x = gc_element(in, in_width, i) - p->input_zero_point;
    const int32_t y =
        gc_add_wrapping(gc_rescale(x, p->scale.multiplier, p->scale.shift), p->zero_point);
    gc_put(out, out_width, i, gc_clamp(y, p->low, p->high));
  }
}

GC_DEFINE_REQUANTIZE(gc_requantize_portable)
