#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE
#include "micro/kernels/lstm/lstm_helium.h"

GC_DEFINE_SUMS(gc_sums_any16, int16_t, int16x8_t, "16", "vldrb.s16", "8", "l", "vldrh.16")

/* Returns the next eight sums, from sums (8), plus their biases, in units of 1 / 4096. */
GC_ALWAYS_INLINE int16x8_t gc_part_lanes16(const int32_t** sums, const gc_scale* s) {
  const int32x4_t even = vrshlq_n_s32(vqdmulhq_n_s32(vldrwq_s32(*sums), s->multiplier), s->shift);
  GC_NEXT(*sums, 4);
  const int32x4_t odd = vrshlq_n_s32(vqdmulhq_n_s32(vldrwq_s32(*sums), s->multiplier), s->shift);
  GC_NEXT(*sums, 4);
  return gc_narrow(even, odd);
}

/* Computes one gate, of units `from` to `to`, and two rows of the batch: in (2, inputs), hidden (2,
   units); where `last` is 0, of one row twice. sums, as in the buffer, include the biases. gates, a
   view of the buffer at this gate and the first of the units. */
GC_NOINLINE void gc_gate16(const gc_lstm* p, const gc_lstm_gate* q, const int16_t* in,
                           const int16_t* hidden, int32_t last, int32_t from, int32_t to,
                           int32_t* sums, int16_t* gates, gc_activation activation) {
  const int32_t inputs = p->inputs, units = p->units;
  gc_sums_any16(q->input_weights + from * inputs, inputs, to - from, in, in + last * inputs,
                q->input_bias + from, sums);
  gc_sums_any16(q->recurrent_weights + from * units, units, to - from, hidden,
                hidden + last * units, 0, sums + GC_SUMS_OF_PART);
  const gc_curve curve = activation == GC_TANH ? gc_tanh_curve(3) : gc_logistic_curve();
  const uint16x8_t one = vdupq_n_u16(32768);
  const int32_t* at = sums;
  for (uint32_t n = (uint32_t)(to - from + 7) / 8; n > 0; --n) {
    int16x8_t x0 = gc_part_lanes16(&at, &q->input), x1 = gc_part_lanes16(&at, &q->input);
    x0 = vqaddq_s16(x0, gc_part_lanes16(&at, &q->recurrent));
    x1 = vqaddq_s16(x1, gc_part_lanes16(&at, &q->recurrent));
    x0 = activation == GC_TANH ? gc_tanh_lanes(&curve, x0, GC_GATE)
                               : gc_logistic_lanes(&curve, x0, one);
    vstrhq_s16(gates, x0);
    GC_NEXT(gates, GC_GATES_OF_ROW);
    x1 = activation == GC_TANH ? gc_tanh_lanes(&curve, x1, GC_GATE)
                               : gc_logistic_lanes(&curve, x1, one);
    vstrhq_s16(gates, x1);
    GC_NEXT(gates, GC_GATES_OF_ROW);
  }
}

GC_NOINLINE void gc_cells16_fast_path(const gc_lstm* p, uint32_t eights, const int16_t* gates,
                                      int16_t* cell /* (eights, 8) */,
                                      void* out /* (eights, 8) */) {
  gc_cells_of(p, eights, gates, cell, out, GC_FAST_PATH, GC_INT16_OUTPUTS);
}
GC_NOINLINE void gc_cells16_generic(const gc_lstm* p, uint32_t eights, const int16_t* gates,
                                    int16_t* cell /* (eights, 8) */, void* out /* (eights, 8) */) {
  gc_cells_of(p, eights, gates, cell, out, GC_GENERIC, GC_INT16_OUTPUTS);
}

void gc_lstm_helium_s16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                        int16_t* out, void* scratch) {
  const int32_t inputs = p->inputs, units = p->units, batch = p->batch, eights = units / 8,
                rest = units % 8, last_eight = gc_last_eight(units);
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  const gc_cells cells = gc_cells_have_fast_path(p) ? gc_cells16_fast_path : gc_cells16_generic;
  int32_t* sums = scratch;
  int16_t* gates = (int16_t*)(sums + (eights > 0 ? eights : 1) * GC_SUMS_OF_EIGHT);
  int16_t* const last_gates = gates + eights * GC_GATES_OF_EIGHT;
  for (int32_t t = 0; t < p->steps; ++t) {
    const int16_t* h = hidden;
    int16_t* c = cell;
    for (int32_t left = batch; left > 0; left -= 2, in += 2 * inputs, h += 2 * units) {
      const int32_t last = left > 1; /* an odd batch repeats its last row */
      for (int32_t g = 0; g < 4; ++g) {
        const gc_activation activation = g == 2 ? GC_TANH : GC_LOGISTIC;
        gc_gate16(p, all[g], in, h, last, 0, 8 * eights, sums, gates + 8 * g, activation);
        if (rest > 0)
          gc_gate16(p, all[g], in, h, last, last_eight, units, sums, last_gates + 8 * g,
                    activation);
      }
      for (int32_t row = 0; row <= last; ++row, c += units, out += units) {
        cells(p, (uint32_t)eights, gates + row * GC_GATES_OF_ROW, c, out);
        if (rest > 0)
          gc_last_cells(p, cells, last_gates + row * GC_GATES_OF_ROW, c, out, GC_INT16_OUTPUTS);
      }
      if (!last) in -= inputs;
    }
    gc_copy_bytes((int8_t*)hidden, (const int8_t*)(out - batch * units), 2 * batch * units);
  }
}

#endif
