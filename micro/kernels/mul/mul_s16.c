#include "micro/kernels/mul/mul.h"

void gc_mul_s16(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out) {
#ifdef GC_HELIUM
  if (p->a.step == 1 && p->b.step == 1) {
    gc_mul_helium_s16(p, a, b, out);
    return;
  }
#endif
  gc_mul_portable_s16(p, a, b, out);
}
