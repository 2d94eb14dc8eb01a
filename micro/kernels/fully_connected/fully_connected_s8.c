#include "micro/kernels/fully_connected/fully_connected.h"
#include "micro/kernels/dsp.h"

void gc_fully_connected_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
#ifdef GC_HELIUM
  gc_fully_connected_helium_s8(p, in, out);
#else
#ifdef GC_DSP
  if (p->inputs >= 4 && p->usual_scales) {
    gc_fully_connected_dsp_s8(p, in, out);
    return;
  }
#endif
  gc_fully_connected_portable_s8(p, in, out);
#endif
}
