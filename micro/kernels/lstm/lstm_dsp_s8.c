#include "micro/kernels/dot/dot.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE
#include "micro/kernels/lstm/lstm_dsp.h"

/* Returns whether the DSP variant supports these scales and biases (units). It shifts the weights
   to the left instead of the sums, and doubles the sums: 32 bits must have room for both. */
static int gc_part_supported(const gc_scale* s, const int32_t* bias, int32_t units,
                             int32_t inputs) {
  if (s->multiplier < 1 << 30 || s->shift > 8 || inputs > 4096) return 0;
  return gc_magnitude_bits(bias, units) < 1u << (28 - gc_left(s->shift)) &&
         inputs << 14 <= 1 << (29 - gc_left(s->shift));
}

int gc_lstm_dsp_s8_supports(const gc_lstm* p) {
  const gc_lstm_gate* const gates[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int supported = p->update.multiplier != 0 && p->update.shift <= 0 && p->hidden.multiplier != 0 &&
                  p->hidden.shift <= 0;
  for (int g = 0; g < 4; ++g) {
    supported =
        supported && gc_part_supported(&gates[g]->input, gates[g]->input_bias, p->units, p->inputs);
    supported = supported && gc_part_supported(&gates[g]->recurrent, gates[g]->recurrent_bias,
                                               p->units, p->units);
  }
  return supported;
}

GC_NOINLINE void gc_activate_tanh(const gc_lstm_gate* q, const int32_t* sums, int32_t pairs,
                                  int16_t* gate) {
  const int32_t x_right = gc_right(q->input.shift), h_right = gc_right(q->recurrent.shift);
  if (x_right == 0 && h_right > 0) { /* the usual case, a path of its own */
    gc_activate(q, sums, pairs, gate, GC_TANH, GC_DOUBLED_SUMS, 0, h_right);
  } else {
    gc_activate(q, sums, pairs, gate, GC_TANH, GC_DOUBLED_SUMS, x_right, h_right);
  }
}

GC_NOINLINE void gc_activate_logistic(const gc_lstm_gate* q, const int32_t* sums, int32_t pairs,
                                      int16_t* gate) {
  const int32_t x_right = gc_right(q->input.shift), h_right = gc_right(q->recurrent.shift);
  if (x_right == 0 && h_right > 0) {
    gc_activate(q, sums, pairs, gate, GC_LOGISTIC, GC_DOUBLED_SUMS, 0, h_right);
  } else {
    gc_activate(q, sums, pairs, gate, GC_LOGISTIC, GC_DOUBLED_SUMS, x_right, h_right);
  }
}

/* Computes the outputs of one unit for all rows of the batch. output_gate: every eighth element of
   gates (batch, 2 units, 4 gates); cell and out (batch, units) at this unit. */
GC_NOINLINE void gc_update_outputs(const gc_lstm* p, const int16_t* output_gate,
                                   const int16_t* cell, int8_t* out) {
  const uint32_t doubled = gc_doubled(p->hidden.multiplier);
  const int32_t right = -p->hidden.shift, zero_point = p->zero_point, units = p->units;
  const int32_t multiplier = p->tanh_multiplier, shift = p->tanh_shift,
                round = shift > 0 ? 1 << (shift - 1) : 0;
  gc_curve curve = gc_tanh_curve();
  for (const int16_t* end = output_gate + 8 * p->batch; output_gate != end;
       output_gate += 8, cell += units, out += units) {
    const int32_t y = gc_tanh16_fast(&curve, (*cell * multiplier + round) >> shift);
    *out = (int8_t)gc_ssat(gc_rescale_fast(y * *output_gate, doubled, right, zero_point), 8);
  }
}

/* One time step. It widens and interleaves the rows of the batch once, and the weights of two units
   at a time. */
static void gc_lstm_step(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                         int8_t* out, const gc_dsp_buffers* b) {
  const int32_t inputs = p->inputs, units = p->units, h_at = 4 * b->x_eights;
  uint64_t* row = b->rows;
  for (int32_t i = 0; i < p->batch; i += 2, row += h_at + 4 * b->h_eights) {
    const int32_t j = i + 1 < p->batch ? i + 1 : i;
    gc_interleave(in + i * inputs, in + j * inputs, inputs, 1, (gc_pair*)row);
    gc_interleave(hidden + i * units, hidden + j * units, units, 1, (gc_pair*)(row + h_at));
  }
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  for (int32_t u = 0; u < units; u += 2) {
    const int32_t v = u + 1 < units ? u + 1 : u;
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      const int32_t x_left = gc_left(q->input.shift), h_left = gc_left(q->recurrent.shift);
      gc_interleave(q->input_weights + u * inputs, q->input_weights + v * inputs, inputs, x_left,
                    (gc_pair*)b->weights);
      gc_interleave(q->recurrent_weights + u * units, q->recurrent_weights + v * units, units,
                    h_left, (gc_pair*)(b->weights + h_at));
      const int32_t biases[4] = {q->input_bias[u] * (2 << x_left), q->input_bias[v] * (2 << x_left),
                                 q->recurrent_bias[u] * (2 << h_left),
                                 q->recurrent_bias[v] * (2 << h_left)};
      gc_sums(b, biases);
      if (g == 2) {
        gc_activate_tanh(q, b->sums, b->pairs, b->gates + g);
      } else {
        gc_activate_logistic(q, b->sums, b->pairs, b->gates + g);
      }
    }
    for (int32_t i = u; i <= v; ++i) {
      gc_update_cells(p, (const int32_t*)b->gates + 2 * (i - u), cell + i);
      gc_update_outputs(p, b->gates + 4 * (i - u) + 3, cell + i, out + i);
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * units));
}

