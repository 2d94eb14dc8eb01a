/* Windows of the input of a convolution. */
#ifndef GROUPCOMM_MICRO_KERNELS_WINDOW_WINDOW_H_
#define GROUPCOMM_MICRO_KERNELS_WINDOW_WINDOW_H_

#include "micro/kernels/kernels.h"

/* Returns the first element of window (y, x) in one input of the batch, in (in_height, in_width,
   channels), or NULL if the window contains padding. */
static inline const int8_t* gc_window_inside(const gc_window* p, const int8_t* in, int32_t y,
                                             int32_t x) {
  const int32_t top = y * p->stride_height - p->top, left = x * p->stride_width - p->left;
  const int is_inside = top >= 0 && top + (p->height - 1) * p->dilation_height < p->in_height &&
                        left >= 0 && left + (p->width - 1) * p->dilation_width < p->in_width;
  return is_inside ? in + (top * p->in_width + left) * p->channels : 0;
}

/* Copies window (y, x) of one input of the batch, in (in_height, in_width, channels), with its
   padding to to (height, width, channels). */
void gc_window_copy(const gc_window* p, const int8_t* in, int32_t y, int32_t x, int8_t* to);

#endif /* GROUPCOMM_MICRO_KERNELS_WINDOW_WINDOW_H_ */
