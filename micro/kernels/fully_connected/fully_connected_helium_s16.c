#include "micro/kernels/fully_connected/fully_connected.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

/* gc_dot_lanes for int16 inputs, x (n): eight lanes at a time. */
GC_ALWAYS_INLINE int32x4_t gc_dot_lanes16(const int8_t* w0, const int8_t* w1, const int8_t* w2,
                                          const int8_t* w3, const int16_t* x, int32_t n) {
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  int16x8_t a, b;
  __asm__(
      "dlstp.16 lr, %[n]\n\t"
      "0:\n\t"
      "vldrh.16 %q[a], [%[x]], #16\n\t"
      "vldrb.s16 %q[b], [%[w0]], #8\n\t"
      "vmladava.s16 %[s0], %q[a], %q[b]\n\t"
      "vldrb.s16 %q[b], [%[w1]], #8\n\t"
      "vmladava.s16 %[s1], %q[a], %q[b]\n\t"
      "vldrb.s16 %q[b], [%[w2]], #8\n\t"
      "vmladava.s16 %[s2], %q[a], %q[b]\n\t"
      "vldrb.s16 %q[b], [%[w3]], #8\n\t"
      "vmladava.s16 %[s3], %q[a], %q[b]\n\t"
      "letp lr, 0b"
      : [x] "+r"(x), [w0] "+l"(w0), [w1] "+l"(w1), [w2] "+l"(w2), [w3] "+l"(w3), [s0] "+Te"(s0),
        [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3), [a] "=&w"(a), [b] "=&w"(b)
      : [n] "r"(n)
      : "lr", "memory");
  return gc_lanes(s0, s1, s2, s3);
}

void gc_fully_connected_helium_s16(const gc_fully_connected* p, const int16_t* in, int16_t* out) {
  const int32_t n = p->inputs, low = p->low, high = p->high;
  const uint32_t rest = (uint32_t)p->outputs % 4;
  for (int32_t r = p->rows; r > 0; --r, in += n, out += rest) {
    const int8_t *w = p->weights, *shift = p->shift;
    const int32_t *bias = p->bias, *multiplier = p->multiplier;
    for (uint32_t i = (uint32_t)p->outputs / 4; i > 0;
         --i, w += 4 * n, bias += 4, multiplier += 4, shift += 4, out += 4) {
      int32x4_t y =
          vaddq_s32(gc_dot_lanes16(w, w + n, w + 2 * n, w + 3 * n, in, n), vldrwq_s32(bias));
      y = gc_rescale_narrow_lanes(y, vldrwq_s32(multiplier), vldrbq_s32(shift));
      vstrhq_s32(out, vminq_s32(vmaxq_s32(y, vdupq_n_s32(low)), vdupq_n_s32(high)));
    }
    if (rest > 0) { /* fewer than four outputs: the last row of weights is repeated */
      const mve_pred16_t here = vctp32q(rest);
      const int8_t *w1 = rest > 1 ? w + n : w, *w2 = rest > 2 ? w1 + n : w1;
      int32x4_t y = vaddq_s32(gc_dot_lanes16(w, w1, w2, w2, in, n), vldrwq_z_s32(bias, here));
      y = gc_rescale_narrow_lanes(y, vldrwq_z_s32(multiplier, here), vldrbq_z_s32(shift, here));
      vstrhq_p_s32(out, vminq_s32(vmaxq_s32(y, vdupq_n_s32(low)), vdupq_n_s32(high)), here);
    }
  }
}

#endif
