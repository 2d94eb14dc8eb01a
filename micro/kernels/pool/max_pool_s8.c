#include "micro/kernels/pool/pool.h"

static int32_t gc_largest(const gc_window* w, const int8_t* x, int32_t rows, int32_t columns) {
  int32_t largest = -128;
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t k = 0; k < columns; ++k) {
      const int8_t value = x[(r * w->in_width + k) * w->channels];
      if (value > largest) largest = value;
    }
  }
  return largest;
}

void gc_max_pool_s8(const gc_max_pool* p, const int8_t* in, int8_t* out) {
  gc_pool_windows(p, in, out, gc_largest);
}
