#include "micro/kernels/depthwise_convolution/depthwise_convolution.h"

void gc_depthwise_one_portable_s8(const gc_depthwise_convolution* p, const int8_t* x, int32_t row,
                                  int32_t column, int8_t* out) {
  const int32_t of_channel = p->outputs / p->window.channels;
  for (int32_t c = 0, o = 0; c < p->window.channels; ++c) {
    for (int32_t i = 0; i < of_channel; ++i, ++o) {
      const int8_t* w = p->weights + o;
      int32_t sum = 0;
      for (int32_t r = 0; r < p->window.height; ++r) {
        const int8_t* at = x + r * row + c;
        for (int32_t k = p->window.width; k > 0; --k, at += column, w += p->outputs)
          sum += *at * *w;
      }
      sum = gc_rescale(gc_add_wrapping(sum, p->bias[o]), p->multiplier[o], p->shift[o]);
      out[o] = (int8_t)gc_clamp(gc_add_wrapping(sum, p->zero_point), p->low, p->high);
    }
  }
}
