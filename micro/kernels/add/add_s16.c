#include "micro/kernels/add/add.h"

void gc_add_s16(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out) {
#ifdef GC_HELIUM
  if (p->a.step == 1 && p->b.step == 1 && p->a_scale.shift <= 0 && p->b_scale.shift <= 0) {
    gc_add_helium_s16(p, a, b, out);
    return;
  }
#endif
  gc_add_portable_s16(p, a, b, out);
}
