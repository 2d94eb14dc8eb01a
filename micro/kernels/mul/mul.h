/* The variants of MUL. In all functions: a, b and out as in kernels.h. */
#ifndef GROUPCOMM_MICRO_KERNELS_MUL_MUL_H_
#define GROUPCOMM_MICRO_KERNELS_MUL_MUL_H_

#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

void gc_mul_portable_s8(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out);
void gc_mul_portable_s16(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out);

/* The multiplier is not 0. */
void gc_mul_dsp_s8(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out);

void gc_mul_helium_s8(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out);
/* No column is broadcast. */
void gc_mul_helium_s16(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out);

#endif /* GROUPCOMM_MICRO_KERNELS_MUL_MUL_H_ */
