#include "micro/kernels/dot/dot.h"
#include "micro/kernels/fully_connected/fully_connected.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Adds the products of two rows of weights, w (2, n), and two rows of int16 inputs, a (2, n); x
   holds the same inputs, interleaved by gc_interleave_halves. sums as in gc_dot_2x2. */
static inline void gc_dot_2x2_16(const int8_t* w, const gc_pair* x, const int16_t* a, int32_t n,
                                 int32_t sums[4]) {
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], fours = n / 4;
#ifdef __clang__ /* see gc_dot_2x2 of int8 */
  for (; fours > 0; --fours, w += 4, x += 4) {
    const uint32_t w0 = gc_load4(w), w1 = gc_load4(w + n);
    s0 = gc_smlad(gc_odd(w0), x[2], gc_smlad(gc_even(w0), x[0], s0));
    s1 = gc_smlad(gc_odd(w1), x[2], gc_smlad(gc_even(w1), x[0], s1));
    s2 = gc_smlad(gc_odd(w0), x[3], gc_smlad(gc_even(w0), x[1], s2));
    s3 = gc_smlad(gc_odd(w1), x[3], gc_smlad(gc_even(w1), x[1], s3));
  }
#else
  __asm__(
      "0:\n\t"
      "ldr r9, [%[w], %[n]]\n\t"
      "ldmia %[x]!, {r4, r5, r6, r8}\n\t"
      "sxtb16 r10, r9\n\t"
      "sxtb16 r9, r9, ror #8\n\t"
      "smlad %[s1], r10, r4, %[s1]\n\t"
      "smlad %[s3], r10, r5, %[s3]\n\t"
      "smlad %[s1], r9, r6, %[s1]\n\t"
      "smlad %[s3], r9, r8, %[s3]\n\t"
      "ldr r9, [%[w]], #4\n\t"
      "sxtb16 r10, r9\n\t"
      "sxtb16 r9, r9, ror #8\n\t"
      "smlad %[s0], r10, r4, %[s0]\n\t"
      "smlad %[s2], r10, r5, %[s2]\n\t"
      "smlad %[s0], r9, r6, %[s0]\n\t"
      "smlad %[s2], r9, r8, %[s2]\n\t"
      "subs %[m], #1\n\t"
      "bne 0b"
      : [w] "+r"(w), [x] "+r"(x), [m] "+r"(fours), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2),
        [s3] "+r"(s3)
      : [n] "r"(n)
      : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
#endif
  for (int32_t i = n & ~3; i < n; ++i, ++w) {
    s0 += a[i] * w[0];
    s1 += a[i] * w[n];
    s2 += a[n + i] * w[0];
    s3 += a[n + i] * w[n];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

/* One sum, scaled to output o. */
static inline int16_t gc_output16(const gc_fully_connected* p, int32_t o, int32_t sum) {
  return (int16_t)gc_ssat(gc_rescale_narrow(sum, p->multiplier[o], p->shift[o]), 16);
}

/* Computes output o of one row: in (inputs), out (outputs). */
GC_NOINLINE void gc_one_output16(const gc_fully_connected* p, int32_t o, const int16_t* in,
                                 int16_t* out) {
  const int8_t* w = p->weights + o * p->inputs;
  int32_t sum = p->bias[o];
  int32_t i = 0;
  for (; i + 4 <= p->inputs; i += 4) {
    gc_pair even, odd;
    gc_load_halves(in + i, &even, &odd);
    const uint32_t y = gc_load4(w + i);
    sum = gc_smlad(odd, gc_odd(y), gc_smlad(even, gc_even(y), sum));
  }
  for (; i < p->inputs; ++i) sum += in[i] * w[i];
  out[o] = gc_output16(p, o, sum);
}

/* Computes all outputs of two rows, each of at most GC_BLOCK: in (2, inputs), out (2,
   outputs). gc_one_row16 does the same for one row. */
GC_NOINLINE void gc_two_rows16(const gc_fully_connected* p, const int16_t* in, int16_t* out) {
  const int32_t n = p->inputs, outputs = p->outputs;
  gc_pair x[GC_BLOCK] __attribute__((aligned(8)));
  gc_interleave_halves(in, in + n, n, x);
  int32_t o = 0;
  for (const int8_t* w = p->weights; o + 2 <= outputs; o += 2, w += 2 * n) {
    int32_t s[4] = {p->bias[o], p->bias[o + 1], p->bias[o], p->bias[o + 1]};
    gc_dot_2x2_16(w, x, in, n, s);
    out[o] = gc_output16(p, o, s[0]);
    out[o + 1] = gc_output16(p, o + 1, s[1]);
    out[outputs + o] = gc_output16(p, o, s[2]);
    out[outputs + o + 1] = gc_output16(p, o + 1, s[3]);
  }
  if (o < outputs) gc_one_output16(p, o, in, out), gc_one_output16(p, o, in + n, out + outputs);
}

GC_NOINLINE void gc_one_row16(const gc_fully_connected* p, const int16_t* in, int16_t* out) {
  const int32_t n = p->inputs, outputs = p->outputs;
  gc_pair x[GC_BLOCK / 2] __attribute__((aligned(8)));
  for (int32_t i = 0; i < (n & ~7); i += 4) gc_load_halves(in + i, x + i / 2, x + i / 2 + 1);
  for (int32_t i = n & ~7; i < n; ++i) ((int16_t*)x)[i] = in[i];
  int32_t o = 0;
  for (const int8_t* w = p->weights; o + 4 <= outputs; o += 4, w += 4 * n) {
    int32_t s[4] = {p->bias[o], p->bias[o + 1], p->bias[o + 2], p->bias[o + 3]};
    gc_dot_dsp(w, n, x, n, s, 4);
    for (int32_t i = 0; i < 4; ++i) out[o + i] = gc_output16(p, o + i, s[i]);
  }
  for (; o < outputs; ++o) gc_one_output16(p, o, in, out);
}

void gc_fully_connected_dsp_s16(const gc_fully_connected* p, const int16_t* in, int16_t* out) {
  int32_t r = 0;
  for (; r < p->rows && p->inputs > GC_BLOCK; ++r)
    for (int32_t o = 0; o < p->outputs; ++o)
      gc_one_output16(p, o, in + r * p->inputs, out + r * p->outputs);
  for (; r + 2 <= p->rows; r += 2) gc_two_rows16(p, in + r * p->inputs, out + r * p->outputs);
  if (r < p->rows) gc_one_row16(p, in + r * p->inputs, out + r * p->outputs);
  if (p->low > -32768 || p->high < 32767) {
    for (int32_t i = 0; i < p->rows * p->outputs; ++i)
      out[i] = (int16_t)gc_clamp(out[i], p->low, p->high);
  }
}

#endif
