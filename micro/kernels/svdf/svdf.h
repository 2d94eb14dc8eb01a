/* The variants of SVDF. A variant is one function for both types of the state; in and out are as in
   kernels.h. */
#ifndef GROUPCOMM_MICRO_KERNELS_SVDF_SVDF_H_
#define GROUPCOMM_MICRO_KERNELS_SVDF_SVDF_H_

#include "micro/kernels/element.h"
#include "micro/kernels/kernels.h"

/* Computes the products of a row of inputs, x, and the weights of features of filters f to
   f + count - 1, at most four, in the scale of the state and without its zero point, to y (4). The
   form of x depends on the variant. */
typedef void gc_svdf_features(const gc_svdf* p, int32_t f, int32_t count, const void* x,
                              gc_width width, int32_t* y);

/* Moves the values of a filter, row (memory), to the front by one place, and appends the value
   `last`. Returns the sum of their products with the weights of time, w (memory). */
typedef int32_t gc_svdf_filter(void* row, const void* w, int32_t memory, gc_width width,
                               int32_t last);

/* Scales sums (4), of which `count` are used, to out (count). */
typedef void gc_svdf_outputs(const gc_svdf* p, const int32_t* sums, int32_t count, int8_t* out);

/* The parts of a variant. */
typedef struct {
  gc_svdf_features* features;
  gc_svdf_filter* filter;
  gc_svdf_outputs* outputs;
} gc_svdf_variant;

/* Returns the lowest value of the state; the highest one is its complement. */
GC_ALWAYS_INLINE int32_t gc_svdf_lowest(gc_width width) {
  return width == GC_INT16 ? -32768 : -128;
}

/* Returns the bytes of the values of a filter. */
GC_ALWAYS_INLINE int32_t gc_svdf_line(const gc_svdf* p, gc_width width) {
  return width == GC_INT16 ? 2 * p->memory : p->memory;
}

/* Runs all filters on one row of inputs: state (filters, memory), out (filters / rank). */
GC_ALWAYS_INLINE void gc_svdf_row(const gc_svdf* p, const void* x, int8_t* state, gc_width width,
                                  int8_t* out, gc_svdf_variant variant) {
  const int32_t line = gc_svdf_line(p, width), filters = p->filters, zero = p->state_zero_point;
  const int8_t* w = p->time_weights;
  const int32_t* bias = p->bias;
  int32_t values[4], sums[4] = {0, 0, 0, 0}; /* of outputs */
  int32_t left = p->rank, made = 0;
  for (int32_t f = 0; f < filters; f += 4) {
    const int32_t count = filters - f < 4 ? filters - f : 4;
    variant.features(p, f, count, x, width, values);
    for (int32_t i = 0; i < count; ++i, state += line, w += line) {
      const int32_t y = variant.filter(state, w, p->memory, width, values[i] + zero);
      sums[made] = gc_add_wrapping(sums[made], y);
      if (--left > 0) continue;
      sums[made] = gc_add_wrapping(sums[made], *bias++);
      left = p->rank;
      if (++made < 4) continue;
      variant.outputs(p, sums, 4, out);
      out += 4, made = 0;
      sums[0] = sums[1] = sums[2] = sums[3] = 0;
    }
  }
  if (made > 0) variant.outputs(p, sums, made, out);
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
GC_DECLARE_SVDF(gc_svdf_dsp) /* at most GC_SVDF_INPUTS inputs; no multiplier is 0 */
GC_DECLARE_SVDF(gc_svdf_helium)

#endif /* GROUPCOMM_MICRO_KERNELS_SVDF_SVDF_H_ */
