#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE
#include "micro/kernels/lstm/lstm_dsp.h"

GC_NOINLINE void gc_activate_tanh16(const gc_lstm_gate* q, const int32_t* x, const int32_t* h,
                                    int32_t count, gc_pair* gate) {
  gc_activate(q, x, h, count, gate, GC_TANH, GC_PLAIN_SUMS, -1 - q->input.shift,
              -1 - q->recurrent.shift);
}

GC_NOINLINE void gc_activate_logistic16(const gc_lstm_gate* q, const int32_t* x, const int32_t* h,
                                        int32_t count, gc_pair* gate) {
  gc_activate(q, x, h, count, gate, GC_LOGISTIC, GC_PLAIN_SUMS, -1 - q->input.shift,
              -1 - q->recurrent.shift);
}

/* Computes `units` outputs of every row, 1 to 4. gate (rows, 4 units halfwords), the output gate;
   cell and out (rows, units) at the first unit. */
GC_NOINLINE void gc_update_outputs16(const gc_lstm* p, const int16_t* gate, int32_t units,
                                     const int16_t* cell, int16_t* out) {
  const uint32_t doubled = gc_doubled(p->hidden.multiplier);
  const int32_t right = -p->hidden.shift, multiplier = p->tanh_multiplier, shift = p->tanh_shift,
                round = shift > 0 ? 1 << (shift - 1) : 0;
  gc_curve curve = gc_tanh_curve();
  for (const int16_t* end = gate + 4 * p->batch; gate != end;
       gate += 4, cell += p->units, out += p->units) {
    for (int32_t i = 0; i < units; ++i) {
      const int32_t y = gc_tanh16_fast(&curve, (cell[i] * multiplier + round) >> shift);
      out[i] = (int16_t)gc_ssat(gc_rescale_fast(y * gate[i], doubled, right, 0), 16);
    }
  }
}

/* Interleaves pairs of rows, in (batch, count), to out (pairs, GC_TWO_ROWS). */
static void gc_interleave_batch16(const int16_t* in, int32_t batch, int32_t count, gc_pair* out) {
  for (int32_t i = 0; i < batch; i += 2, in += 2 * count, out += GC_TWO_ROWS(gc_eights(count)))
    gc_interleave_halves(in, i + 1 < batch ? in + count : in, count, out);
}

/* One time step, as in lstm_dsp_s8.c. The rows are halfwords already, and the sums are not
   doubled. */
static void gc_lstm_step16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                           int16_t* out, const gc_dsp_buffers* b) {
  const int32_t inputs = p->inputs, units = p->units, words = 4 * b->pairs;
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  gc_interleave_batch16(in, p->batch, inputs, b->x_rows);
  gc_interleave_batch16(hidden, p->batch, units, b->h_rows);
  const gc_pair *x_end = b->x_rows + b->pairs * GC_TWO_ROWS(b->x_eights),
                *h_end = b->h_rows + b->pairs * GC_TWO_ROWS(b->h_eights);
  static const int32_t no_bias[4] = {0};
  for (int32_t u = 0; u < units; u += 4) {
    const int32_t real = units - u < 4 ? units - u : 4;
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      gc_pair* gate = b->gates + g * words;
      int32_t* x_sums = (int32_t*)gate;
      const gc_dot x = {b->weights,
                        b->x_rows,
                        x_end,
                        x_sums,
                        q->input_bias + u,
                        0,
                        b->x_eights,
                        q->input_weights + u * inputs,
                        inputs,
                        0};
      const gc_dot h = {b->weights, b->h_rows, h_end,       b->h_sums,
                        no_bias,    0,         b->h_eights, q->recurrent_weights + u * units,
                        units,      0};
      gc_dot_rows(&x, real);
      gc_dot_rows(&h, real);
      if (g == 2) {
        gc_activate_tanh16(q, x_sums, b->h_sums, 2 * words, gate);
      } else {
        gc_activate_logistic16(q, x_sums, b->h_sums, 2 * words, gate);
      }
    }
    gc_update_cells_dsp(p, b->gates, words, p->batch, real, cell + u);
    gc_update_outputs16(p, (const int16_t*)(b->gates + 3 * words), real, cell + u, out + u);
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
