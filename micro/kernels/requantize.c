#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

static inline int32_t gc_requantize_one(const gc_requantize* p, int32_t x) {
  return gc_clamp(gc_plus(gc_rescale(x - p->input_zero_point, p->scale.multiplier, p->scale.shift), p->zero_point), p->low, p->high);
}

void gc_requantize_s8(const gc_requantize* p, const int8_t* in, int8_t* out) {
  for (int32_t i = 0; i < p->count; ++i) out[i] = (int8_t)gc_requantize_one(p, in[i]);
}

void gc_requantize_s8_s16(const gc_requantize* p, const int8_t* in, int16_t* out) {
  for (int32_t i = 0; i < p->count; ++i) out[i] = (int16_t)gc_requantize_one(p, in[i]);
}

void gc_requantize_s16_s8(const gc_requantize* p, const int16_t* in, int8_t* out) {
  for (int32_t i = 0; i < p->count; ++i) out[i] = (int8_t)gc_requantize_one(p, in[i]);
}

void gc_requantize_s16(const gc_requantize* p, const int16_t* in, int16_t* out) {
  for (int32_t i = 0; i < p->count; ++i) out[i] = (int16_t)gc_requantize_one(p, in[i]);
}
