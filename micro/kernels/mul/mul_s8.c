#include "micro/kernels/mul/mul.h"

void gc_mul_s8(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out) {
#ifdef GC_HELIUM
  gc_mul_helium_s8(p, a, b, out);
#else
#ifdef GC_DSP
  if (p->scale.multiplier != 0) {
    gc_mul_dsp_s8(p, a, b, out);
    return;
  }
#endif
  gc_mul_portable_s8(p, a, b, out);
#endif
}
