#include "micro/kernels/window/window.h"

#include <string.h>

#include "micro/kernels/copy/copy.h"

/* Returns the row or column of the input at a position of a window, or -1 for padding. */
static int32_t gc_position(int32_t at, int32_t spread, int32_t count) {
  if (spread > 1) at = at % spread == 0 ? at / spread : -1;
  return at < count ? at : -1;
}

/* Copies one row of a window that begins at column left of line (in_width, channels). */
static void gc_window_row(const gc_window* p, const int8_t* line, int32_t left, int8_t* to) {
  const int32_t channels = p->channels;
  if (p->dilation_width == 1 && p->spread_width == 1 && left >= 0 &&
      left + p->width <= p->in_width) {
    gc_copy_row(to, line + left * channels, p->width * channels);
    return;
  }
  for (int32_t i = 0; i < p->width; ++i, left += p->dilation_width, to += channels) {
    const int32_t column = gc_position(left, p->spread_width, p->in_width);
    if (column >= 0) {
      gc_copy_row(to, line + column * channels, channels);
    } else {
      memset(to, p->zero_point, (size_t)channels);
    }
  }
}

void gc_window_copy(const gc_window* p, const int8_t* in, int32_t y, int32_t x, int8_t* to) {
  const int32_t line = p->in_width * p->channels, row = p->width * p->channels;
  int32_t top = y * p->stride_height - p->top;
  for (int32_t i = 0; i < p->height; ++i, top += p->dilation_height, to += row) {
    const int32_t of = gc_position(top, p->spread_height, p->in_height);
    if (of >= 0) {
      gc_window_row(p, in + of * line, x * p->stride_width - p->left, to);
    } else {
      memset(to, p->zero_point, (size_t)row);
    }
  }
}
