#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

/* One implementation for all four kernels: in and out (count), elements of 1 or, where wide, 2
   bytes. */

static inline __attribute__((always_inline)) int32_t gc_element(const void* x, int32_t i,
                                                                int wide) {
  return wide ? ((const int16_t*)x)[i] : ((const int8_t*)x)[i];
}

static inline __attribute__((always_inline)) void gc_put(void* x, int32_t i, int wide,
                                                         int32_t value) {
  if (wide) {
    ((int16_t*)x)[i] = (int16_t)value;
  } else {
    ((int8_t*)x)[i] = (int8_t)value;
  }
}

static inline __attribute__((always_inline)) void gc_requantize_portable(const gc_requantize* p,
                                                                         const void* in,
                                                                         int wide_in, void* out,
                                                                         int wide_out) {
  for (int32_t i = 0; i < p->count; ++i) {
    const int32_t x = gc_element(in, i, wide_in) - p->input_zero_point;
    const int32_t y =
        gc_add_wrapping(gc_rescale(x, p->scale.multiplier, p->scale.shift), p->zero_point);
    gc_put(out, i, wide_out, gc_clamp(y, p->low, p->high));
  }
}

#ifdef GC_DSP

static inline
    __attribute__((always_inline)) void gc_requantize_fast(const gc_requantize* p, const void* in,
                                                           int wide_in, void* out, int wide_out) {
  const int32_t input_zero = p->input_zero_point, left = gc_left(p->scale.shift),
                right = gc_right(p->scale.shift);
  const int32_t zero_point = p->zero_point, low = p->low, high = p->high, count = p->count;
  const uint32_t doubled = gc_doubled(p->scale.multiplier);
  for (int32_t i = 0; i < count; ++i) {
    const uint32_t x = (uint32_t)(gc_element(in, i, wide_in) - input_zero);
    gc_put(out, i, wide_out,
           gc_clamp(gc_rescale_fast((int32_t)(x << left), doubled, right, zero_point), low, high));
  }
}

#endif

#ifdef GC_HELIUM

static inline
    __attribute__((always_inline)) void gc_requantize_helium(const gc_requantize* p, const void* in,
                                                             int wide_in, void* out, int wide_out) {
  const gc_scale s = p->scale;
  const int32_t input_zero = -p->input_zero_point, zero_point = p->zero_point;
  const int16x8_t low = vdupq_n_s16((int16_t)p->low), high = vdupq_n_s16((int16_t)p->high);
  for (int32_t i = 0; i < p->count; i += 8) {
    const mve_pred16_t here = vctp16q((uint32_t)(p->count - i));
    const int16x8_t x = wide_in ? vldrhq_z_s16((const int16_t*)in + i, here)
                                : vldrbq_z_s16((const int8_t*)in + i, here);
    const int32x4_t even =
        gc_rescale_all(vaddq_n_s32(vmovlbq_s16(x), input_zero), s.multiplier, s.shift);
    const int32x4_t odd =
        gc_rescale_all(vaddq_n_s32(vmovltq_s16(x), input_zero), s.multiplier, s.shift);
    int16x8_t y = gc_narrow(vaddq_n_s32(even, zero_point), vaddq_n_s32(odd, zero_point));
    y = vminq_s16(vmaxq_s16(y, low), high);
    if (wide_out) {
      vstrhq_p_s16((int16_t*)out + i, y, here);
    } else {
      vstrbq_p_s16((int8_t*)out + i, y, here);
    }
  }
}

#endif

static inline
    __attribute__((always_inline)) void gc_requantize_any(const gc_requantize* p, const void* in,
                                                          int wide_in, void* out, int wide_out) {
#ifdef GC_DSP
  if (p->scale.multiplier != 0) {
    gc_requantize_fast(p, in, wide_in, out, wide_out);
    return;
  }
#endif
#ifdef GC_HELIUM
  gc_requantize_helium(p, in, wide_in, out, wide_out);
#else
  gc_requantize_portable(p, in, wide_in, out, wide_out);
#endif
}

void gc_requantize_s8(const gc_requantize* p, const int8_t* in, int8_t* out) {
  gc_requantize_any(p, in, 0, out, 0);
}
void gc_requantize_s8_s16(const gc_requantize* p, const int8_t* in, int16_t* out) {
  gc_requantize_any(p, in, 0, out, 1);
}
void gc_requantize_s16_s8(const gc_requantize* p, const int16_t* in, int8_t* out) {
  gc_requantize_any(p, in, 1, out, 0);
}
void gc_requantize_s16(const gc_requantize* p, const int16_t* in, int16_t* out) {
  gc_requantize_any(p, in, 1, out, 1);
}
