/* The variants of FULLY_CONNECTED. In all functions, unless a comment says otherwise: in (rows,
   inputs), out (rows, outputs), w rows of the weights (outputs, inputs). */
#ifndef GROUPCOMM_MICRO_KERNELS_FULLY_CONNECTED_FULLY_CONNECTED_H_
#define GROUPCOMM_MICRO_KERNELS_FULLY_CONNECTED_FULLY_CONNECTED_H_

#include "micro/kernels/dsp.h"
#include "micro/kernels/kernels.h"

void gc_fully_connected_portable_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out);
void gc_fully_connected_portable_s16(const gc_fully_connected* p, const int16_t* in, int16_t* out);

/* The DSP variant widens a row of at most so many inputs once for all outputs, on the stack. */
enum { GC_BLOCK = 256 };

/* At least 4 inputs. For s8 usual scales; for s16 see gc_fully_connected_is_narrow. */
void gc_fully_connected_dsp_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out);
void gc_fully_connected_dsp_s16(const gc_fully_connected* p, const int16_t* in, int16_t* out);

#ifdef GC_DSP
/* Outputs of one row whose length is a multiple of 8. The order of the fields is that in which
   gc_row_dsp_s8 loads them. */
typedef struct {
  const int8_t* weights;     /* (outputs, inputs) */
  const gc_pair* x;          /* (inputs halfwords), in the order of gc_widen */
  int32_t inputs, eights;    /* inputs / 8 */
  const int32_t* bias;       /* (outputs) */
  const int32_t* multiplier; /* (outputs) */
  const int8_t* shift;       /* (outputs), usual ones */
  int8_t *out, *end;         /* a multiple of 4 outputs, not 0 */
  int32_t zero_point;
} gc_row;

/* Computes all outputs, and advances what is in row. */
void gc_row_dsp_s8(gc_row* row);
#endif

void gc_fully_connected_helium_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out);
/* See gc_fully_connected_is_narrow. */
void gc_fully_connected_helium_s16(const gc_fully_connected* p, const int16_t* in, int16_t* out);

/* Returns whether all sums of int16 inputs fit into 32 bits, and all are shifted to the right. */
static inline int gc_fully_connected_is_narrow(const gc_fully_connected* p) {
  int32_t most = -128;
  for (int32_t o = 0; o < p->outputs; ++o) most = p->shift[o] > most ? p->shift[o] : most;
  return most < -1 && gc_sums_fit(p->bias, p->outputs, p->inputs);
}

#endif /* GROUPCOMM_MICRO_KERNELS_FULLY_CONNECTED_FULLY_CONNECTED_H_ */
