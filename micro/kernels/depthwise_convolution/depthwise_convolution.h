/* The variants of DEPTHWISE_CONV_2D. */
#ifndef GROUPCOMM_MICRO_KERNELS_DEPTHWISE_CONVOLUTION_DEPTHWISE_CONVOLUTION_H_
#define GROUPCOMM_MICRO_KERNELS_DEPTHWISE_CONVOLUTION_DEPTHWISE_CONVOLUTION_H_

#include "micro/kernels/fixed_point.h"
#include "micro/kernels/kernels.h"

/* Computes the outputs of one window, out (outputs), without padding. x is its first element; its
   rows are `row` bytes apart, and its columns `column` bytes. */
typedef void gc_depthwise_one(const gc_depthwise_convolution* p, const int8_t* x, int32_t row,
                              int32_t column, int8_t* out);

gc_depthwise_one gc_depthwise_one_portable_s8;

/* At least 4 outputs, as many as channels; no multiplier is 0. */
gc_depthwise_one gc_depthwise_one_dsp_s8;

/* At least 8 outputs, as many as channels. */
gc_depthwise_one gc_depthwise_one_helium_s8;

/* gc_depthwise_convolution_s8 with a given variant. */
void gc_depthwise_windows_s8(const gc_depthwise_convolution* p, const int8_t* in, int8_t* out,
                             int8_t* scratch, gc_depthwise_one* one);

#endif /* GROUPCOMM_MICRO_KERNELS_DEPTHWISE_CONVOLUTION_DEPTHWISE_CONVOLUTION_H_ */
