#include "micro/kernels/mul/mul.h"

void gc_mul_portable_s16(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = a[r * p->a.row + c * p->a.step] * b[r * p->b.row + c * p->b.step];
      *out++ =
          (int16_t)gc_clamp(gc_rescale(x, p->scale.multiplier, p->scale.shift), p->low, p->high);
    }
  }
}
