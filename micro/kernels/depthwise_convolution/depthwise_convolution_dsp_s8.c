#include "micro/kernels/depthwise_convolution/depthwise_convolution.h"
#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Adds the product of the lower halfwords of a and b to sum, or that of the upper ones. */
GC_ALWAYS_INLINE int32_t gc_add_lower(gc_pair a, gc_pair b, int32_t sum) {
  __asm__("smlabb %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
  return sum;
}
GC_ALWAYS_INLINE int32_t gc_add_upper(gc_pair a, gc_pair b, int32_t sum) {
  __asm__("smlatt %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
  return sum;
}

/* Scales one sum to output o. */
GC_ALWAYS_INLINE int8_t gc_depthwise_output(int32_t sum, int32_t multiplier, int32_t shift,
                                            int32_t zero_point) {
  const int32_t left = gc_left(shift);
  return (int8_t)gc_ssat(gc_rescale_fast((int32_t)((uint32_t)sum << left), gc_doubled(multiplier),
                                         left - shift, zero_point),
                         8);
}

void gc_depthwise_one_dsp_s8(const gc_depthwise_convolution* p, const int8_t* x, int32_t row,
                             int32_t column, int8_t* out) {
  const int32_t outputs = p->outputs, height = p->window.height, width = p->window.width,
                zero_point = p->zero_point;
  for (int32_t c = 0; c < outputs; c += 4) {
    if (c > outputs - 4) c = outputs - 4; /* the last four, some of them for the second time */
    const int8_t *w = p->weights + c, *line = x + c;
    const int32_t* bias = p->bias + c;
    int32_t s0 = bias[0], s1 = bias[1], s2 = bias[2], s3 = bias[3];
    for (int32_t r = height; r > 0; --r, line += row) {
      const int8_t* at = line;
      for (int32_t k = width; k > 0; --k, at += column, w += outputs) {
        const uint32_t four = gc_load4(at), by = gc_load4(w);
        const gc_pair even = gc_even(four), even_by = gc_even(by);
        s0 = gc_add_lower(even, even_by, s0);
        s2 = gc_add_upper(even, even_by, s2);
        const gc_pair odd = gc_odd(four), odd_by = gc_odd(by);
        s1 = gc_add_lower(odd, odd_by, s1);
        s3 = gc_add_upper(odd, odd_by, s3);
      }
    }
    const int32_t* multiplier = p->multiplier + c;
    const int8_t* shift = p->shift + c;
    int8_t* to = out + c;
    to[0] = gc_depthwise_output(s0, multiplier[0], shift[0], zero_point);
    to[1] = gc_depthwise_output(s1, multiplier[1], shift[1], zero_point);
    to[2] = gc_depthwise_output(s2, multiplier[2], shift[2], zero_point);
    to[3] = gc_depthwise_output(s3, multiplier[3], shift[3], zero_point);
  }
  if (p->low > -128 || p->high < 127) {
    for (int32_t i = 0; i < outputs; ++i) out[i] = (int8_t)gc_clamp(out[i], p->low, p->high);
  }
}

#endif
