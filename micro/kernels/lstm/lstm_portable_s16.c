#include "micro/kernels/fixed_point.h"

GC_VECTOR_OPTIMIZE
#include "micro/kernels/lstm/lstm_portable.h"

/* Returns one unit of a gate before its activation, times 3. in (inputs), hidden (units). */
static int32_t gc_gate16(const gc_lstm* p, const gc_lstm_gate* g, int32_t unit, const int16_t* in,
                         const int16_t* hidden) {
  const int8_t* w = g->input_weights + unit * p->inputs;
  int64_t x = g->input_bias[unit];
  for (int32_t i = 0; i < p->inputs; ++i) x += in[i] * w[i];

  w = g->recurrent_weights + unit * p->units;
  int64_t h = 0;
  for (int32_t i = 0; i < p->units; ++i) h += hidden[i] * w[i];
  return 3 *
         gc_clamp16(gc_clamp16(gc_rescale_wide(x, g->input.multiplier, g->input.shift)) +
                    gc_clamp16(gc_rescale_wide(h, g->recurrent.multiplier, g->recurrent.shift)));
}

void gc_lstm_portable_s16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                          int16_t* out) {
  const int32_t units = p->units;
  for (int32_t t = 0; t < p->steps; ++t) {
    for (int32_t b = 0; b < p->batch; ++b, in += p->inputs) {
      for (int32_t u = 0; u < units; ++u) {
        const int16_t* h = hidden + b * units;
        const gc_four_gates sums = {
            gc_gate16(p, &p->input, u, in, h), gc_gate16(p, &p->forget, u, in, h),
            gc_gate16(p, &p->cell, u, in, h), gc_gate16(p, &p->output, u, in, h)};
        out[b * units + u] = (int16_t)gc_clamp16(gc_step(p, &sums, cell + b * units + u));
      }
    }
    memcpy(hidden, out, (size_t)(p->batch * units) * sizeof(int16_t));
    out += p->batch * units;
  }
}
