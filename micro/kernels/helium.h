/* Helpers for Helium: Cortex-M55. */
#ifndef GROUPCOMM_MICRO_KERNELS_HELIUM_H_
#define GROUPCOMM_MICRO_KERNELS_HELIUM_H_

#include "micro/kernels/fixed_point.h"

#ifdef GC_HELIUM

#include <arm_mve.h>

/* Stands in a source file, before the internal headers of its operator. GCC's scheduler moves loads
   ahead of their use. They then occupy all eight vector registers, and other values are spilled to
   the stack. */
#ifdef __clang__
#define GC_HELIUM_OPTIMIZE
#else
#define GC_HELIUM_OPTIMIZE GC_PRAGMA(GCC optimize("no-schedule-insns"))
#endif

/* Advances a pointer. The empty asm makes the compiler use the post-increment of the load or store
   before it instead of another instruction. */
#define GC_NEXT(pointer, count)  \
  do {                           \
    pointer += (count);          \
    __asm__("" : "+r"(pointer)); \
  } while (0)

/* gc_rescale in each lane: left is max(shift, 0), right is min(shift, 0). vrshl rounds ties up;
   where the lane is shifted to the right, subtracting 1 from a negative number makes it round ties
   away from zero. */
GC_ALWAYS_INLINE int32x4_t gc_rescale_lanes(int32x4_t x, int32x4_t multiplier, int32x4_t left,
                                            int32x4_t right) {
  x = vqrdmulhq_s32(vshlq_s32(x, left), multiplier);
  return vrshlq_s32(vaddq_s32(x, vshrq_n_s32(vandq_s32(x, right), 31)), right);
}

/* gc_rescale with one scale for all lanes. The 1 is subtracted together with the product, by the
   sign of x. Where the product is 0, subtracting 1 does not change the rounded result. */
GC_ALWAYS_INLINE int32x4_t gc_rescale_all(int32x4_t x, int32_t multiplier, int32_t shift) {
  if (shift < 0) return vrshlq_n_s32(vqrdmlahq_n_s32(vshrq_n_s32(x, 31), x, multiplier), shift);
  if (shift > 0) x = vshlq_r_s32(x, shift);
  return vqrdmulhq_n_s32(x, multiplier);
}

/* gc_rescale_wide of 32-bit values in each lane, for shifts below 0. */
GC_ALWAYS_INLINE int32x4_t gc_rescale_narrow_lanes(int32x4_t x, int32x4_t multiplier,
                                                   int32x4_t shift) {
  return vrshlq_s32(vqdmulhq_s32(x, multiplier), shift);
}

/* Loads eight elements of a row from column c on, minus their zero point; or repeats the one
   element of a row whose step is 0. */
GC_ALWAYS_INLINE int16x8_t gc_load_operand(const int8_t* row, int32_t step, int32_t zero_point,
                                           int32_t c, mve_pred16_t here) {
  return vsubq_n_s16(step ? vldrbq_z_s16(row + c, here) : vdupq_n_s16(*row), (int16_t)zero_point);
}

/* gc_narrow saturates the even and the odd four of eight 32-bit lanes to 16-bit lanes.
   gc_narrow_bytes saturates those to int8 values, each still in a 16-bit lane. */
GC_ALWAYS_INLINE int16x8_t gc_narrow(int32x4_t even, int32x4_t odd) {
  __asm__("vqmovnb.s32 %q0, %q0\n\tvqmovnt.s32 %q0, %q1" : "+w"(even) : "w"(odd));
  return vreinterpretq_s16_s32(even);
}
GC_ALWAYS_INLINE int16x8_t gc_narrow_bytes(int16x8_t x) {
  __asm__("vqmovnb.s16 %q0, %q0" : "+w"(x));
  return x;
}

/* Operations in the lanes where x is negative; y in the others. GCC's intrinsics would compare and
   move the result before they predicate one instruction. Clang has no name for the register of the
   predicate. */
