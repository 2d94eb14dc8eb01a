#include "micro/kernels/fixed_point.h"

GC_VECTOR_OPTIMIZE
#include "micro/kernels/fully_connected/fully_connected.h"

void gc_fully_connected_portable_s16(const gc_fully_connected* p, const int16_t* in, int16_t* out) {
  for (int32_t r = 0; r < p->rows; ++r, in += p->inputs) {
    const int8_t* w = p->weights;
    for (int32_t o = 0; o < p->outputs; ++o, w += p->inputs) {
      int64_t sum = p->bias[o];
      for (int32_t i = 0; i < p->inputs; ++i) sum += in[i] * w[i];
      *out++ =
          (int16_t)gc_clamp(gc_rescale_wide(sum, p->multiplier[o], p->shift[o]), p->low, p->high);
    }
  }
}
