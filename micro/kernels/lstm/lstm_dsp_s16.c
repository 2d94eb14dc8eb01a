#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE
#include "micro/kernels/lstm/lstm_dsp.h"

GC_NOINLINE void gc_activate_tanh16(const gc_lstm_gate* q, const int32_t* sums, int32_t pairs,
                                    int16_t* gate) {
  gc_activate(q, sums, pairs, gate, GC_TANH, GC_PLAIN_SUMS, -1 - q->input.shift,
              -1 - q->recurrent.shift);
}

GC_NOINLINE void gc_activate_logistic16(const gc_lstm_gate* q, const int32_t* sums, int32_t pairs,
                                        int16_t* gate) {
  gc_activate(q, sums, pairs, gate, GC_LOGISTIC, GC_PLAIN_SUMS, -1 - q->input.shift,
              -1 - q->recurrent.shift);
}

/* gc_update_outputs for int16 outputs. */
GC_NOINLINE void gc_update_outputs16(const gc_lstm* p, const int16_t* output_gate,
                                     const int16_t* cell, int16_t* out) {
  const uint32_t doubled = gc_doubled(p->hidden.multiplier);
  const int32_t right = -p->hidden.shift, units = p->units;
  const int32_t multiplier = p->tanh_multiplier, shift = p->tanh_shift,
                round = shift > 0 ? 1 << (shift - 1) : 0;
  gc_curve curve = gc_tanh_curve();
  for (const int16_t* end = output_gate + 8 * p->batch; output_gate != end;
       output_gate += 8, cell += units, out += units) {
    const int32_t y = gc_tanh16_fast(&curve, (*cell * multiplier + round) >> shift);
    *out = (int16_t)gc_ssat(gc_rescale_fast(y * *output_gate, doubled, right, 0), 16);
  }
}

/* One time step, as in lstm_dsp_s8.c. The rows are halfwords already, and the sums are not doubled. */
static void gc_lstm_step16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                           int16_t* out, const gc_dsp_buffers* b) {
  const int32_t inputs = p->inputs, units = p->units, h_at = 4 * b->x_eights;
  uint64_t* row = b->rows;
  for (int32_t i = 0; i < p->batch; i += 2, row += h_at + 4 * b->h_eights) {
    const int32_t j = i + 1 < p->batch ? i + 1 : i;
    gc_interleave_halves(in + i * inputs, in + j * inputs, inputs, (gc_pair*)row);
    gc_interleave_halves(hidden + i * units, hidden + j * units, units, (gc_pair*)(row + h_at));
  }
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  for (int32_t u = 0; u < units; u += 2) {
    const int32_t v = u + 1 < units ? u + 1 : u;
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      gc_interleave(q->input_weights + u * inputs, q->input_weights + v * inputs, inputs, 0,
                    (gc_pair*)b->weights);
      gc_interleave(q->recurrent_weights + u * units, q->recurrent_weights + v * units, units, 0,
                    (gc_pair*)(b->weights + h_at));
      const int32_t biases[4] = {q->input_bias[u], q->input_bias[v], 0, 0};
      gc_sums(b, biases);
      if (g == 2) {
        gc_activate_tanh16(q, b->sums, b->pairs, b->gates + g);
      } else {
        gc_activate_logistic16(q, b->sums, b->pairs, b->gates + g);
      }
    }
    for (int32_t i = u; i <= v; ++i) {
      gc_update_cells(p, (const int32_t*)b->gates + 2 * (i - u), cell + i);
      gc_update_outputs16(p, b->gates + 4 * (i - u) + 3, cell + i, out + i);
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * units) * sizeof(int16_t));
}

void gc_lstm_dsp_s16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                     int16_t* out, void* scratch) {
  const gc_dsp_buffers b = gc_dsp_buffers_of(p, scratch);
  for (int32_t t = 0; t < p->steps; ++t, in += p->batch * p->inputs, out += p->batch * p->units)
    gc_lstm_step16(p, in, hidden, cell, out, &b);
}

#endif
