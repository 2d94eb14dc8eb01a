#include "micro/kernels/dot/dot.h"
#include "micro/kernels/svdf/svdf.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

GC_ALWAYS_INLINE void gc_svdf_features_dsp(const gc_svdf* p, int32_t f, int32_t count,
                                           const void* x /* see gc_widen */, int32_t* sums) {
  const int32_t n = p->inputs;
  const int8_t* w = p->feature_weights + f * n;
  if (count == 4) {
    gc_dot_dsp(w, n, x, n, sums, 4);
    return;
  }
  for (int32_t i = 0; i < count; ++i) {
    const gc_pair* pairs = x;
    for (const int8_t* end = w + (n & ~7); w != end; w += 4, pairs += 2) {
      const uint32_t four = gc_load4(w);
      sums[i] = gc_smlad(gc_odd(four), pairs[1], gc_smlad(gc_even(four), pairs[0], sums[i]));
    }
    const int16_t* rest = (const int16_t*)pairs;
    for (int32_t k = n & 7; k > 0; --k) sums[i] += *w++ * *rest++;
  }
}

/* Moves and multiplies a word of values at a time. */
GC_ALWAYS_INLINE int32_t gc_svdf_filter_dsp(void* row, const void* w, int32_t memory,
                                            gc_width width, int32_t last) {
  const int32_t words = (memory - 1) * (width == GC_INT16 ? 2 : 1) / 4;
  const int8_t *of = (const int8_t*)row + (width == GC_INT16 ? 2 : 1), *by = w;
  int8_t* to = row;
  int32_t sum = 0;
  for (int32_t i = words; i > 0; --i, of += 4, to += 4, by += 4) {
    const uint32_t x = gc_load4(of), y = gc_load4(by);
    memcpy(to, &x, 4);
    sum = width == GC_INT16 ? gc_smlad((gc_pair)x, (gc_pair)y, sum)
                            : gc_smlad(gc_odd(x), gc_odd(y), gc_smlad(gc_even(x), gc_even(y), sum));
  }
  for (int32_t m = words * (width == GC_INT16 ? 2 : 4); m < memory; ++m) {
    gc_put(row, width, m, m + 1 < memory ? gc_element(row, width, m + 1) : last);
    sum = gc_add_wrapping(sum, gc_element(row, width, m) * gc_element(w, width, m));
  }
  return sum;
}

GC_ALWAYS_INLINE void gc_svdf_dsp_any(const gc_svdf* p, const int8_t* in, int8_t* state,
                                      gc_width width, int8_t* out) {
  const int32_t bytes = p->filters * p->memory * (width == GC_INT16 ? 2 : 1);
  gc_pair x[GC_SVDF_INPUTS / 2] __attribute__((aligned(8)));
  for (int32_t b = 0; b < p->batch;
       ++b, in += p->inputs, state += bytes, out += p->filters / p->rank) {
    gc_widen(in, p->inputs, x);
    gc_svdf_row(p, x, state, width, out, gc_svdf_features_dsp, gc_svdf_filter_dsp);
  }
}

GC_DEFINE_SVDF(gc_svdf_dsp)

#endif
