/* Elements of tensors whose type is an argument, for kernels of several types. With a constant width,
   the compiler makes a function of its own for each type. */
#ifndef GROUPCOMM_MICRO_KERNELS_ELEMENT_H_
#define GROUPCOMM_MICRO_KERNELS_ELEMENT_H_

#include "micro/kernels/fixed_point.h"

typedef enum { GC_INT8, GC_INT16 } gc_width;

/* Element i of x (count). */
GC_ALWAYS_INLINE int32_t gc_element(const void* x, gc_width width, int32_t i) {
  return width == GC_INT16 ? ((const int16_t*)x)[i] : ((const int8_t*)x)[i];
}

/* Writes element i of x (count). */
GC_ALWAYS_INLINE void gc_put(void* x, gc_width width, int32_t i, int32_t value) {
  if (width == GC_INT16) {
    ((int16_t*)x)[i] = (int16_t)value; /* wraps */
  } else {
    ((int8_t*)x)[i] = (int8_t)value; /* wraps */
  }
}

#endif /* GROUPCOMM_MICRO_KERNELS_ELEMENT_H_ */
