#include "micro/kernels/dot/dot.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

void gc_dot_dsp_4x1(const int8_t* w, const gc_pair* x, int32_t n, int32_t sums[4]) {
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], eights = n / 8;
  if (eights > 0) {
#define GC_DOT_ONE(sum)                     \
  "sxtb16 %[u], %[t]\n\t"                   \
  "sxtb16 %[t], %[t], ror #8\n\t"           \
  "smlad %[" sum "], %[u], %[even], %[" sum \
  "]\n\t"                                   \
  "smlad %[" sum "], %[t], %[odd], %[" sum "]\n\t"
#define GC_DOT_FOUR \
  "ldrd %[even], %[odd], [%[x]], #8\n\t"                \
  "ldr %[t], [%[w], %[n]]\n\t" GC_DOT_ONE("s1")         \
  "ldr %[t], [%[w], %[n], lsl #1]\n\t" GC_DOT_ONE("s2") \
  "ldr %[t], [%[w], %[n3]]\n\t" GC_DOT_ONE("s3")        \
  "ldr %[t], [%[w]], #4\n\t" GC_DOT_ONE("s0")
    uint32_t even, odd, t, u;
    __asm__(
        "0:\n\t" GC_DOT_FOUR GC_DOT_FOUR
        "subs %[m], #1\n\t"
        "bne 0b"
        : [w] "+r"(w), [x] "+r"(x), [m] "+r"(eights), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2),
          [s3] "+r"(s3), [even] "=&r"(even), [odd] "=&r"(odd), [t] "=&r"(t), [u] "=&r"(u)
        : [n] "r"(n), [n3] "r"(3 * n)
        : "cc", "memory");
  }
  for (const int16_t *a = (const int16_t*)x, *end = a + n % 8; a != end; ++a, ++w) {
    s0 += *a * w[0];
    s1 += *a * w[n];
    s2 += *a * w[2 * n];
    s3 += *a * w[3 * n];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

#endif
