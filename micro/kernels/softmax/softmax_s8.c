#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

/* Shifts x to the left by two bits, and saturates. */
static int32_t gc_times_four(int32_t x) {
  const int32_t limit = 1 << 29;
  return x >= limit ? INT32_MAX : x < -limit ? INT32_MIN : (int32_t)((uint32_t)x << 2);
}

/* Returns 1 / (1 + x) in units of 2^-31, for x in 0 .. 1 in the same units, by three steps of
   Newton's method from 48 / 17 - 32 / 17 * (1 + x) / 2. Values in between are in units of 2^-29. */
static int32_t gc_reciprocal(int32_t x) {
  const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2); /* (1 + x) / 2 */
  int32_t y = 1515870810 + gc_multiply_high(half, -1010580540);
  for (int32_t step = 0; step < 3; ++step)
    y += gc_times_four(gc_multiply_high(y, (1 << 29) - gc_multiply_high(half, y)));
  return y > INT32_MAX / 2 ? INT32_MAX : 2 * y;
}

void gc_softmax_s8(const gc_softmax* p, const int8_t* in /* (rows, columns) */,
                   int8_t* out /* (rows, columns) */) {
  for (int32_t r = 0; r < p->rows; ++r, in += p->columns, out += p->columns) {
    int32_t largest = -128, headroom = 0;
    for (int32_t c = 0; c < p->columns; ++c) largest = in[c] > largest ? in[c] : largest;
    uint32_t sum = 0; /* in units of 2^-19 */
    for (int32_t c = 0; c < p->columns; ++c)
      sum += (uint32_t)gc_rounding_shift_right(p->exponentials[largest - in[c]], 12);
    for (; sum < 1u << 31; sum <<= 1) ++headroom; /* sum is at least 2^19 */
    const int32_t inverse = gc_reciprocal((int32_t)(sum - (1u << 31)));
    /* The sum is 2^(12 - headroom) times what was inverted; the output has 8 bits. */
    const int32_t right = 12 - headroom + 31 - 8;
    for (int32_t c = 0; c < p->columns; ++c) {
      const int32_t y = gc_multiply_high(inverse, p->exponentials[largest - in[c]]);
      out[c] = (int8_t)gc_clamp(gc_rounding_shift_right(y, right) - 128, -128, 127);
    }
  }
}
