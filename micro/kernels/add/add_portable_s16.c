#include "micro/kernels/add/add.h"

void gc_add_portable_s16(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = a[r * p->a.row + c * p->a.step] * (1 << 15),
                    y = b[r * p->b.row + c * p->b.step] * (1 << 15);
      const int32_t sum = gc_rescale(x, p->a_scale.multiplier, p->a_scale.shift) +
                          gc_rescale(y, p->b_scale.multiplier, p->b_scale.shift);
      *out++ =
          (int16_t)gc_clamp(gc_rescale(sum, p->scale.multiplier, p->scale.shift), p->low, p->high);
    }
  }
}
