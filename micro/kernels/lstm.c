#include <string.h>

#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"
#include "micro/kernels/tanh_table.h"

/* tanh and logistic are lines between 512 points of one odd curve, tanh(k / 48) * 2^15. Their argument is in 1 / 12288, so that logistic,
   which is tanh of half of it, moves half as fast between the points. A negative argument rounds as its positive twin does. */
static inline int32_t gc_tanh16(int32_t x) {
  int32_t k = x >> 8;
  k = gc_clamp(k, -256, 255);
  const int32_t u = x & 255;
  const int16_t* t = gc_tanh_table + 256 + k;
  return (t[0] * (256 - u) + t[1] * u + 128 + (x >> 31)) >> 8;
}

static inline int32_t gc_logistic16(int32_t x) { /* |x| < 255 << 9: gates never reach the end of the curve */
  const int32_t u = x & 511;
  const int16_t* t = gc_tanh_table + 256 + (x >> 9);
  return (t[0] * (512 - u) + t[1] * u + (1 << 24) + 512 + (x >> 31)) >> 10;
}

static inline int32_t gc_clamp16(int32_t x) { return gc_clamp(x, -32768, 32767); }

/* Before the activation, times 3: the activations' 1 / 12288. */
static inline int32_t gc_gate(const gc_lstm* p, const gc_lstm_gate* g, int32_t unit, const int8_t* in, const int8_t* hidden) {
  const int8_t* w = g->input_weights + unit * p->inputs;
  int32_t x = 0;
  for (int32_t i = 0; i < p->inputs; ++i) x += in[i] * w[i];
  x = gc_clamp16(gc_rescale(gc_plus(x, g->input_bias[unit]), g->input.multiplier, g->input.shift));

  w = g->recurrent_weights + unit * p->units;
  int32_t h = 0;
  for (int32_t i = 0; i < p->units; ++i) h += hidden[i] * w[i];
  h = gc_clamp16(gc_rescale(gc_plus(h, g->recurrent_bias[unit]), g->recurrent.multiplier, g->recurrent.shift));
  return 3 * gc_clamp16(x + h);
}

void gc_lstm_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out, void* scratch) {
  (void)scratch;
  const int32_t round = p->tanh_shift > 0 ? 1 << (p->tanh_shift - 1) : 0;
  for (int32_t b = 0; b < p->batch; ++b, in += p->inputs) {
    for (int32_t u = 0; u < p->units; ++u) {
      const int32_t i = b * p->units + u;
      const int8_t* h = hidden + b * p->units; /* all units see the hidden state of the step before */
      const int32_t input_gate = gc_logistic16(gc_gate(p, &p->input, u, in, h));
      const int32_t forget_gate = gc_logistic16(gc_gate(p, &p->forget, u, in, h));
      const int32_t cell_gate = gc_tanh16(gc_gate(p, &p->cell, u, in, h));
      const int32_t output_gate = gc_logistic16(gc_gate(p, &p->output, u, in, h));

      /* A gate is in 1 / 32768: times 2^30 * 2^-31 * 2^-14. */
      const int32_t kept = gc_clamp16(gc_rescale(forget_gate * cell[i], 1 << 30, -14));
      const int32_t added = gc_clamp16(gc_rescale(input_gate * cell_gate, p->update.multiplier, p->update.shift));
      int32_t c = gc_clamp16(kept + added);
      if (p->cell_clip > 0) c = gc_clamp(c, -p->cell_clip, p->cell_clip);
      cell[i] = (int16_t)c;

      const int32_t squashed = gc_tanh16((c * p->tanh_multiplier + round) >> p->tanh_shift);
      const int32_t y = gc_rescale(squashed * output_gate, p->hidden.multiplier, p->hidden.shift);
      out[i] = (int8_t)gc_clamp(gc_plus(y, p->zero_point), -128, 127);
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * p->units));
}
