/* The variants of MEAN. In all functions: in (outer, count, inner), out (outer, inner). */
#ifndef GROUPCOMM_MICRO_KERNELS_MEAN_MEAN_H_
#define GROUPCOMM_MICRO_KERNELS_MEAN_MEAN_H_

#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

void gc_mean_portable_s8(const gc_mean* p, const int8_t* in, int8_t* out);
void gc_mean_portable_s16(const gc_mean* p, const int16_t* in, int16_t* out);

/* inner is a multiple of 4, and count at most 255: the sums fit into halfwords. */
void gc_mean_dsp_s8(const gc_mean* p, const int8_t* in, int8_t* out);

void gc_mean_helium_s8(const gc_mean* p, const int8_t* in, int8_t* out);
void gc_mean_helium_s16(const gc_mean* p, const int16_t* in, int16_t* out);

#endif /* GROUPCOMM_MICRO_KERNELS_MEAN_MEAN_H_ */
