#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

static void gc_fully_connected_portable(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r, in += p->inputs) {
    const int8_t* w = p->weights;
    for (int32_t o = 0; o < p->outputs; ++o, w += p->inputs) {
      int32_t sum = 0;
      for (int32_t i = 0; i < p->inputs; ++i) sum += in[i] * w[i];
      sum = gc_rescale(gc_plus(sum, p->bias[o]), p->multiplier[o], p->shift[o]);
      *out++ = (int8_t)gc_clamp(gc_plus(sum, p->zero_point), p->low, p->high);
    }
  }
}

#ifdef GC_DSP

/* Four rows of weights times one row of inputs. */
static inline void gc_dot41(const int8_t* w, const int8_t* a, int32_t n, int32_t sums[4]) {
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], fours = n / 4;
  if (fours > 0) {
#define GC_DOT_ONE(sum)                                 \
  "sxtb16 %[u], %[t]\n\t"                               \
  "sxtb16 %[t], %[t], ror #8\n\t"                       \
  "smlad %[" sum "], %[u], %[even], %[" sum "]\n\t"     \
  "smlad %[" sum "], %[t], %[odd], %[" sum "]\n\t"
    uint32_t even, odd, t, u;
    __asm__(
        "0:\n\t"
        "ldr %[odd], [%[a]], #4\n\t"
        "sxtb16 %[even], %[odd]\n\t"
        "sxtb16 %[odd], %[odd], ror #8\n\t"
        "ldr %[t], [%[w], %[n]]\n\t" GC_DOT_ONE("s1")
        "ldr %[t], [%[w], %[n], lsl #1]\n\t" GC_DOT_ONE("s2")
        "ldr %[t], [%[w], %[n3]]\n\t" GC_DOT_ONE("s3")
        "ldr %[t], [%[w]], #4\n\t" GC_DOT_ONE("s0")
        "subs %[m], #1\n\t"
        "bne 0b"
        : [w] "+r"(w), [a] "+r"(a), [m] "+r"(fours), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [even] "=&r"(even),
          [odd] "=&r"(odd), [t] "=&r"(t), [u] "=&r"(u)
        : [n] "r"(n), [n3] "r"(3 * n)
        : "cc", "memory");
  }
  for (int32_t i = n % 4; i > 0; --i, ++a, ++w) {
    s0 += *a * w[0];
    s1 += *a * w[n];
    s2 += *a * w[2 * n];
    s3 += *a * w[3 * n];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

/* Two rows of weights times two rows of inputs; sums: both weights for the first row of inputs, then for the second. */
static inline void gc_dot22(const int8_t* w, const int8_t* a, int32_t n, int32_t sums[4]) {
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], fours = n / 4;
  if (fours > 0) {
    __asm__(
        "0:\n\t"
        "ldr r9, [%[a], %[n]]\n\t"
        "ldr r5, [%[a]], #4\n\t"
        "sxtb16 r8, r9\n\t"
        "sxtb16 r9, r9, ror #8\n\t"
        "sxtb16 r4, r5\n\t"
        "sxtb16 r5, r5, ror #8\n\t"
        "ldr r6, [%[w], %[n]]\n\t"
        "sxtb16 r10, r6\n\t"
        "sxtb16 r6, r6, ror #8\n\t"
        "smlad %[s1], r10, r4, %[s1]\n\t"
        "smlad %[s3], r10, r8, %[s3]\n\t"
        "smlad %[s1], r6, r5, %[s1]\n\t"
        "smlad %[s3], r6, r9, %[s3]\n\t"
        "ldr r6, [%[w]], #4\n\t"
        "sxtb16 r10, r6\n\t"
        "sxtb16 r6, r6, ror #8\n\t"
        "smlad %[s0], r10, r4, %[s0]\n\t"
        "smlad %[s2], r10, r8, %[s2]\n\t"
        "smlad %[s0], r6, r5, %[s0]\n\t"
        "smlad %[s2], r6, r9, %[s2]\n\t"
        "subs %[m], #1\n\t"
        "bne 0b"
        : [w] "+r"(w), [a] "+r"(a), [m] "+r"(fours), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3)
        : [n] "r"(n)
        : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
  }
  for (int32_t i = n % 4; i > 0; --i, ++a, ++w) {
    s0 += a[0] * w[0];
    s1 += a[0] * w[n];
    s2 += a[n] * w[0];
    s3 += a[n] * w[n];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

typedef struct {
  uint32_t doubled;
  int32_t bias, left, right;
} gc_channel;

static inline gc_channel gc_channel_of(const gc_fully_connected* p, int32_t o) {
  const int32_t shift = p->shift[o];
  const gc_channel c = {gc_doubled(p->multiplier[o]), p->bias[o], gc_left(shift), gc_right(shift)};
  return c;
}

static inline int8_t gc_output(const gc_fully_connected* p, const gc_channel* c, int32_t sum, int bounded) {
  const int32_t x = __ssat(gc_rescale_fast((int32_t)((uint32_t)sum << c->left), c->doubled, c->right, p->zero_point), 8);
  return (int8_t)(bounded ? gc_clamp(x, p->low, p->high) : x);
}

/* Two outputs of all rows but an odd last one. */
static __attribute__((noinline)) void gc_two_outputs(const gc_fully_connected* p, int32_t o, const int8_t* in, int8_t* out, int bounded) {
  const int32_t n = p->inputs, outputs = p->outputs;
  const int8_t* w = p->weights + o * n;
  const gc_channel c0 = gc_channel_of(p, o), c1 = gc_channel_of(p, o + 1);
  out += o;
  for (int32_t r = p->rows; r >= 2; r -= 2, in += 2 * n, out += 2 * outputs) {
    int32_t s[4] = {c0.bias, c1.bias, c0.bias, c1.bias};
    gc_dot22(w, in, n, s);
    out[0] = gc_output(p, &c0, s[0], bounded);
    out[1] = gc_output(p, &c1, s[1], bounded);
    out[outputs] = gc_output(p, &c0, s[2], bounded);
    out[outputs + 1] = gc_output(p, &c1, s[3], bounded);
  }
}

/* One output of one row. */
static void gc_one_output(const gc_fully_connected* p, int32_t o, const int8_t* in, int8_t* out, int bounded) {
  const gc_channel c = gc_channel_of(p, o);
  const int8_t* w = p->weights + o * p->inputs;
  int32_t s = c.bias;
  for (int32_t i = 0; i < p->inputs; ++i) s += in[i] * w[i];
  out[o] = gc_output(p, &c, s, bounded);
}

/* All outputs of one row. */
static __attribute__((noinline)) void gc_one_row(const gc_fully_connected* p, const int8_t* in, int8_t* out, int bounded) {
  int32_t o = 0;
  for (; o + 4 <= p->outputs; o += 4) {
    int32_t s[4] = {p->bias[o], p->bias[o + 1], p->bias[o + 2], p->bias[o + 3]};
    gc_dot41(p->weights + o * p->inputs, in, p->inputs, s);
    for (int32_t i = 0; i < 4; ++i) {
      const gc_channel c = gc_channel_of(p, o + i);
      out[o + i] = gc_output(p, &c, s[i], bounded);
    }
  }
  for (; o < p->outputs; ++o) gc_one_output(p, o, in, out, bounded);
}

static void gc_fully_connected_fast(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  const int bounded = p->low > -128 || p->high < 127;
  const int32_t even_rows = p->rows & ~1;
  if (even_rows > 0) {
    int32_t o = 0;
    for (; o + 2 <= p->outputs; o += 2) gc_two_outputs(p, o, in, out, bounded);
    if (o < p->outputs) {
      for (int32_t r = 0; r < even_rows; ++r) gc_one_output(p, o, in + r * p->inputs, out + r * p->outputs, bounded);
    }
  }
  if (even_rows < p->rows) gc_one_row(p, in + even_rows * p->inputs, out + even_rows * p->outputs, bounded);
}

#endif

void gc_fully_connected_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
#ifdef GC_DSP
  int usable = 1;
  for (int32_t o = 0; o < p->outputs; ++o) usable &= p->multiplier[o] != 0;
  if (usable) {
    gc_fully_connected_fast(p, in, out);
    return;
  }
#endif
  gc_fully_connected_portable(p, in, out);
}
