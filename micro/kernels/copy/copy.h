/* A copy that every core makes with its widest instructions. */
#ifndef GROUPCOMM_MICRO_KERNELS_COPY_COPY_H_
#define GROUPCOMM_MICRO_KERNELS_COPY_COPY_H_

#include <string.h>

#include "micro/kernels/dsp.h"
#include "micro/kernels/helium.h"

/* Copies from (count) to to (count). With the DSP extension, a call of memcpy takes longer than the
   copy of a short row. */
static inline void gc_copy_row(int8_t* to, const int8_t* from, int32_t count) {
#if defined(GC_HELIUM)
  gc_copy_bytes(to, from, count);
#else
#if defined(GC_DSP)
  if (count < 16) {
    for (; count >= 4; count -= 4, to += 4, from += 4) {
      const uint32_t four = gc_load4(from);
      memcpy(to, &four, 4);
    }
    for (; count > 0; --count) *to++ = *from++;
    return;
  }
#endif
  memcpy(to, from, (size_t)count);
#endif
}

#endif /* GROUPCOMM_MICRO_KERNELS_COPY_COPY_H_ */
