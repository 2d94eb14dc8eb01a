/* Helpers for the DSP extension: Cortex-M4, M7, M33. */
#ifndef GROUPCOMM_MICRO_KERNELS_DSP_H_
#define GROUPCOMM_MICRO_KERNELS_DSP_H_

#include "micro/kernels/fixed_point.h"

#ifdef GC_DSP

#include <string.h>

/* Stands in a source file, before the internal headers of its operator. Boards are often built with
   -Os. Some loops need nearly all registers: they compile only with -O2, and are fast only then. A
   jump to a long instruction that is not aligned takes one cycle more on the M4. */
#ifdef __clang__
#define GC_DSP_OPTIMIZE
#else
#define GC_DSP_OPTIMIZE GC_PRAGMA(GCC optimize("O2", "omit-frame-pointer", "align-loops=4"))
#endif

/* Parameters of a naked function, whose assembly finds them in registers. */
#define GC_UNUSED __attribute__((unused))

/* Two int16 values in a word. gc_smlad adds both products of two pairs to sum; gc_sadd16 adds
   pairs; gc_ssat saturates to a signed number of so many bits, a constant; gc_qadd16 adds pairs and
   saturates. The compilers know these instructions by arm_acle.h, GCC since version 10. Arduino's
   core for the Nano 33 BLE has GCC 7. GC_NO_ACLE selects what that compiler gets. */
typedef int32_t gc_pair;
#if !defined(GC_NO_ACLE) && (defined(__clang__) || __GNUC__ >= 10)
#include <arm_acle.h>
#define gc_smlad __smlad
#define gc_sadd16 __sadd16
#define gc_qadd16 __qadd16
#define gc_ssat __ssat
#else
GC_ALWAYS_INLINE int32_t gc_smlad(gc_pair a, gc_pair b, int32_t sum) {
  int32_t y;
  __asm__("smlad %0, %1, %2, %3" : "=r"(y) : "r"(a), "r"(b), "r"(sum));
  return y;
}
GC_ALWAYS_INLINE gc_pair gc_sadd16(gc_pair a, gc_pair b) {
  gc_pair y;
  __asm__("sadd16 %0, %1, %2" : "=r"(y) : "r"(a), "r"(b));
  return y;
}
GC_ALWAYS_INLINE gc_pair gc_qadd16(gc_pair a, gc_pair b) {
  gc_pair y;
  __asm__("qadd16 %0, %1, %2" : "=r"(y) : "r"(a), "r"(b));
  return y;
}
GC_ALWAYS_INLINE int32_t gc_ssat(int32_t x, int bits) {
  int32_t y;
  __asm__("ssat %0, %1, %2" : "=r"(y) : "n"(bits), "r"(x));
  return y;
}
#endif

/* The pair of the lower half of low and of the upper half of high << left, a constant. */
GC_ALWAYS_INLINE gc_pair gc_pack(int32_t low, int32_t high, int left) {
  gc_pair y;
  __asm__("pkhbt %0, %1, %2, lsl %3" : "=r"(y) : "r"(low), "r"(high), "n"(left));
  return y;
}

/* Products of the lower halves of a and b, or of the upper half of a and the lower half of b. */
GC_ALWAYS_INLINE int32_t gc_smulbb(gc_pair a, gc_pair b) {
  int32_t y;
  __asm__("smulbb %0, %1, %2" : "=r"(y) : "r"(a), "r"(b));
  return y;
}
GC_ALWAYS_INLINE int32_t gc_smultb(gc_pair a, gc_pair b) {
  int32_t y;
  __asm__("smultb %0, %1, %2" : "=r"(y) : "r"(a), "r"(b));
  return y;
}

/* gc_rescale in four instructions, plus an offset. The caller has already shifted x to the left;
   right is the shift to the right. doubled is twice the multiplier, which must not be 0. Read as a
   signed 32-bit number, doubled is 2^32 too small, so the rounded upper half of its product with x
   is too small by x; smmlar adds x back. adds and asrs leave in the carry flag what
   gc_rounding_shift_right adds: the last bit that is shifted out. Where right is 0, asrs keeps the
   carry of adds, which restores the 1 that adds subtracted from a negative number. */
