#include "micro/kernels/depthwise_convolution/depthwise_convolution.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

/* Returns four sums, scaled to outputs o to o + 3. */
GC_ALWAYS_INLINE int32x4_t gc_scale_four(const gc_depthwise_convolution* p, int32_t o,
                                         int32x4_t sums) {
  const int32x4_t shift = vldrbq_s32(p->shift + o), zero = vdupq_n_s32(0);
  const int32x4_t y =
      gc_rescale_lanes(vaddq_s32(sums, vldrwq_s32(p->bias + o)), vldrwq_s32(p->multiplier + o),
                       vmaxq_s32(shift, zero), vminq_s32(shift, zero));
  return vmaxq_s32(vaddq_n_s32(y, p->zero_point), vdupq_n_s32(p->low));
}

void gc_depthwise_one_helium_s8(const gc_depthwise_convolution* p, const int8_t* x, int32_t row,
                                int32_t column, int8_t* out) {
  const gc_depthwise_convolution own = *p; /* stays in registers: see gc_add_eights */
  const int32_t outputs = own.outputs, height = own.window.height;
  for (int32_t c = 0; c < outputs; c += 8) {
    if (c > outputs - 8) c = outputs - 8; /* the last eight, some of them for the second time */
    const int8_t *w = own.weights + c, *line = x + c;
    int32x4x2_t sums = {{vdupq_n_s32(0), vdupq_n_s32(0)}}; /* of even and of odd channels */
    for (int32_t r = height; r > 0; --r, line += row) {
      const int8_t* at = line;
      for (uint32_t k = (uint32_t)own.window.width; k > 0; --k, at += column, w += outputs) {
        const int16x8_t a = vldrbq_s16(at), b = vldrbq_s16(w);
        sums.val[0] = vaddq_s32(sums.val[0], vmullbq_int_s16(a, b));
        sums.val[1] = vaddq_s32(sums.val[1], vmulltq_int_s16(a, b));
      }
    }
    int32_t in_order[8];
    vst2q_s32(in_order, sums);
    const int32x4_t high = vdupq_n_s32(own.high);
    for (int32_t i = 0; i < 8; i += 4) {
      const int32x4_t y = gc_scale_four(&own, c + i, vldrwq_s32(in_order + i));
      vstrbq_s32(out + c + i, vminq_s32(y, high));
    }
  }
}

#endif
