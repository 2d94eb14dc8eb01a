/* The variants of SQUARED_DIFFERENCE. In all functions: a, b and out as in kernels.h. */
#ifndef GROUPCOMM_MICRO_KERNELS_SQUARED_DIFFERENCE_SQUARED_DIFFERENCE_H_
#define GROUPCOMM_MICRO_KERNELS_SQUARED_DIFFERENCE_SQUARED_DIFFERENCE_H_

#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

void gc_squared_difference_portable_s8(const gc_squared_difference* p, const int8_t* a,
                                       const int8_t* b, int8_t* out);

/* No multiplier is 0, and the scales of the operands do not shift to the left. */
void gc_squared_difference_dsp_s8(const gc_squared_difference* p, const int8_t* a, const int8_t* b,
                                  int8_t* out);

void gc_squared_difference_helium_s8(const gc_squared_difference* p, const int8_t* a,
                                     const int8_t* b, int8_t* out);

#endif /* GROUPCOMM_MICRO_KERNELS_SQUARED_DIFFERENCE_SQUARED_DIFFERENCE_H_ */
