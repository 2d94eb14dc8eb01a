#include "micro/kernels/squared_difference/squared_difference.h"

void gc_squared_difference_portable_s8(const gc_squared_difference* p, const int8_t* a,
                                       const int8_t* b, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = (a[r * p->a.row + c * p->a.step] - p->a.zero_point) * (1 << 7);
      const int32_t y = (b[r * p->b.row + c * p->b.step] - p->b.zero_point) * (1 << 7);
      const int32_t difference = gc_rescale(x, p->a_scale.multiplier, p->a_scale.shift) -
                                 gc_rescale(y, p->b_scale.multiplier, p->b_scale.shift);
      const int32_t z = gc_rescale(difference * difference, p->scale.multiplier, p->scale.shift);
      *out++ = (int8_t)gc_clamp(gc_add_wrapping(z, p->zero_point), p->low, p->high);
    }
  }
}
