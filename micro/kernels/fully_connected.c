#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"

/* In all functions of this file, unless a comment says otherwise: in (rows, inputs), out (rows,
   outputs), w rows of the weights (outputs, inputs). */

#ifndef GC_HELIUM

static void gc_fully_connected_portable(const gc_fully_connected* p, const int8_t* in,
                                        int8_t* out) {
  for (int32_t r = 0; r < p->rows; ++r, in += p->inputs) {
    const int8_t* w = p->weights;
    for (int32_t o = 0; o < p->outputs; ++o, w += p->inputs) {
      int32_t sum = 0;
      for (int32_t i = 0; i < p->inputs; ++i) sum += in[i] * w[i];
      sum = gc_rescale(gc_add_wrapping(sum, p->bias[o]), p->multiplier[o], p->shift[o]);
      *out++ = (int8_t)gc_clamp(gc_add_wrapping(sum, p->zero_point), p->low, p->high);
    }
  }
}

#endif

static void gc_fully_connected16_portable(const gc_fully_connected* p, const int16_t* in,
                                          int16_t* out) {
  for (int32_t r = 0; r < p->rows; ++r, in += p->inputs) {
    const int8_t* w = p->weights;
    for (int32_t o = 0; o < p->outputs; ++o, w += p->inputs) {
      int64_t sum = p->bias[o];
      for (int32_t i = 0; i < p->inputs; ++i) sum += in[i] * w[i];
      *out++ =
          (int16_t)gc_clamp(gc_rescale_wide(sum, p->multiplier[o], p->shift[o]), p->low, p->high);
    }
  }
}

#if defined(GC_DSP) || defined(GC_HELIUM)
/* Returns whether all sums fit into 32 bits, and all are shifted to the right. */
static int gc_fully_connected16_usable(const gc_fully_connected* p) {
  int32_t most = -128;
  for (int32_t o = 0; o < p->outputs; ++o) most = p->shift[o] > most ? p->shift[o] : most;
  return most < -1 && gc_sums_fit(p->bias, p->outputs, p->inputs);
}
#endif

#ifdef GC_DSP

/* Adds the products of four rows of weights, w (4, n), and one row of inputs, x (n halfwords). Of
   every four inputs, elements 0 and 2 come first, then 1 and 3; the inputs after the last whole
   group of eight are in their original order. */
static __attribute__((noinline)) void gc_dot_4x1(const int8_t* w, const int16x2_t* x, int32_t n,
                                                 int32_t sums[4]) {
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

/* Adds the products of two rows of weights, w (2, n), and two rows of inputs, a (2, n), to sums (2
   rows of inputs, 2 rows of weights). */
static inline void gc_dot_2x2(const int8_t* w, const int8_t* a, int32_t n, int32_t sums[4]) {
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], fours = n / 4;
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
  return (int8_t)__ssat(
      gc_rescale_fast((int32_t)((uint32_t)sum << left), doubled, right, zero_point), 8);
}

