#include "micro/kernels/fixed_point.h"

GC_VECTOR_OPTIMIZE
#include "micro/kernels/lstm/lstm_portable.h"

/* Returns one unit of a gate before its activation, times 3. in (inputs), hidden (units). */
static int32_t gc_gate(const gc_lstm* p, const gc_lstm_gate* g, int32_t unit, const int8_t* in,
                       const int8_t* hidden) {
  const int8_t* w = g->input_weights + unit * p->inputs;
  int32_t x = 0;
  for (int32_t i = 0; i < p->inputs; ++i) x += in[i] * w[i];
  x = gc_clamp16(
      gc_rescale(gc_add_wrapping(x, g->input_bias[unit]), g->input.multiplier, g->input.shift));

  w = g->recurrent_weights + unit * p->units;
  int32_t h = 0;
  for (int32_t i = 0; i < p->units; ++i) h += hidden[i] * w[i];
  h = gc_clamp16(gc_rescale(gc_add_wrapping(h, g->recurrent_bias[unit]), g->recurrent.multiplier,
                            g->recurrent.shift));
  return 3 * gc_clamp16(x + h);
}

void gc_lstm_portable_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                         int8_t* out) {
  const int32_t units = p->units;
  for (int32_t t = 0; t < p->steps; ++t) {
    for (int32_t b = 0; b < p->batch; ++b, in += p->inputs) {
      for (int32_t u = 0; u < units; ++u) {
        /* all units read the hidden state of the previous step */
        const int8_t* h = hidden + b * units;
        const gc_four_gates sums = {
            gc_gate(p, &p->input, u, in, h), gc_gate(p, &p->forget, u, in, h),
            gc_gate(p, &p->cell, u, in, h), gc_gate(p, &p->output, u, in, h)};
        const int32_t y = gc_step(p, &sums, cell + b * units + u);
        out[b * units + u] = (int8_t)gc_clamp(gc_add_wrapping(y, p->zero_point), -128, 127);
      }
    }
    memcpy(hidden, out, (size_t)(p->batch * units));
    out += p->batch * units;
  }
}
