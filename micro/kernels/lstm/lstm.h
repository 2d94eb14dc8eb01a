/* The variants of UNIDIRECTIONAL_SEQUENCE_LSTM. In all functions of this folder, unless a comment
   says otherwise: in (batch, inputs), hidden (batch, units), cell (batch, units), out (batch,
   units); in functions of one unit or row, in and hidden begin at that row of the batch. */
#ifndef GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_H_
#define GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_H_

#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

/* The variants run all steps: in (steps, batch, inputs), out (steps, batch, units). scratch
   (GC_LSTM_SCRATCH_BYTES). */
void gc_lstm_portable_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                         int8_t* out);
void gc_lstm_portable_s16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                          int16_t* out);

/* Returns whether the scales and biases leave room for the sums of the variant. */
int gc_lstm_dsp_s8_supports(const gc_lstm* p);
void gc_lstm_dsp_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out,
                    void* scratch);
/* See gc_lstm_is_narrow. */
void gc_lstm_dsp_s16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                     int16_t* out, void* scratch);

void gc_lstm_helium_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                       int8_t* out, void* scratch);
/* See gc_lstm_is_narrow; at least GC_LSTM_HELIUM_UNITS units: the scratch has room for so many,
   rounded up to a multiple of 8. */
enum { GC_LSTM_HELIUM_UNITS = 4 };
void gc_lstm_helium_s16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                        int16_t* out, void* scratch);

/* The functions that activate a gate. */
typedef enum { GC_LOGISTIC, GC_TANH } gc_activation;

/* Returns whether all sums of int16 inputs fit into 32 bits, and all are shifted to the right. */
static inline int gc_lstm_is_narrow(const gc_lstm* p) {
  const gc_lstm_gate* const gates[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int narrow = p->units < 512 && p->inputs < 512 &&
               p->largest_bias < INT32_MAX - (p->inputs << 22) && p->update.multiplier != 0 &&
               p->update.shift <= 0 && p->hidden.multiplier != 0 && p->hidden.shift <= 0;
  for (int g = 0; g < 4; ++g) {
    narrow = narrow && gates[g]->input.shift < -1 && gates[g]->recurrent.shift < -1;
  }
  return narrow;
}

#endif /* GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_H_ */
