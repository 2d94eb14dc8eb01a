#include "micro/kernels/svdf/svdf.h"

GC_ALWAYS_INLINE void gc_svdf_features_portable(const gc_svdf* p, int32_t f, int32_t count,
                                                const void* x /* (inputs) int8 */, gc_width width,
                                                int32_t* y) {
  const int8_t *w = p->feature_weights + f * p->inputs, *in = x;
  const int32_t low = gc_svdf_lowest(width);
  for (int32_t i = 0; i < count; ++i, w += p->inputs) {
    int32_t sum = 0;
    for (int32_t k = 0; k < p->inputs; ++k) sum += w[k] * in[k];
    sum = gc_add_wrapping(sum, p->feature_bias[f + i]);
    y[i] = gc_clamp(gc_rescale(sum, p->feature.multiplier, p->feature.shift), low, ~low);
  }
}

GC_ALWAYS_INLINE int32_t gc_svdf_filter_portable(void* row, const void* w, int32_t memory,
                                                 gc_width width, int32_t last) {
  int32_t sum = 0;
  for (int32_t m = 0; m + 1 < memory; ++m) {
    const int32_t x = gc_element(row, width, m + 1);
    gc_put(row, width, m, x);
    sum = gc_add_wrapping(sum, x * gc_element(w, width, m));
  }
  gc_put(row, width, memory - 1, last);
  return gc_add_wrapping(sum,
                         gc_element(row, width, memory - 1) * gc_element(w, width, memory - 1));
}

GC_ALWAYS_INLINE void gc_svdf_outputs_portable(const gc_svdf* p, const int32_t* sums, int32_t count,
                                               int8_t* out) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t y = gc_rescale(sums[i], p->scale.multiplier, p->scale.shift);
    out[i] = (int8_t)gc_clamp(gc_add_wrapping(y, p->zero_point), -128, 127);
  }
}

GC_ALWAYS_INLINE void gc_svdf_portable_any(const gc_svdf* p, const int8_t* in, int8_t* state,
                                           gc_width width, int8_t* out) {
  const gc_svdf_variant variant = {gc_svdf_features_portable, gc_svdf_filter_portable,
                                   gc_svdf_outputs_portable};
  for (int32_t b = 0; b < p->batch; ++b, in += p->inputs, out += p->filters / p->rank) {
    gc_svdf_row(p, in, state, width, out, variant);
    state += p->filters * gc_svdf_line(p, width);
  }
}

GC_DEFINE_SVDF(gc_svdf_portable)
