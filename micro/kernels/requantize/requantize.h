/* The variants of QUANTIZE and RELU. A variant is one function for all four pairs of types: in and
   out are (count) elements of the given widths. The public functions call it with constant widths,
   so it is inlined in a function of its own for each pair. */
#ifndef GROUPCOMM_MICRO_KERNELS_REQUANTIZE_REQUANTIZE_H_
#define GROUPCOMM_MICRO_KERNELS_REQUANTIZE_REQUANTIZE_H_

#include "micro/kernels/element.h"
#include "micro/kernels/kernels.h"

/* Defines the four functions of a variant, of which the names end in s8, s8_s16, s16_s8 and s16. */
#define GC_DEFINE_REQUANTIZE(variant)                                             \
  void variant##_s8(const gc_requantize* p, const int8_t* in, int8_t* out) {      \
    variant##_any(p, in, GC_INT8, out, GC_INT8);                                  \
  }                                                                               \
  void variant##_s8_s16(const gc_requantize* p, const int8_t* in, int16_t* out) { \
    variant##_any(p, in, GC_INT8, out, GC_INT16);                                 \
  }                                                                               \
  void variant##_s16_s8(const gc_requantize* p, const int16_t* in, int8_t* out) { \
    variant##_any(p, in, GC_INT16, out, GC_INT8);                                 \
  }                                                                               \
  void variant##_s16(const gc_requantize* p, const int16_t* in, int16_t* out) {   \
    variant##_any(p, in, GC_INT16, out, GC_INT16);                                \
  }
#define GC_DECLARE_REQUANTIZE(variant)                                           \
  void variant##_s8(const gc_requantize* p, const int8_t* in, int8_t* out);      \
  void variant##_s8_s16(const gc_requantize* p, const int8_t* in, int16_t* out); \
  void variant##_s16_s8(const gc_requantize* p, const int16_t* in, int8_t* out); \
  void variant##_s16(const gc_requantize* p, const int16_t* in, int16_t* out);

GC_DECLARE_REQUANTIZE(gc_requantize_portable)
GC_DECLARE_REQUANTIZE(gc_requantize_dsp) /* the multiplier is not 0 */
GC_DECLARE_REQUANTIZE(gc_requantize_helium)

#endif /* GROUPCOMM_MICRO_KERNELS_REQUANTIZE_REQUANTIZE_H_ */
