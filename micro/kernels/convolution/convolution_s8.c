/* One variant: the products are those of gc_fully_connected_s8, which has its own. */
#include "micro/kernels/window/window.h"

void gc_convolution_s8(const gc_convolution* p, const int8_t* in, int8_t* out, void* scratch) {
  const gc_window* w = &p->window;
  const int32_t image = w->in_height * w->in_width * w->channels;
  int8_t* windows = scratch;
  gc_fully_connected dots = p->dots;
  dots.rows = 0;
  for (int32_t b = 0; b < w->batches; ++b, in += image) {
    for (int32_t y = 0; y < w->out_height; ++y) {
      for (int32_t x = 0; x < w->out_width; ++x) {
        gc_window_copy(w, in, y, x, windows + dots.rows * dots.inputs);
        if (++dots.rows < p->dots.rows) continue;
        gc_fully_connected_s8(&dots, windows, out);
        out += dots.rows * dots.outputs;
        dots.rows = 0;
      }
    }
  }
  if (dots.rows > 0) gc_fully_connected_s8(&dots, windows, out);
}