#ifdef __clang__
GC_ALWAYS_INLINE int16x8_t gc_negate_where_negative(int16x8_t y, int16x8_t x) {
  return vnegq_m_s16(y, y, vcmpltq_n_s16(x, 0));
}
GC_ALWAYS_INLINE uint16x8_t gc_subtract_where_negative(uint16x8_t from, uint16x8_t y, int16x8_t x) {
  return vsubq_m_u16(y, from, y, vcmpltq_n_s16(x, 0));
}
GC_ALWAYS_INLINE int32x4_t gc_decrement_where_negative(int32x4_t x) {
  return vaddq_m_n_s32(x, x, -1, vcmpltq_n_s32(x, 0));
}
#else
GC_ALWAYS_INLINE int16x8_t gc_negate_where_negative(int16x8_t y, int16x8_t x) {
  __asm__("vpt.s16 lt, %q1, zr\n\tvnegt.s16 %q0, %q0" : "+w"(y) : "w"(x) : "p0");
  return y;
}
GC_ALWAYS_INLINE uint16x8_t gc_subtract_where_negative(uint16x8_t from, uint16x8_t y, int16x8_t x) {
  __asm__("vpt.s16 lt, %q1, zr\n\tvsubt.i16 %q0, %q2, %q0" : "+w"(y) : "w"(x), "w"(from) : "p0");
  return y;
}
GC_ALWAYS_INLINE int32x4_t gc_decrement_where_negative(int32x4_t x) {
  __asm__("vpt.s32 lt, %q0, zr\n\tvaddt.i32 %q0, %q0, %1" : "+w"(x) : "r"(-1) : "p0");
  return x;
}
#endif

/* Copies from (count) to to (count) with vector instructions. The memcpy of the C library is built
   for any core and does not use them. */
GC_ALWAYS_INLINE void gc_copy_bytes(int8_t* to, const int8_t* from, int32_t count) {
  int8x16_t x;
  __asm__ volatile(
      "wlstp.8 lr, %[count], 1f\n\t"
      "0:\n\t"
      "vldrb.8 %q[x], [%[from]], #16\n\t"
      "vstrb.8 %q[x], [%[to]], #16\n\t"
      "letp lr, 0b\n\t"
      "1:"
      : [to] "+r"(to), [from] "+r"(from), [x] "=&w"(x)
      : [count] "r"(count)
      : "lr", "memory");
}

/* Applies the range of a fused activation to out (count). */
GC_ALWAYS_INLINE void gc_clamp_bytes(int8_t* out, int32_t count, int32_t low, int32_t high) {
  if (low <= -128 && high >= 127) return;
  const int8x16_t lows = vdupq_n_s8((int8_t)low), highs = vdupq_n_s8((int8_t)high);
  for (; count > 0; count -= 16, out += 16) {
    const mve_pred16_t some = vctp8q((uint32_t)count);
    vstrbq_p_s8(out, vminq_s8(vmaxq_s8(vldrbq_z_s8(out, some), lows), highs), some);
  }
}

/* vmov writes two lanes at once, for which there is no intrinsic. After gc_even_lanes the odd lanes
   are undefined; gc_odd_lanes writes them. */
GC_ALWAYS_INLINE int32x4_t gc_even_lanes(int32_t a, int32_t c) {
  int32x4_t x;
  __asm__("vmov %q0[2], %q0[0], %1, %2" : "=w"(x) : "r"(a), "r"(c));
  return x;
}
GC_ALWAYS_INLINE int32x4_t gc_odd_lanes(int32x4_t x, int32_t b, int32_t d) {
  __asm__("vmov %q0[3], %q0[1], %1, %2" : "+w"(x) : "r"(b), "r"(d));
  return x;
}
GC_ALWAYS_INLINE int32x4_t gc_lanes(int32_t a, int32_t b, int32_t c, int32_t d) {
  return gc_odd_lanes(gc_even_lanes(a, c), b, d);
}

#endif

#endif /* GROUPCOMM_MICRO_KERNELS_HELIUM_H_ */