/* Computes the doubled sums of the input part or of the recurrent part of a gate, for all units of
   one row, times 2^left. w (units, count), x (count halfwords), bias (units); sums (units / 4,
   input or recurrent, 4 units), of which one part is written. */
GC_NOINLINE void gc_sums_row(const int8_t* w, const gc_pair* x, int32_t count, const int32_t* bias,
                             int32_t units, int32_t left, int32_t* sums) {
  const int32_t times = 2 << left;
  if (count == 8) { /* the row stays in registers */
    const gc_pair x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    for (const int32_t* end = bias + units; bias != end; bias += 4, w += 32, sums += 8) {
      GC_UNROLL(4)
      for (int32_t i = 0; i < 4; ++i) {
        const uint32_t a = gc_load4(w + 8 * i), b = gc_load4(w + 8 * i + 4);
        const int32_t sum = gc_smlad(x1, gc_odd(a), gc_smlad(x0, gc_even(a), bias[i]));
        sums[i] = gc_smlad(x3, gc_odd(b), gc_smlad(x2, gc_even(b), sum)) * times;
      }
    }
    return;
  }
  for (const int32_t* end = bias + units; bias != end; bias += 4, w += 4 * count, sums += 8) {
    int32_t four[4] = {bias[0], bias[1], bias[2], bias[3]};
    gc_dot_dsp_4x1(w, x, count, four);
    sums[0] = four[0] * times, sums[1] = four[1] * times;
    sums[2] = four[2] * times, sums[3] = four[3] * times;
  }
}

/* All time steps of a batch of one row. Each weight is used only once a step, so it is not worth
   interleaving them. The buffers hold four units where those of gc_dsp_buffers hold two units of two
   rows of the batch. in (steps, inputs), out (steps, units). */
static void gc_lstm_row(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                        int8_t* out, void* scratch) {
  const int32_t inputs = p->inputs, units = p->units;
  gc_pair *x = scratch, *h = x + (inputs + 1) / 2; /* (inputs), (units) halfwords */
  int32_t* sums = (int32_t*)h + units / 2;         /* (units / 4, input or recurrent, 4 units) */
  int16_t* gates = (int16_t*)(sums + 2 * units);   /* (units, 4 gates) */
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  gc_lstm pairs = *p; /* a batch of pairs of units, for gc_update_cells */
  pairs.batch = units / 2, pairs.units = 2;
  for (int32_t t = 0; t < p->steps; ++t, in += inputs, out += units) {
    gc_widen(in, inputs, x);
    gc_widen(hidden, units, h);
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      gc_sums_row(q->input_weights, x, inputs, q->input_bias, units, gc_left(q->input.shift), sums);
      gc_sums_row(q->recurrent_weights, h, units, q->recurrent_bias, units,
                  gc_left(q->recurrent.shift), sums + 4);
      if (g == 2) {
        gc_activate_tanh(q, sums, units / 4, gates + g);
      } else {
        gc_activate_logistic(q, sums, units / 4, gates + g);
      }
    }
    for (int32_t i = 0; i < 2; ++i) {
      gc_update_cells(&pairs, (const int32_t*)gates + 2 * i, cell + i);
      gc_update_outputs(&pairs, gates + 4 * i + 3, cell + i, out + i);
    }
    memcpy(hidden, out, (size_t)units);
  }
}

void gc_lstm_dsp_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out,
                    void* scratch) {
  if (p->batch == 1 && p->units % 4 == 0) {
    gc_lstm_row(p, in, hidden, cell, out, scratch);
    return;
  }
  const gc_dsp_buffers b = gc_dsp_buffers_of(p, scratch);
  for (int32_t t = 0; t < p->steps; ++t, in += p->batch * p->inputs, out += p->batch * p->units)
    gc_lstm_step(p, in, hidden, cell, out, &b);
}

#endif
