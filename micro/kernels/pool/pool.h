/* What AVERAGE_POOL_2D and MAX_POOL_2D share. */
#ifndef GROUPCOMM_MICRO_KERNELS_POOL_POOL_H_
#define GROUPCOMM_MICRO_KERNELS_POOL_POOL_H_

#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

/* Returns the result of one channel: x is its first value in a window; `rows` rows of `columns`
   values follow each other in the input, without padding. */
typedef int32_t gc_pool_one(const gc_window* w, const int8_t* x, int32_t rows, int32_t columns);

/* Applies a function to all windows, in (batches, in_height, in_width, channels), out (batches,
   out_height, out_width, channels). */
GC_ALWAYS_INLINE void gc_pool_windows(const gc_average_pool* p, const int8_t* in, int8_t* out,
                                      gc_pool_one* one) {
  const gc_window* w = &p->window;
  const int32_t line = w->in_width * w->channels;
  for (int32_t b = 0; b < w->batches; ++b, in += w->in_height * line) {
    for (int32_t i = 0; i < w->out_height; ++i) {
      const int32_t top = i * w->stride_height - w->top;
      const int32_t first_row = top > 0 ? top : 0;
      const int32_t rows = gc_clamp(top + w->height, 0, w->in_height) - first_row;
      for (int32_t k = 0; k < w->out_width; ++k) {
        const int32_t left = k * w->stride_width - w->left;
        const int32_t first = left > 0 ? left : 0;
        const int32_t columns = gc_clamp(left + w->width, 0, w->in_width) - first;
        const int8_t* x = in + first_row * line + first * w->channels;
        for (int32_t c = 0; c < w->channels; ++c)
          *out++ = (int8_t)gc_clamp(one(w, x + c, rows, columns), p->low, p->high);
      }
    }
  }
}

#endif /* GROUPCOMM_MICRO_KERNELS_POOL_POOL_H_ */
