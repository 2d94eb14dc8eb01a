#include "micro/kernels/fully_connected/fully_connected.h"

#ifdef GC_DSP
/* Returns whether no multiplier is 0: bit 30 is set in every other one. multiplier (count). */
static inline int gc_no_zeros(const int32_t* multiplier, int32_t count) {
  int32_t all = 1 << 30;
  for (; count >= 4; count -= 4, multiplier += 4)
    all &= multiplier[0] & multiplier[1] & multiplier[2] & multiplier[3];
  for (; count > 0; --count) all &= *multiplier++;
  return all != 0;
}
#endif

void gc_fully_connected_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
#ifdef GC_HELIUM
  gc_fully_connected_helium_s8(p, in, out);
#else
#ifdef GC_DSP
  if (p->inputs >= 4 && gc_no_zeros(p->multiplier, p->outputs)) {
    gc_fully_connected_dsp_s8(p, in, out);
    return;
  }
#endif
  gc_fully_connected_portable_s8(p, in, out);
#endif
}
