#include <string.h>

#include "micro/kernels/kernels.h"

void gc_copy_s8(int32_t rows, int32_t columns, const int8_t* in /* (rows, columns) */,
                int8_t* out /* (rows, stride) */, int32_t stride) {
  for (int32_t r = 0; r < rows; ++r) memcpy(out + r * stride, in + r * columns, (size_t)columns);
}
