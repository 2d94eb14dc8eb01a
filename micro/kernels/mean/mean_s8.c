#include "micro/kernels/mean/mean.h"

void gc_mean_s8(const gc_mean* p, const int8_t* in, int8_t* out) {
#ifdef GC_HELIUM
  gc_mean_helium_s8(p, in, out);
#else
#ifdef GC_DSP
  if (p->inner % 4 == 0 && p->count <= 255) {
    gc_mean_dsp_s8(p, in, out);
    return;
  }
#endif
  gc_mean_portable_s8(p, in, out);
#endif
}
