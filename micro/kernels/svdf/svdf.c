#include "micro/kernels/svdf/svdf.h"

#ifdef GC_HELIUM
#define GC_SVDF(type, p, ...) gc_svdf_helium_##type(p, __VA_ARGS__)
#elif defined(GC_DSP)
#define GC_SVDF(type, p, ...)                                                                  \
  ((p)->inputs <= GC_SVDF_INPUTS && (p)->feature.multiplier != 0 && (p)->scale.multiplier != 0 \
       ? gc_svdf_dsp_##type                                                                    \
       : gc_svdf_portable_##type)(p, __VA_ARGS__)
#else
#define GC_SVDF(type, p, ...) gc_svdf_portable_##type(p, __VA_ARGS__)
#endif

void gc_svdf_s8(const gc_svdf* p, const int8_t* in, int8_t* state, int8_t* out) {
  GC_SVDF(s8, p, in, state, out);
}

void gc_svdf_s8_s16(const gc_svdf* p, const int8_t* in, int16_t* state, int8_t* out) {
  GC_SVDF(s8_s16, p, in, state, out);
}
