/* The variants of SVDF. A variant is one function for both types of the state; in and out are as in
   kernels.h. */
#ifndef GROUPCOMM_MICRO_KERNELS_SVDF_SVDF_H_
#define GROUPCOMM_MICRO_KERNELS_SVDF_SVDF_H_

#include "micro/kernels/element.h"
#include "micro/kernels/kernels.h"

/* Adds the products of a row of inputs, x, and the weights of features of filters f to f + count - 1,
   at most four, to sums (count). The form of x depends on the variant. */
typedef void gc_svdf_features(const gc_svdf* p, int32_t f, int32_t count, const void* x,
                              int32_t* sums);

/* Moves the values of a filter, row (memory), to the front by one place, and appends the value
   `last`. Returns the sum of their products with the weights of time, w (memory). */
typedef int32_t gc_svdf_filter(void* row, const void* w, int32_t memory, gc_width width,
                               int32_t last);

/* Runs all filters on one row of inputs: state (filters, memory), out (filters / rank). */
GC_ALWAYS_INLINE void gc_svdf_row(const gc_svdf* p, const void* x, int8_t* state, gc_width width,
                                  int8_t* out, gc_svdf_features* features, gc_svdf_filter* filter) {
  const int32_t high = width == GC_INT16 ? 32767 : 127;
  const int32_t line = width == GC_INT16 ? 2 * p->memory : p->memory; /* bytes */
  const int8_t* w = p->time_weights;
  const int32_t* bias = p->bias;
  int32_t sum = 0, left = p->rank;
  for (int32_t f = 0; f < p->filters; f += 4) {
    const int32_t count = p->filters - f < 4 ? p->filters - f : 4;
    int32_t sums[4] = {0, 0, 0, 0};
    for (int32_t i = 0; i < count; ++i) sums[i] = p->feature_bias[f + i];
    features(p, f, count, x, sums);
    for (int32_t i = 0; i < count; ++i, state += line, w += line) {
      const int32_t y = gc_rescale(sums[i], p->feature.multiplier, p->feature.shift);
      const int32_t last = gc_clamp(y, -high - 1, high) + p->state_zero_point;
      sum = gc_add_wrapping(sum, filter(state, w, p->memory, width, last));
      if (--left > 0) continue;
      sum = gc_rescale(gc_add_wrapping(sum, *bias++), p->scale.multiplier, p->scale.shift);
      *out++ = (int8_t)gc_clamp(gc_add_wrapping(sum, p->zero_point), -128, 127);
      sum = 0, left = p->rank;
    }
  }
}

/* Defines both functions of a variant, of which the names end in s8 and s8_s16. */
#define GC_DEFINE_SVDF(variant)                                                            \
  void variant##_s8(const gc_svdf* p, const int8_t* in, int8_t* state, int8_t* out) {      \
    variant##_any(p, in, state, GC_INT8, out);                                             \
  }                                                                                        \
  void variant##_s8_s16(const gc_svdf* p, const int8_t* in, int16_t* state, int8_t* out) { \
    variant##_any(p, in, (int8_t*)state, GC_INT16, out);                                   \
  }
#define GC_DECLARE_SVDF(variant)                                                     \
  void variant##_s8(const gc_svdf* p, const int8_t* in, int8_t* state, int8_t* out); \
  void variant##_s8_s16(const gc_svdf* p, const int8_t* in, int16_t* state, int8_t* out);

/* The DSP variant widens a row of at most so many inputs, on the stack. */
enum { GC_SVDF_INPUTS = 256 };

GC_DECLARE_SVDF(gc_svdf_portable)
GC_DECLARE_SVDF(gc_svdf_dsp) /* at most GC_SVDF_INPUTS inputs */
GC_DECLARE_SVDF(gc_svdf_helium)

#endif /* GROUPCOMM_MICRO_KERNELS_SVDF_SVDF_H_ */
