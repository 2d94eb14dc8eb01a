#include "micro/kernels/depthwise_convolution/depthwise_convolution.h"
#include "micro/kernels/dsp.h"
#include "micro/kernels/window/window.h"

void gc_depthwise_windows_s8(const gc_depthwise_convolution* p, const int8_t* in, int8_t* out,
                             int8_t* scratch, gc_depthwise_one* one) {
  const gc_window* w = &p->window;
  const int32_t channels = w->channels, line = w->in_width * channels;
  for (int32_t b = 0; b < w->batches; ++b, in += w->in_height * line) {
    for (int32_t y = 0; y < w->out_height; ++y) {
      for (int32_t x = 0; x < w->out_width; ++x, out += p->outputs) {
        const int8_t* at = gc_window_inside(w, in, y, x);
        if (at) {
          one(p, at, w->dilation_height * line, w->dilation_width * channels, out);
        } else {
          gc_window_copy(w, in, y, x, scratch);
          one(p, scratch, w->width * channels, channels, out);
        }
      }
    }
  }
}

void gc_depthwise_convolution_s8(const gc_depthwise_convolution* p, const int8_t* in, int8_t* out,
                                 void* scratch) {
  gc_depthwise_one* one = gc_depthwise_one_portable_s8;
#ifdef GC_HELIUM
  if (p->outputs == p->window.channels && p->outputs >= 8) one = gc_depthwise_one_helium_s8;
#endif
#ifdef GC_DSP
  if (p->outputs == p->window.channels && p->outputs >= 4 && gc_no_zeros(p->multiplier, p->outputs))
    one = gc_depthwise_one_dsp_s8;
#endif
  gc_depthwise_windows_s8(p, in, out, scratch, one);
}
