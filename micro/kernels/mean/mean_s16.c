#include "micro/kernels/mean/mean.h"

void gc_mean_s16(const gc_mean* p, const int16_t* in, int16_t* out) {
#ifdef GC_HELIUM
  gc_mean_helium_s16(p, in, out);
#else
  gc_mean_portable_s16(p, in, out);
#endif
}