GC_ALWAYS_INLINE int32_t gc_rescale_fast(int32_t x, uint32_t doubled, int32_t right,
                                         int32_t offset) {
  __asm__(
      "smmlar %0, %0, %1, %0\n\t"
      "adds %0, %0, %0, asr #31\n\t"
      "asrs %0, %0, %2\n\t"
      "adc %0, %0, %3"
      : "+r"(x)
      : "r"(doubled), "r"(right), "rI"(offset)
      : "cc");
  return x;
}

/* Twice the multiplier, and a shift as separate shifts to the left and to the right. */
GC_ALWAYS_INLINE uint32_t gc_doubled(int32_t multiplier) { return (uint32_t)multiplier << 1; }
GC_ALWAYS_INLINE int32_t gc_left(int32_t shift) { return shift & ~(shift >> 31); }
GC_ALWAYS_INLINE int32_t gc_right(int32_t shift) { return gc_left(shift) - shift; }

/* Returns whether no multiplier is 0: bit 30 is set in every other one. multiplier (count). */
static inline int gc_no_zeros(const int32_t* multiplier, int32_t count) {
  int32_t all = 1 << 30;
  for (; count >= 4; count -= 4, multiplier += 4)
    all &= multiplier[0] & multiplier[1] & multiplier[2] & multiplier[3];
  for (; count > 0; --count) all &= *multiplier++;
  return all != 0;
}

/* gc_load4 loads in (4), which need not be aligned. gc_even and gc_odd widen bytes 0 and 2, or 1
   and 3, of such a word to signed halfwords. */
GC_ALWAYS_INLINE uint32_t gc_load4(const int8_t* p) {
  uint32_t x;
  memcpy(&x, p, 4);
  return x;
}
GC_ALWAYS_INLINE gc_pair gc_even(uint32_t x) {
  gc_pair y;
  __asm__("sxtb16 %0, %1" : "=r"(y) : "r"(x));
  return y;
}
GC_ALWAYS_INLINE gc_pair gc_odd(uint32_t x) {
  gc_pair y;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(y) : "r"(x));
  return y;
}

/* gc_rescale_wide of a 32-bit value, for a shift below -1. The lower half of the product cannot
   change the rounding then. */
GC_ALWAYS_INLINE int32_t gc_rescale_narrow(int32_t x, int32_t multiplier, int32_t shift) {
  const int32_t right = -1 - shift;
  int32_t y;
  __asm__("smmla %0, %1, %2, %3" : "=r"(y) : "r"(x), "r"(multiplier), "r"(1 << (right - 1)));
  return y >> right;
}

/* Loads halfwords p (4) in the order of gc_even and gc_odd: 0 and 2, then 1 and 3. */
GC_ALWAYS_INLINE void gc_load_halves(const int16_t* p, gc_pair* even, gc_pair* odd) {
  uint32_t x, y;
  memcpy(&x, p, 4);
  memcpy(&y, p + 2, 4);
  *even = (gc_pair)((x & 0xffff) | y << 16);
  *odd = (gc_pair)(x >> 16 | (y & 0xffff0000));
}

/* Interleaves two rows of halfwords, a and b (count), to out (2 * (count rounded up to 8)
   halfwords). Of every four halfwords, elements 0 and 2 of both rows come first, then elements 1
   and 3 of both. The rows are padded with zeros to a multiple of eight. */
static inline void gc_interleave_halves(const int16_t* a, const int16_t* b, int32_t count,
                                        gc_pair* out) {
  int32_t i = 0;
  for (; i + 4 <= count; i += 4, out += 4) {
    gc_load_halves(a + i, out, out + 2);
    gc_load_halves(b + i, out + 1, out + 3);
  }
  for (; i % 8 != 0 || i < count; i += 4, out += 4) {
    int16_t four[2][4] = {{0}};
    for (int32_t k = 0; k < 4 && i + k < count; ++k) four[0][k] = a[i + k], four[1][k] = b[i + k];
    gc_load_halves(four[0], out, out + 2);
    gc_load_halves(four[1], out + 1, out + 3);
  }
}

#endif
#endif /* GROUPCOMM_MICRO_KERNELS_DSP_H_ */
