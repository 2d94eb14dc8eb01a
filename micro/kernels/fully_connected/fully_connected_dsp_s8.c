#include "micro/kernels/dot/dot.h"
#include "micro/kernels/fully_connected/fully_connected.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Adds the products of two rows of weights, w (2, n), and two rows of inputs, a (2, n), to sums (2
   rows of inputs, 2 rows of weights). */
static inline void gc_dot_2x2(const int8_t* w, const int8_t* a, int32_t n, int32_t sums[4]) {
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], fours = n / 4;
#ifdef __clang__ /* which keeps a register for the frame pointer: too few are left for the loop below */
  for (; fours > 0; --fours, a += 4, w += 4) {
    const uint32_t a0 = gc_load4(a), a1 = gc_load4(a + n), w0 = gc_load4(w), w1 = gc_load4(w + n);
    s0 = gc_smlad(gc_odd(w0), gc_odd(a0), gc_smlad(gc_even(w0), gc_even(a0), s0));
    s1 = gc_smlad(gc_odd(w1), gc_odd(a0), gc_smlad(gc_even(w1), gc_even(a0), s1));
    s2 = gc_smlad(gc_odd(w0), gc_odd(a1), gc_smlad(gc_even(w0), gc_even(a1), s2));
    s3 = gc_smlad(gc_odd(w1), gc_odd(a1), gc_smlad(gc_even(w1), gc_even(a1), s3));
  }
#else
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
      : [w] "+r"(w), [a] "+r"(a), [m] "+r"(fours), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2),
        [s3] "+r"(s3)
      : [n] "r"(n)
      : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
#endif
  for (int32_t i = n % 4; i > 0; --i, ++a, ++w) {
    s0 += a[0] * w[0];
    s1 += a[0] * w[n];
    s2 += a[n] * w[0];
    s3 += a[n] * w[n];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

/* One sum, scaled to an output: see gc_rescale_fast. */
static inline int8_t gc_output(int32_t sum, int32_t left, uint32_t doubled, int32_t right,
                               int32_t zero_point) {
  return (int8_t)gc_ssat(
      gc_rescale_fast((int32_t)((uint32_t)sum << left), doubled, right, zero_point), 8);
}

/* Computes outputs o and o + 1 of all rows, except the last one of an odd number of rows. */
GC_NOINLINE void gc_two_outputs(const gc_fully_connected* p, int32_t o, const int8_t* in,
                                int8_t* out) {
  const int32_t n = p->inputs, outputs = p->outputs, zero_point = p->zero_point;
  const int8_t* w = p->weights + o * n;
  const int32_t bias0 = p->bias[o], bias1 = p->bias[o + 1];
  const int32_t left0 = gc_left(p->shift[o]), right0 = gc_right(p->shift[o]),
                left1 = gc_left(p->shift[o + 1]), right1 = gc_right(p->shift[o + 1]);
  const uint32_t doubled0 = gc_doubled(p->multiplier[o]),
                 doubled1 = gc_doubled(p->multiplier[o + 1]);
  out += o;
  for (int32_t r = p->rows; r >= 2; r -= 2, in += 2 * n, out += 2 * outputs) {
    int32_t s[4] = {bias0, bias1, bias0, bias1};
    gc_dot_2x2(w, in, n, s);
    out[0] = gc_output(s[0], left0, doubled0, right0, zero_point);
    out[1] = gc_output(s[1], left1, doubled1, right1, zero_point);
    out[outputs] = gc_output(s[2], left0, doubled0, right0, zero_point);
    out[outputs + 1] = gc_output(s[3], left1, doubled1, right1, zero_point);
  }
}

/* Computes output o of one row: in (inputs), out (outputs). */
GC_NOINLINE void gc_one_output(const gc_fully_connected* p, int32_t o, const int8_t* in,
                               int8_t* out) {
  const int8_t* w = p->weights + o * p->inputs;
  int32_t sum = p->bias[o];
  int32_t i = 0;
  for (; i + 4 <= p->inputs; i += 4) {
    const uint32_t x = gc_load4(in + i), y = gc_load4(w + i);
    sum = gc_smlad(gc_odd(x), gc_odd(y), gc_smlad(gc_even(x), gc_even(y), sum));
  }
  for (; i < p->inputs; ++i) sum += in[i] * w[i];
  out[o] = gc_output(sum, gc_left(p->shift[o]), gc_doubled(p->multiplier[o]), gc_right(p->shift[o]),
                     p->zero_point);
}

/* Computes all outputs of one row of at most GC_BLOCK inputs: in (inputs), out (outputs). */
GC_NOINLINE void gc_one_row(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  const int32_t n = p->inputs, zero_point = p->zero_point, fours = p->outputs / 4;
  gc_pair x[GC_BLOCK / 2] __attribute__((aligned(8)));
  gc_widen(in, n, x);
  const int8_t *w = p->weights, *shift = p->shift;
  const int32_t *bias = p->bias, *multiplier = p->multiplier;
  for (int32_t i = fours; i > 0; --i, w += 4 * n) {
    int32_t s[4] = {bias[0], bias[1], bias[2], bias[3]};
    bias += 4;
    gc_dot_dsp_4x1(w, x, n, s);
    for (const int32_t* sum = s; sum != s + 4; ++sum) {
      const int32_t by = *shift++;
      *out++ = gc_output(*sum, gc_left(by), gc_doubled(*multiplier++), gc_right(by), zero_point);
    }
  }
  for (int32_t o = 4 * fours; o < p->outputs; ++o) gc_one_output(p, o, in, out - 4 * fours);
}

void gc_fully_connected_dsp_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  const int32_t even_rows = p->rows & ~1, even_outputs = p->outputs & ~1;
  for (int32_t o = 0; o < even_outputs && even_rows > 0; o += 2) gc_two_outputs(p, o, in, out);
  if (even_outputs < p->outputs && p->outputs > 1) {
    gc_two_outputs(p, p->outputs - 2, in, out); /* the first of them for the second time */
  } else if (p->outputs == 1) {
    for (int32_t r = 0; r < even_rows; ++r) gc_one_output(p, 0, in + r * p->inputs, out + r);
  }
  in += even_rows * p->inputs, out += even_rows * p->outputs;
  if (even_rows < p->rows && p->inputs <= GC_BLOCK) {
    gc_one_row(p, in, out);
  } else if (even_rows < p->rows) {
    for (int32_t o = 0; o < p->outputs; ++o) gc_one_output(p, o, in, out);
  }
  out -= even_rows * p->outputs;
  if (p->low > -128 || p->high < 127) {
    for (int32_t i = 0; i < p->rows * p->outputs; ++i)
      out[i] = (int8_t)gc_clamp(out[i], p->low, p->high);
  }
}

#endif