/* Computes outputs o and o + 1 of all rows, except the last one of an odd number of rows. */
static __attribute__((noinline)) void gc_two_outputs(const gc_fully_connected* p, int32_t o,
                                                     const int8_t* in, int8_t* out) {
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
static void gc_one_output(const gc_fully_connected* p, int32_t o, const int8_t* in, int8_t* out) {
  const int8_t* w = p->weights + o * p->inputs;
  int32_t sum = p->bias[o];
  for (int32_t i = 0; i < p->inputs; ++i) sum += in[i] * w[i];
  out[o] = gc_output(sum, gc_left(p->shift[o]), gc_doubled(p->multiplier[o]), gc_right(p->shift[o]),
                     p->zero_point);
}

/* Computes all outputs of one row of at most GC_MAX_INPUTS: in (inputs), out (outputs). */
#define GC_MAX_INPUTS 256
static __attribute__((noinline)) void gc_one_row(const gc_fully_connected* p, const int8_t* in,
                                                 int8_t* out) {
  const int32_t n = p->inputs, zero_point = p->zero_point, fours = p->outputs / 4;
  int16x2_t x[GC_MAX_INPUTS / 2] __attribute__((aligned(8)));
  for (int32_t i = 0; i < (n & ~7); i += 4) {
    const uint32_t four = gc_load4(in + i);
    x[i / 2] = gc_even(four);
    x[i / 2 + 1] = gc_odd(four);
  }
  for (int32_t i = n & ~7; i < n; ++i) ((int16_t*)x)[i] = in[i];
  const int8_t *w = p->weights, *shift = p->shift;
  const int32_t *bias = p->bias, *multiplier = p->multiplier;
  for (int32_t i = fours; i > 0; --i, w += 4 * n) {
    int32_t s[4] = {bias[0], bias[1], bias[2], bias[3]};
    bias += 4;
    gc_dot_4x1(w, x, n, s);
    for (const int32_t* sum = s; sum != s + 4; ++sum) {
      const int32_t by = *shift++;
      *out++ = gc_output(*sum, gc_left(by), gc_doubled(*multiplier++), gc_right(by), zero_point);
    }
  }
  for (int32_t o = 4 * fours; o < p->outputs; ++o) gc_one_output(p, o, in, out - 4 * fours);
}

static void gc_fully_connected_fast(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  const int32_t even_rows = p->rows & ~1, even_outputs = p->outputs & ~1;
  for (int32_t o = 0; o < even_outputs && even_rows > 0; o += 2) gc_two_outputs(p, o, in, out);
  for (int32_t r = 0; even_outputs < p->outputs && r < even_rows; ++r) {
    gc_one_output(p, even_outputs, in + r * p->inputs, out + r * p->outputs);
  }
  if (even_rows < p->rows) gc_one_row(p, in + even_rows * p->inputs, out + even_rows * p->outputs);
  if (p->low > -128 || p->high < 127) {
    for (int32_t i = 0; i < p->rows * p->outputs; ++i)
      out[i] = (int8_t)gc_clamp(out[i], p->low, p->high);
  }
}

#endif

#ifdef GC_HELIUM

/* Returns whether every shift (count) is to the right. That selects the fast path. */
static inline int gc_all_right(const int8_t* shift, int32_t count) {
  int32_t most = -128;
  int8x16_t some;
  __asm__(
      "dlstp.8 lr, %[n]\n\t"
      "0:\n\t"
      "vldrb.8 %q[some], [%[shift]], #16\n\t"
      "vmaxv.s8 %[most], %q[some]\n\t"
      "letp lr, 0b"
      : [shift] "+r"(shift), [most] "+r"(most), [some] "=&w"(some)
      : [n] "r"(count)
      : "lr", "memory");
  return (int8_t)most < 0;
}

/* Scales four sums to outputs, each an int8 value in a 32-bit lane. The fast path needs shifts to
   the right. */
static inline __attribute__((always_inline)) int32x4_t gc_output_lanes(
    int32x4_t sums, int32x4_t multiplier, int32x4_t shift, int32_t zero_point, int fast_path) {
  int32x4_t y;
  if (fast_path) {
    y = vqrdmulhq_s32(sums, multiplier);
    __asm__("vpt.s32 lt, %q0, zr\n\tvaddt.i32 %q0, %q0, %1" : "+w"(y) : "r"(-1) : "p0");
    y = vrshlq_s32(y, shift);
  } else {
    y = gc_rescale_lanes(sums, multiplier, vmaxq_s32(shift, vdupq_n_s32(0)),
                         vminq_s32(shift, vdupq_n_s32(0)));
  }
  y = vaddq_n_s32(y, zero_point);
  __asm__("vqmovnb.s32 %q0, %q0\n\tvqmovnb.s16 %q0, %q0" : "+w"(y));
  return y;
}

/* Returns the sums of products of four rows of weights, w0 to w3 (n), and one row of inputs, x (n).
   At the end of the rows the loop masks the lanes beyond n. */
static inline __attribute__((always_inline)) int32x4_t gc_dot_lanes(const int8_t* w0,
                                                                    const int8_t* w1,
                                                                    const int8_t* w2,
                                                                    const int8_t* w3,
                                                                    const int8_t* x, int32_t n) {
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  int8x16_t a, b;
  __asm__(
      "dlstp.8 lr, %[n]\n\t"
      "0:\n\t"
      "vldrb.8 %q[a], [%[x]], #16\n\t"
      "vldrb.8 %q[b], [%[w0]], #16\n\t"
      "vmladava.s8 %[s0], %q[a], %q[b]\n\t"
      "vldrb.8 %q[b], [%[w1]], #16\n\t"
      "vmladava.s8 %[s1], %q[a], %q[b]\n\t"
      "vldrb.8 %q[b], [%[w2]], #16\n\t"
      "vmladava.s8 %[s2], %q[a], %q[b]\n\t"
      "vldrb.8 %q[b], [%[w3]], #16\n\t"
      "vmladava.s8 %[s3], %q[a], %q[b]\n\t"
      "letp lr, 0b"
      : [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [s0] "+Te"(s0),
        [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3), [a] "=&w"(a), [b] "=&w"(b)
      : [n] "r"(n)
      : "lr", "memory");
  return gc_lanes(s0, s1, s2, s3);
}

/* Computes all outputs of one row: x (inputs), y (outputs). */
static inline __attribute__((always_inline)) void gc_row_of(const gc_fully_connected* p,
                                                            const int8_t* x, int8_t* y,
                                                            int fast_path) {
  const int32_t n = p->inputs, zero_point = p->zero_point;
  const uint32_t rest = (uint32_t)p->outputs % 4;
  const int8_t *w = p->weights, *shift = p->shift;
  const int32_t *bias = p->bias, *multiplier = p->multiplier;
  for (uint32_t i = (uint32_t)p->outputs / 4; i > 0;
       --i, w += 4 * n, bias += 4, multiplier += 4, shift += 4, y += 4) {
    const int32x4_t sums =
        vaddq_s32(gc_dot_lanes(w, w + n, w + 2 * n, w + 3 * n, x, n), vldrwq_s32(bias));
    vstrbq_s32(
        y, gc_output_lanes(sums, vldrwq_s32(multiplier), vldrbq_s32(shift), zero_point, fast_path));
  }
  if (rest > 0) { /* fewer than four outputs: the last row of weights is repeated */
    const mve_pred16_t here = vctp32q(rest);
    const int8_t *w1 = rest > 1 ? w + n : w, *w2 = rest > 2 ? w1 + n : w1;
    const int32x4_t sums = vaddq_s32(gc_dot_lanes(w, w1, w2, w2, x, n), vldrwq_z_s32(bias, here));
    vstrbq_p_s32(y,
                 gc_output_lanes(sums, vldrwq_z_s32(multiplier, here), vldrbq_z_s32(shift, here),
                                 zero_point, fast_path),
                 here);
  }
}
static __attribute__((noinline)) void gc_row_fast_path(const gc_fully_connected* p, const int8_t* x,
                                                       int8_t* y) {
  gc_row_of(p, x, y, 1);
}
static __attribute__((noinline)) void gc_row_generic(const gc_fully_connected* p, const int8_t* x,
                                                     int8_t* y) {
  gc_row_of(p, x, y, 0);
}

/* Computes all outputs, a multiple of four, of x (rows, 32). Two rows of inputs stay in registers;
   the last one of an odd number of rows is left to the caller. Every shift is to the right. */
static __attribute__((noinline)) void gc_two_rows(const gc_fully_connected* p, const int8_t* x,
                                                  int8_t* out) {
  const int32_t zero_point = p->zero_point, outputs = p->outputs;
  for (int32_t rows = p->rows; rows > 1; rows -= 2, x += 64, out += 2 * outputs) {
    const int8x16_t a0 = vldrbq_s8(x), a1 = vldrbq_s8(x + 16), b0 = vldrbq_s8(x + 32),
                    b1 = vldrbq_s8(x + 48);
    const int8_t *w = p->weights, *shift = p->shift;
    const int32_t *bias = p->bias, *multiplier = p->multiplier;
    int8_t *y = out, *z = out + outputs;
    for (uint32_t i = (uint32_t)outputs / 4; i > 0;
         --i, w += 128, bias += 4, multiplier += 4, shift += 4, y += 4, z += 4) {
      int32_t s, t, u, v;
#define GC_TWO_DOTS(s, t, at)                                                        \
  do {                                                                               \
    int8x16_t of = vldrbq_s8(w + (at));                                              \
    s = vmladavq_s8(a0, of), t = vmladavq_s8(b0, of), of = vldrbq_s8(w + (at) + 16); \
    s = vmladavaq_s8(s, a1, of), t = vmladavaq_s8(t, b1, of);                        \
  } while (0)
      GC_TWO_DOTS(s, t, 0);
      GC_TWO_DOTS(u, v, 64);
      int32x4_t c = gc_even_lanes(s, u), d = gc_even_lanes(t, v);
      GC_TWO_DOTS(s, t, 32);
      GC_TWO_DOTS(u, v, 96);
      c = gc_odd_lanes(c, s, u), d = gc_odd_lanes(d, t, v);
      const int32x4_t biases = vldrwq_s32(bias), multipliers = vldrwq_s32(multiplier),
                      shifts = vldrbq_s32(shift);
      vstrbq_s32(y, gc_output_lanes(vaddq_s32(c, biases), multipliers, shifts, zero_point, 1));
      vstrbq_s32(z, gc_output_lanes(vaddq_s32(d, biases), multipliers, shifts, zero_point, 1));
    }
  }
}

/* Computes all outputs, a multiple of four, of rows of 8 or 16 inputs. The weights of four outputs
   stay in registers for all rows. Every shift is to the right. */
static __attribute__((noinline)) void gc_few_inputs(const gc_fully_connected* p, const int8_t* in,
                                                    int8_t* out) {
  const int32_t n = p->inputs, outputs = p->outputs, zero_point = p->zero_point;
  const int8_t* w = p->weights;
  for (int32_t o = 0; o < outputs; o += 4, w += 4 * n) {
    const int32x4_t bias = vldrwq_s32(p->bias + o), multiplier = vldrwq_s32(p->multiplier + o),
                    shift = vldrbq_s32(p->shift + o);
    const int8_t* x = in;
    int8_t* y = out + o;
#define GC_EVERY_ROW(n, of, type)                                                                  \
  const type v0 = vldrbq_##of(w), v1 = vldrbq_##of(w + n), v2 = vldrbq_##of(w + 2 * n),            \
             v3 = vldrbq_##of(w + 3 * n);                                                          \
  for (uint32_t r = (uint32_t)p->rows; r > 0; --r, x += n, y += outputs) {                         \
    const type a = vldrbq_##of(x);                                                                 \
    const int32x4_t s = gc_lanes(vmladavq_##of(a, v0), vmladavq_##of(a, v1), vmladavq_##of(a, v2), \
                                 vmladavq_##of(a, v3));                                            \
    vstrbq_s32(y, gc_output_lanes(vaddq_s32(s, bias), multiplier, shift, zero_point, 1));          \
  }
    if (n == 8) {
      GC_EVERY_ROW(8, s16, int16x8_t)
    } else {
      GC_EVERY_ROW(16, s8, int8x16_t)
    }
  }
}

static void gc_fully_connected_helium(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  const int32_t n = p->inputs, rows = p->rows, outputs = p->outputs;
  const int fast_path = gc_all_right(p->shift, outputs), fours = fast_path && outputs % 4 == 0;
  int32_t done = 0;
  if (fours && (n == 8 || n == 16)) {
    gc_few_inputs(p, in, out);
    done = rows;
  } else if (fours && n == 32) {
    gc_two_rows(p, in, out);
    done = rows & ~1;
  }
  for (int32_t r = done; r < rows; ++r)
    (fast_path ? gc_row_fast_path : gc_row_generic)(p, in + r * n, out + r * outputs);
  gc_clamp_bytes(out, rows * outputs, p->low, p->high);
}

#endif

void gc_fully_connected_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
#ifdef GC_DSP
  /* bit 30 is set in every multiplier but 0 */
  int32_t usable = p->inputs >= 4 && p->inputs <= GC_MAX_INPUTS ? 1 << 30 : 0;
  for (int32_t o = 0; o < p->outputs; ++o) usable &= p->multiplier[o];
  if (usable) {
    gc_fully_connected_fast(p, in, out);
    return;
  }
#endif
#ifdef GC_HELIUM
  gc_fully_connected_helium(p, in, out);
#else
  gc_fully_connected_portable(p, in, out);
#endif
}

#ifdef GC_DSP

/* Adds the products of two rows of weights, w (2, n), and two rows of int16 inputs, a (2, n); x
   holds the same inputs, interleaved by gc_interleave_halves. sums as in gc_dot_2x2. */
static inline void gc_dot_2x2_16(const int8_t* w, const int16x2_t* x, const int16_t* a, int32_t n,
                                 int32_t sums[4]) {
  int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3], fours = n / 4;
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
  return (int16_t)__ssat(gc_rescale_narrow(sum, p->multiplier[o], p->shift[o]), 16);
}

static void gc_one_output16(const gc_fully_connected* p, int32_t o, const int16_t* in,
                            int16_t* out) {
  const int8_t* w = p->weights + o * p->inputs;
  int32_t sum = p->bias[o];
  for (int32_t i = 0; i < p->inputs; ++i) sum += in[i] * w[i];
  out[o] = gc_output16(p, o, sum);
}

/* Computes all outputs of two rows, each of at most GC_MAX_INPUTS: in (2, inputs), out (2,
   outputs). gc_one_row16 does the same for one row. */
static __attribute__((noinline)) void gc_two_rows16(const gc_fully_connected* p, const int16_t* in,
                                                    int16_t* out) {
  const int32_t n = p->inputs, outputs = p->outputs;
  int16x2_t x[GC_MAX_INPUTS] __attribute__((aligned(8)));
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

static __attribute__((noinline)) void gc_one_row16(const gc_fully_connected* p, const int16_t* in,
                                                   int16_t* out) {
  const int32_t n = p->inputs, outputs = p->outputs;
  int16x2_t x[GC_MAX_INPUTS / 2] __attribute__((aligned(8)));
  for (int32_t i = 0; i < (n & ~7); i += 4) gc_load_halves(in + i, x + i / 2, x + i / 2 + 1);
  for (int32_t i = n & ~7; i < n; ++i) ((int16_t*)x)[i] = in[i];
  int32_t o = 0;
  for (const int8_t* w = p->weights; o + 4 <= outputs; o += 4, w += 4 * n) {
    int32_t s[4] = {p->bias[o], p->bias[o + 1], p->bias[o + 2], p->bias[o + 3]};
    gc_dot_4x1(w, x, n, s);
    for (int32_t i = 0; i < 4; ++i) out[o + i] = gc_output16(p, o + i, s[i]);
  }
  for (; o < outputs; ++o) gc_one_output16(p, o, in, out);
}

static void gc_fully_connected16_fast(const gc_fully_connected* p, const int16_t* in,
                                      int16_t* out) {
  int32_t r = 0;
  for (; r + 2 <= p->rows; r += 2) gc_two_rows16(p, in + r * p->inputs, out + r * p->outputs);
  if (r < p->rows) gc_one_row16(p, in + r * p->inputs, out + r * p->outputs);
  if (p->low > -32768 || p->high < 32767) {
    for (int32_t i = 0; i < p->rows * p->outputs; ++i)
      out[i] = (int16_t)gc_clamp(out[i], p->low, p->high);
  }
}

#endif

#ifdef GC_HELIUM

/* gc_dot_lanes for int16 inputs, x (n): eight lanes at a time. */
static inline __attribute__((always_inline)) int32x4_t gc_dot_lanes16(const int8_t* w0,
                                                                      const int8_t* w1,
                                                                      const int8_t* w2,
                                                                      const int8_t* w3,
                                                                      const int16_t* x, int32_t n) {
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

static void gc_fully_connected16_helium(const gc_fully_connected* p, const int16_t* in,
                                        int16_t* out) {
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

void gc_fully_connected_s16(const gc_fully_connected* p, const int16_t* in, int16_t* out) {
#ifdef GC_DSP
  if (p->inputs >= 4 && p->inputs <= GC_MAX_INPUTS && gc_fully_connected16_usable(p)) {
    gc_fully_connected16_fast(p, in, out);
    return;
  }
#endif
#ifdef GC_HELIUM
  if (gc_fully_connected16_usable(p)) {
    gc_fully_connected16_helium(p, in, out);
    return;
  }
#endif
  gc_fully_connected16_portable(p, in, out);
}
