#include "micro/kernels/requantize/requantize.h"

#if defined(GC_HELIUM)
#define GC_SELECT(types, p, in, out) gc_requantize_helium_##types(p, in, out)
#elif defined(GC_DSP)
#define GC_SELECT(types, p, in, out)                                                             \
  (p->scale.multiplier != 0 ? gc_requantize_dsp_##types : gc_requantize_portable_##types)(p, in, \
                                                                                          out)
#else
#define GC_SELECT(types, p, in, out) gc_requantize_portable_##types(p, in, out)
#endif

void gc_requantize_s8(const gc_requantize* p, const int8_t* in, int8_t* out) {
  GC_SELECT(s8, p, in, out);
}
void gc_requantize_s8_s16(const gc_requantize* p, const int8_t* in, int16_t* out) {
  GC_SELECT(s8_s16, p, in, out);
}
void gc_requantize_s16_s8(const gc_requantize* p, const int16_t* in, int8_t* out) {
  GC_SELECT(s16_s8, p, in, out);
}
void gc_requantize_s16(const gc_requantize* p, const int16_t* in, int16_t* out) {
  GC_SELECT(s16, p, in, out);
}
