#include "micro/kernels/dot/dot.h"
#include "micro/kernels/svdf/svdf.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Adds the products of one row of weights, w (n), and one row of inputs, x (see gc_widen), to sum. */
static int32_t gc_svdf_dot(const int8_t* w, const gc_pair* x, int32_t n, int32_t sum) {
  for (const int8_t* end = w + (n & ~7); w != end; w += 4, x += 2) {
    const uint32_t four = gc_load4(w);
    sum = gc_smlad(gc_odd(four), x[1], gc_smlad(gc_even(four), x[0], sum));
  }
  const int16_t* rest = (const int16_t*)x;
  for (n &= 7; n > 0; --n) sum += *w++ * *rest++;
  return sum;
}

GC_ALWAYS_INLINE int32_t gc_svdf_scaled(int32_t x, const gc_scale* scale, int32_t zero_point) {
  const int32_t left = gc_left(scale->shift);
  return gc_rescale_fast((int32_t)((uint32_t)x << left), gc_doubled(scale->multiplier),
                         left - scale->shift, zero_point);
}

GC_ALWAYS_INLINE void gc_svdf_features_dsp(const gc_svdf* p, int32_t f, int32_t count,
                                           const void* x /* see gc_widen */, gc_width width,
                                           int32_t* y) {
  const int8_t* w = p->feature_weights + f * p->inputs;
  for (int32_t i = 0; i < count; ++i) y[i] = p->feature_bias[f + i];
  if (count == 4) {
    gc_dot_dsp(w, p->inputs, x, p->inputs, y, 4);
  } else {
    for (int32_t i = 0; i < count; ++i) y[i] = gc_svdf_dot(w + i * p->inputs, x, p->inputs, y[i]);
  }
  for (int32_t i = 0; i < count; ++i) {
    const int32_t z = gc_svdf_scaled(y[i], &p->feature, 0);
    y[i] = width == GC_INT16 ? gc_ssat(z, 16) : gc_ssat(z, 8);
  }
}

/* Moves and multiplies a word of values at a time. */
GC_ALWAYS_INLINE int32_t gc_svdf_filter_dsp(void* row, const void* w, int32_t memory,
                                            gc_width width, int32_t last) {
  const int32_t size = width == GC_INT16 ? 2 : 1;
  const int8_t* by = w;
  int8_t *to = row, *end = to + ((memory - 1) * size & ~3);
  int32_t sum = 0;
  for (; to != end; to += 4, by += 4) {
    const uint32_t x = gc_load4(to + size), y = gc_load4(by);
    memcpy(to, &x, 4);
    sum = width == GC_INT16 ? gc_smlad((gc_pair)x, (gc_pair)y, sum)
                            : gc_smlad(gc_odd(x), gc_odd(y), gc_smlad(gc_even(x), gc_even(y), sum));
  }
  const int32_t rest = ((memory - 1) * size & 3) / size;
  for (int32_t i = 0; i < rest; ++i) {
    gc_put(to, width, i, gc_element(to, width, i + 1));
    sum = gc_add_wrapping(sum, gc_element(to, width, i) * gc_element(by, width, i));
  }
  gc_put(to, width, rest, last);
  return gc_add_wrapping(sum, gc_element(to, width, rest) * gc_element(by, width, rest));
}

GC_ALWAYS_INLINE void gc_svdf_outputs_dsp(const gc_svdf* p, const int32_t* sums, int32_t count,
                                          int8_t* out) {
  for (int32_t i = 0; i < count; ++i)
    out[i] = (int8_t)gc_ssat(gc_svdf_scaled(sums[i], &p->scale, p->zero_point), 8);
}

GC_ALWAYS_INLINE void gc_svdf_dsp_any(const gc_svdf* p, const int8_t* in, int8_t* state,
                                      gc_width width, int8_t* out) {
  const gc_svdf_variant variant = {gc_svdf_features_dsp, gc_svdf_filter_dsp, gc_svdf_outputs_dsp};
  gc_pair x[GC_SVDF_INPUTS / 2] __attribute__((aligned(8)));
  for (int32_t b = 0; b < p->batch; ++b, in += p->inputs, out += p->filters / p->rank) {
    gc_widen(in, p->inputs, x);
    gc_svdf_row(p, x, state, width, out, variant);
    state += p->filters * gc_svdf_line(p, width);
  }
}

GC_DEFINE_SVDF(gc_svdf_dsp)

#endif
