#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

void gc_prelu_s8(const gc_prelu* p, const int8_t* a, const int8_t* b, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r) {
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t x = a[r * p->a.row + c * p->a.step] - p->a.zero_point;
      const int32_t slope = b[r * p->b.row + c * p->b.step] - p->b.zero_point;
      const int32_t y = x >= 0 ? gc_rescale(x, p->positive.multiplier, p->positive.shift)
                               : gc_rescale(x * slope, p->negative.multiplier, p->negative.shift);
      *out++ = (int8_t)gc_clamp(gc_add_wrapping(y, p->zero_point), -128, 127);
    }
  }
}
