/* Sums of products of rows of weights and one row of inputs, for several operators. */
#ifndef GROUPCOMM_MICRO_KERNELS_DOT_DOT_H_
#define GROUPCOMM_MICRO_KERNELS_DOT_DOT_H_

#include "micro/kernels/dsp.h"

#ifdef GC_DSP

/* Adds the products of four rows of weights, w (4, n), and one row of inputs, x (n halfwords), to
   sums (4). x is in the order of gc_widen. */
void gc_dot_dsp_4x1(const int8_t* w, const gc_pair* x, int32_t n, int32_t sums[4]);

/* Widens a row of inputs, in (n), to halfwords, out (n): of every four inputs, elements 0 and 2 come
   first, then 1 and 3; the inputs after the last whole group of eight are in their original order. */
GC_ALWAYS_INLINE void gc_widen(const int8_t* in, int32_t n, gc_pair* out) {
  for (const int8_t* end = in + (n & ~7); in != end; in += 4, out += 2) {
    const uint32_t four = gc_load4(in);
    out[0] = gc_even(four), out[1] = gc_odd(four);
  }
  int16_t* rest = (int16_t*)out;
  for (n &= 7; n > 0; --n) *rest++ = *in++;
}

#endif

#endif /* GROUPCOMM_MICRO_KERNELS_DOT_DOT_H_ */
