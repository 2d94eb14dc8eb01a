#include "micro/kernels/fully_connected/fully_connected.h"

void gc_fully_connected_s16(const gc_fully_connected* p, const int16_t* in, int16_t* out) {
#ifdef GC_DSP
  if (p->inputs >= 4 && gc_fully_connected_is_narrow(p)) {
    gc_fully_connected_dsp_s16(p, in, out);
    return;
  }
#endif
#ifdef GC_HELIUM
  if (gc_fully_connected_is_narrow(p)) {
    gc_fully_connected_helium_s16(p, in, out);
    return;
  }
#endif
  gc_fully_connected_portable_s16(p, in, out);
}
