#include "micro/kernels/pool/pool.h"

/* The mean, rounded to the nearest integer, halves away from zero. */
static int32_t gc_average(const gc_window* w, const int8_t* x, int32_t rows, int32_t columns) {
  int32_t sum = 0;
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t k = 0; k < columns; ++k) sum += x[(r * w->in_width + k) * w->channels];
  }
  const int32_t count = rows * columns;
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

void gc_average_pool_s8(const gc_average_pool* p, const int8_t* in, int8_t* out) {
  gc_pool_windows(p, in, out, gc_average);
}
