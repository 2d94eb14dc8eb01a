#include "micro/kernels/copy/copy.h"
#include "micro/kernels/kernels.h"

void gc_copy_s8(int32_t rows, int32_t columns, const int8_t* in /* (rows, in_stride) */,
                int32_t in_stride, int8_t* out /* (rows, stride) */, int32_t stride) {
  for (int32_t r = 0; r < rows; ++r) gc_copy_row(out + r * stride, in + r * in_stride, columns);
}
