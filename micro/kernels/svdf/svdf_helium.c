#include "micro/kernels/dot/dot.h"
#include "micro/kernels/svdf/svdf.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

/* Of fewer than four filters, the last one is repeated. */
GC_ALWAYS_INLINE void gc_svdf_features_helium(const gc_svdf* p, int32_t f, int32_t count,
                                              const void* x /* (inputs) int8 */, gc_width width,
                                              int32_t* y) {
  const int32_t n = p->inputs, low = gc_svdf_lowest(width);
  const int8_t *w0 = p->feature_weights + f * n, *w1 = count > 1 ? w0 + n : w0,
               *w2 = count > 2 ? w1 + n : w1, *w3 = count > 3 ? w2 + n : w2;
  const int32x4_t bias = vldrwq_z_s32(p->feature_bias + f, vctp32q((uint32_t)count));
  const int32x4_t z = gc_rescale_all(vaddq_s32(bias, gc_dot_lanes(w0, w1, w2, w3, x, n)),
                                     p->feature.multiplier, p->feature.shift);
  vstrwq_s32(y, vminq_s32(vmaxq_s32(z, vdupq_n_s32(low)), vdupq_n_s32(~low)));
}

/* Moves and multiplies a vector of values at a time. A vector is loaded before the one in front of it
   is stored. */
GC_ALWAYS_INLINE int32_t gc_svdf_filter_helium(void* row, const void* w, int32_t memory,
                                               gc_width width, int32_t last) {
  int32_t sum = 0;
  if (width == GC_INT16) {
    int16_t* to = row;
    const int16_t* by = w;
    for (int32_t n = memory - 1; n > 0; n -= 8, to += 8, by += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)n);
      const int16x8_t x = vldrhq_z_s16(to + 1, here);
      vstrhq_p_s16(to, x, here);
      sum = vmladavaq_s16(sum, x, vldrhq_z_s16(by, here));
    }
  } else {
    int8_t* to = row;
    const int8_t* by = w;
    for (int32_t n = memory - 1; n > 0; n -= 16, to += 16, by += 16) {
      const mve_pred16_t here = vctp8q((uint32_t)n);
      const int8x16_t x = vldrbq_z_s8(to + 1, here);
      vstrbq_p_s8(to, x, here);
      sum = vmladavaq_s8(sum, x, vldrbq_z_s8(by, here));
    }
  }
  gc_put(row, width, memory - 1, last);
  return gc_add_wrapping(sum,
                         gc_element(row, width, memory - 1) * gc_element(w, width, memory - 1));
}

GC_ALWAYS_INLINE void gc_svdf_outputs_helium(const gc_svdf* p, const int32_t* sums, int32_t count,
                                             int8_t* out) {
  int32x4_t y = gc_rescale_all(vldrwq_s32(sums), p->scale.multiplier, p->scale.shift);
  y = vminq_s32(vmaxq_s32(vaddq_n_s32(y, p->zero_point), vdupq_n_s32(-128)), vdupq_n_s32(127));
  vstrbq_p_s32(out, y, vctp32q((uint32_t)count));
}

GC_ALWAYS_INLINE void gc_svdf_helium_any(const gc_svdf* p, const int8_t* in, int8_t* state,
                                         gc_width width, int8_t* out) {
  const gc_svdf_variant variant = {gc_svdf_features_helium, gc_svdf_filter_helium,
                                   gc_svdf_outputs_helium};
  for (int32_t b = 0; b < p->batch; ++b, in += p->inputs, out += p->filters / p->rank) {
    gc_svdf_row(p, in, state, width, out, variant);
    state += p->filters * gc_svdf_line(p, width);
  }
}

GC_DEFINE_SVDF(gc_svdf_helium)

#endif
