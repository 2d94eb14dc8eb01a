#include "micro/kernels/dot/dot.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE
#include "micro/kernels/lstm/lstm_dsp.h"

/* Returns whether the DSP variant supports these scales and biases (units). It shifts the weights
   to the left instead of the sums, and doubles the sums: 32 bits must have room for both. */
static int gc_part_supported(const gc_scale* s, int32_t largest_bias, int32_t inputs) {
  if (s->multiplier < 1 << 30 || s->shift > 8 || inputs > 4096) return 0;
  return largest_bias < 1 << (28 - gc_left(s->shift)) &&
         inputs << 14 <= 1 << (29 - gc_left(s->shift));
}

int gc_lstm_dsp_s8_supports(const gc_lstm* p) {
  const gc_lstm_gate* const gates[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int supported = p->update.multiplier != 0 && p->update.shift <= 0 && p->hidden.multiplier != 0 &&
                  p->hidden.shift <= 0;
  for (int g = 0; g < 4; ++g) {
    supported = supported && gc_part_supported(&gates[g]->input, p->largest_bias, p->inputs);
    supported = supported && gc_part_supported(&gates[g]->recurrent, p->largest_bias, p->units);
  }
  return supported;
}

/* gc_activate for any shifts to the right. */
static void gc_activate_tanh(const int32_t* x, const int32_t* h, gc_pair* gate,
                             const gc_activate_data* d) {
  gc_activate(d->gate, x, h, (int32_t)(d->x_end - x), gate, GC_TANH, GC_DOUBLED_SUMS,
              gc_right(d->gate->input.shift), gc_right(d->gate->recurrent.shift));
}
static void gc_activate_logistic(const int32_t* x, const int32_t* h, gc_pair* gate,
                                 const gc_activate_data* d) {
  gc_activate(d->gate, x, h, (int32_t)(d->x_end - x), gate, GC_LOGISTIC, GC_DOUBLED_SUMS,
              gc_right(d->gate->input.shift), gc_right(d->gate->recurrent.shift));
}

/* How a gate whose sums of the inputs end at x_end is activated. */
typedef struct {
  gc_activate_function* function;
  gc_activate_data data;
} gc_activation_plan;

static gc_activation_plan gc_activation_plan_of(const gc_lstm_gate* q, const int32_t* x_end,
                                                gc_activation activation) {
  static gc_activate_function* const functions[2][3] = {
      {gc_activate_dsp_logistic_0, gc_activate_dsp_logistic_1, gc_activate_logistic},
      {gc_activate_dsp_tanh_0, gc_activate_dsp_tanh_1, gc_activate_tanh}};
  const int32_t x_right = gc_right(q->input.shift), h_right = gc_right(q->recurrent.shift);
  const gc_curve c = activation == GC_TANH ? gc_tanh_curve() : gc_logistic_curve();
  const gc_activation_plan plan = {
      functions[activation][x_right == 0 && h_right < 2 ? h_right : 2],
      {x_end, q->input.multiplier, q->recurrent.multiplier, c.middle, c.word, c.offset, 3, q}};
  return plan;
}

/* Computes four outputs of every row, where the tanh of a cell needs no shift. gate (rows, 4 units
   halfwords), the output gate; cell and out (rows, units) at the first unit. */
GC_NOINLINE void gc_update_outputs(const gc_lstm* p, const gc_pair* gate, int32_t rows,
                                   const int16_t* cell, int8_t* out) {
  const uint32_t doubled = gc_doubled(p->hidden.multiplier);
  const int32_t right = -p->hidden.shift, zero_point = p->zero_point, units = p->units,
                multiplier = p->tanh_multiplier;
  gc_curve curve = gc_tanh_curve();
  for (const gc_pair* end = gate + 2 * rows; gate != end; cell += units, out += units) {
    GC_UNROLL(2)
    for (int32_t i = 0; i < 4; i += 2) {
      const gc_pair c = gc_load_pair(cell + i), o = *gate++;
      const int32_t y0 = gc_smulbb(o, gc_tanh16_fast(&curve, gc_smulbb(c, multiplier))),
                    y1 = gc_smultb(o, gc_tanh16_fast(&curve, gc_smultb(c, multiplier)));
      out[i] = (int8_t)gc_ssat(gc_rescale_fast(y0, doubled, right, zero_point), 8);
      out[i + 1] = (int8_t)gc_ssat(gc_rescale_fast(y1, doubled, right, zero_point), 8);
    }
  }
}

/* The same for the first `count` of four units, and with any shift. */
GC_NOINLINE void gc_update_any_outputs(const gc_lstm* p, const gc_pair* gate, int32_t rows,
                                       int32_t count, const int16_t* cell, int8_t* out) {
  gc_curve curve = gc_tanh_curve();
  const uint32_t doubled = gc_doubled(p->hidden.multiplier);
  const int32_t round = 1 << p->tanh_shift >> 1;
  for (int32_t r = 0; r < rows; ++r, gate += 2, cell += p->units, out += p->units) {
    for (int32_t i = 0; i < count; ++i) {
      const int32_t x = (cell[i] * p->tanh_multiplier + round) >> p->tanh_shift,
                    y = gc_tanh16_fast(&curve, x) * ((const int16_t*)gate)[i];
      out[i] = (int8_t)gc_ssat(gc_rescale_fast(y, doubled, -p->hidden.shift, p->zero_point), 8);
    }
  }
}

/* Updates the cells and outputs of the first `count` of four units of every row. */
static void gc_update(const gc_lstm* p, const gc_pair* gates, int32_t words, int32_t rows,
                      int32_t count, int16_t* cell, int8_t* out) {
  gc_update_cells_dsp(p, gates, words, rows, count, cell);
  if (count == 4 && p->tanh_shift == 0) {
    gc_update_outputs(p, gates + 3 * words, rows, cell, out);
  } else {
    gc_update_any_outputs(p, gates + 3 * words, rows, count, cell, out);
  }
}

/* A gate of a batch of several rows: its products of the inputs and of the hidden state, for the next
   four units. The shift to the left that all gates share is in the rows of the batch; where a gate
   has more, its weights have the rest. */
typedef struct {
  gc_dot x, h;
  gc_activation_plan activation;
} gc_gate_plan;

/* Computes the sums of the next units, 1 to 4. */
GC_ALWAYS_INLINE void gc_next_sums(gc_dot* d, int32_t units) {
  gc_dot_rows(d, units);
  d->bytes += 4 * d->count, d->bias += 4;
}

/* One time step. It interleaves the rows of the batch once, and the weights of four units at a
   time. */
static void gc_lstm_step(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                         int8_t* out, const gc_dsp_buffers* b) {
  const int32_t inputs = p->inputs, units = p->units, words = 4 * b->pairs;
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int32_t x_shared = 7, h_shared = 7; /* more would leave no room in a halfword */
  for (int32_t g = 0; g < 4; ++g) {
    const int32_t x = gc_left(all[g]->input.shift), h = gc_left(all[g]->recurrent.shift);
    x_shared = x < x_shared ? x : x_shared, h_shared = h < h_shared ? h : h_shared;
  }
  gc_interleave_dsp_2(in, p->batch, inputs, 1 + x_shared, b->x_rows);
  gc_interleave_dsp_2(hidden, p->batch, units, 1 + h_shared, b->h_rows);
  const gc_pair *x_end = b->x_rows + b->pairs * GC_TWO_ROWS(b->x_eights),
                *h_end = b->h_rows + b->pairs * GC_TWO_ROWS(b->h_eights);
  gc_gate_plan plans[4];
  for (int32_t g = 0; g < 4; ++g) {
    const gc_lstm_gate* q = all[g];
    const int32_t x_left = gc_left(q->input.shift), h_left = gc_left(q->recurrent.shift);
    int32_t* sums = (int32_t*)(b->gates + g * words);
    const gc_gate_plan plan = {
        {b->weights, b->x_rows, x_end, sums, q->input_bias, 1 + x_left, b->x_eights,
         q->input_weights, inputs, x_left - x_shared},
        {b->weights, b->h_rows, h_end, b->h_sums, q->recurrent_bias, 1 + h_left, b->h_eights,
         q->recurrent_weights, units, h_left - h_shared},
        gc_activation_plan_of(q, sums + 2 * words, g == 2 ? GC_TANH : GC_LOGISTIC)};
    plans[g] = plan;
  }
  for (int32_t u = 0; u < units; u += 4) {
    const int32_t real = units - u < 4 ? units - u : 4;
    for (gc_gate_plan* q = plans; q != plans + 4; ++q) {
      gc_next_sums(&q->x, real);
      gc_next_sums(&q->h, real);
      q->activation.function(q->x.sums, q->h.sums, (gc_pair*)q->x.sums, &q->activation.data);
    }
    gc_update(p, b->gates, words, p->batch, real, cell + u, out + u);
  }
  memcpy(hidden, out, (size_t)(p->batch * units));
}

/* Computes the doubled sums of the input part or of the recurrent part of a gate, for all units of
   one row, times 2^left. w (units, count), x (count halfwords), bias and sums (units). */
GC_NOINLINE void gc_sums_row(const int8_t* w, const gc_pair* x, int32_t count, const int32_t* bias,
                             int32_t units, int32_t left, int32_t* sums) {
  const int32_t times = 2 << left;
  if (count == 8) { /* the row stays in registers */
    const gc_pair x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    for (const int32_t* end = bias + units; bias != end; bias += 4, w += 32, sums += 4) {
      GC_UNROLL(4)
      for (int32_t i = 0; i < 4; ++i) {
        const uint32_t a = gc_load4(w + 8 * i), b = gc_load4(w + 8 * i + 4);
        const int32_t sum = gc_smlad(x1, gc_odd(a), gc_smlad(x0, gc_even(a), bias[i]));
        sums[i] = gc_smlad(x3, gc_odd(b), gc_smlad(x2, gc_even(b), sum)) * times;
      }
    }
    return;
  }
  memcpy(sums, bias, (size_t)units * sizeof(int32_t));
  gc_dot_dsp(w, count, x, count, sums, units);
  for (int32_t i = 0; i < units; ++i) sums[i] *= times;
}

/* All time steps of a batch of one row. Each weight is used only once a step, so it is not worth
   interleaving them. in (steps, inputs), out (steps, units). */
static void gc_lstm_row(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                        int8_t* out, void* scratch) {
  const int32_t inputs = p->inputs, units = p->units;
  gc_pair *x = scratch, *h = x + (inputs + 1) / 2; /* (inputs), (units) halfwords */
  int32_t *x_sums = (int32_t*)h + units / 2, *h_sums = x_sums + units; /* (units) */
  gc_pair* gates = (gc_pair*)(h_sums + units); /* (4 gates, units halfwords) */
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  gc_lstm fours = *p; /* a batch of rows of four units */
  fours.units = 4;
  for (int32_t t = 0; t < p->steps; ++t, in += inputs, out += units) {
    gc_widen(in, inputs, x);
    gc_widen(hidden, units, h);
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      gc_pair* gate = gates + g * (units / 2);
      gc_sums_row(q->input_weights, x, inputs, q->input_bias, units, gc_left(q->input.shift),
                  x_sums);
      gc_sums_row(q->recurrent_weights, h, units, q->recurrent_bias, units,
                  gc_left(q->recurrent.shift), h_sums);
      const gc_activation_plan plan =
          gc_activation_plan_of(q, x_sums + units, g == 2 ? GC_TANH : GC_LOGISTIC);
      plan.function(x_sums, h_sums, gate, &plan.data);
    }
    gc_update(&fours, gates, units / 2, units / 4, 4, cell, out);
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
