#include "micro/kernels/add/add.h"

void gc_add_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
#ifdef GC_DSP
  if (p->scale.multiplier != 0 && p->a_scale.shift <= 0 && p->b_scale.shift <= 0 &&
      p->scale.shift <= 0 && (gc_is_half(&p->a_scale) || gc_is_half(&p->b_scale))) {
    gc_add_dsp_s8(p, a, b, out);
    return;
  }
#endif
#ifdef GC_HELIUM
  if (p->a.step == 1 && p->b.step == 1 && p->a_scale.shift <= 0 && p->b_scale.shift <= 0 &&
      p->scale.shift < 0 && (gc_is_half(&p->a_scale) || gc_is_half(&p->b_scale))) {
    gc_add_helium_s8(p, a, b, out);
    return;
  }
#endif
  gc_add_portable_s8(p, a, b, out);
}
