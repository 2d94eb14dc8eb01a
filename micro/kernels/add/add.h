/* The variants of ADD. In all functions: a, b and out as in kernels.h. */
#ifndef GROUPCOMM_MICRO_KERNELS_ADD_ADD_H_
#define GROUPCOMM_MICRO_KERNELS_ADD_ADD_H_

#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

void gc_add_portable_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out);
void gc_add_portable_s16(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out);

/* Both optimized variants of int8 need an operand whose scale is exactly half of its value * 2^20,
   as TFLM's scales make it. */
static inline int gc_is_half(const gc_scale* s) {
  return s->multiplier == 1 << 30 && s->shift == 0;
}

/* Operands whose scale does not shift to the left. For s8 also: one of the scales is half, and the
   sum is not shifted to the left; its multiplier is not 0. */
void gc_add_dsp_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out);

/* As above, and no column is broadcast. For s8 also: the sum is shifted to the right. */
void gc_add_helium_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out);
void gc_add_helium_s16(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out);

#endif /* GROUPCOMM_MICRO_KERNELS_ADD_ADD_H_ */
