/* What the portable variants of int8 and int16 share. */
#ifndef GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_PORTABLE_H_
#define GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_PORTABLE_H_

#include <string.h>

#include "micro/kernels/curve.h"
#include "micro/kernels/lstm/lstm.h"

/* The four gates of one unit before their activation, times 3: in units of 1 / 12288. */
typedef struct {
  int32_t input, forget, cell, output;
} gc_four_gates;

/* Updates one cell, and returns its output minus the zero point. */
GC_NOINLINE int32_t gc_step(const gc_lstm* p, const gc_four_gates* sums, int16_t* cell) {
  const int32_t input_gate = gc_logistic16(sums->input), forget_gate = gc_logistic16(sums->forget),
                cell_gate = gc_tanh16(sums->cell), output_gate = gc_logistic16(sums->output);
  const int32_t round = p->tanh_shift > 0 ? 1 << (p->tanh_shift - 1) : 0;

  /* The unit of a gate is 1 / 32768: the product is scaled by 2^30 * 2^-31 * 2^-14. */
  const int32_t kept = gc_clamp16(gc_rescale(forget_gate * *cell, 1 << 30, -14));
  const int32_t added =
      gc_clamp16(gc_rescale(input_gate * cell_gate, p->update.multiplier, p->update.shift));
  int32_t c = gc_clamp16(kept + added);
  if (p->cell_clip > 0) c = gc_clamp(c, -p->cell_clip, p->cell_clip);
  *cell = (int16_t)c;

  const int32_t squashed = gc_tanh16((c * p->tanh_multiplier + round) >> p->tanh_shift);
  return gc_rescale(squashed * output_gate, p->hidden.multiplier, p->hidden.shift);
}

#endif /* GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_PORTABLE_H_ */
