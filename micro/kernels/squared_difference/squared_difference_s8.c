#include "micro/kernels/squared_difference/squared_difference.h"

void gc_squared_difference_s8(const gc_squared_difference* p, const int8_t* a, const int8_t* b,
                              int8_t* out) {
#ifdef GC_HELIUM
  gc_squared_difference_helium_s8(p, a, b, out);
#else
#ifdef GC_DSP
  if (p->a_scale.multiplier != 0 && p->b_scale.multiplier != 0 && p->scale.multiplier != 0 &&
      p->a_scale.shift <= 0 && p->b_scale.shift <= 0) {
    gc_squared_difference_dsp_s8(p, a, b, out);
    return;
  }
#endif
  gc_squared_difference_portable_s8(p, a, b, out);
#endif
}
