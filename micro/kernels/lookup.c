#include "micro/kernels/kernels.h"

void gc_lookup_s8(const int8_t* table, int32_t count, const int8_t* in, int8_t* out) {
  for (int32_t i = 0; i < count; ++i) out[i] = table[(uint8_t)in[i]];
}
