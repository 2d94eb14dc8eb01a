#include "micro/kernels/fixed_point.h"

GC_VECTOR_OPTIMIZE
#include "micro/kernels/fully_connected/fully_connected.h"

void gc_fully_connected_portable_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r, in += p->inputs) {
    const int8_t* w = p->weights;
    for (int32_t o = 0; o < p->outputs; ++o, w += p->inputs) {
      int32_t sum = 0;
      for (int32_t i = 0; i < p->inputs; ++i) sum += in[i] * w[i];
      sum = gc_rescale(gc_add_wrapping(sum, p->bias[o]), p->multiplier[o], p->shift[o]);
      *out++ = (int8_t)gc_clamp(gc_add_wrapping(sum, p->zero_point), p->low, p->high);
    }
  }
}
