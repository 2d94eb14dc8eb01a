/* Sums of products of rows of weights and rows of inputs, for several operators. */
#ifndef GROUPCOMM_MICRO_KERNELS_DOT_DOT_H_
#define GROUPCOMM_MICRO_KERNELS_DOT_DOT_H_

#include "micro/kernels/dsp.h"
#include "micro/kernels/helium.h"

#ifdef GC_DSP

/* Adds the products of rows of weights, w (count, stride), and one row of inputs, x (n halfwords, at
   most the stride), to sums (count, a multiple of 4). x is in the order of gc_widen. */
void gc_dot_dsp(const int8_t* w, int32_t stride, const gc_pair* x, int32_t n, int32_t* sums,
                int32_t count);

/* Number of pairs of halfwords in two or four interleaved rows of so many eights. */
#define GC_TWO_ROWS(eights) (8 * (eights))
#define GC_FOUR_ROWS(eights) (16 * (eights))
GC_ALWAYS_INLINE int32_t gc_eights(int32_t count) { return (count + 7) / 8; }

/* Widens rows of bytes, in (rows, count), to signed halfwords and interleaves every two: of every
   four bytes, elements 0 and 2 of both rows come first, then elements 1 and 3 of both. The rows are
   padded with zeros to a multiple of eight; where their number is odd, the last one is repeated. All
   halfwords are shifted to the left, by at most eight bits. out (pairs, GC_TWO_ROWS). */
void gc_interleave_dsp_2(const int8_t* in, int32_t rows, int32_t count, int32_t left, gc_pair* out);

/* The same with four rows of weights, w (at least `rows`, count). From row `rows` on, 1 to 4, the
   last one is repeated. out (GC_FOUR_ROWS). */
void gc_interleave_dsp_4(const int8_t* w, int32_t rows, int32_t count, int32_t left, gc_pair* out);

/* Products of four rows of weights and pairs of rows of inputs. The order of the fields is that in
   which gc_dot_dsp_4x2 loads them. */
typedef struct {
  gc_pair* w;               /* (GC_FOUR_ROWS), four rows of weights, interleaved */
  const gc_pair *x, *x_end; /* (pairs, GC_TWO_ROWS), at least one pair */
  int32_t* sums;            /* (pairs, 2 rows, 4 rows of weights) */
  const int32_t* bias;      /* (4) */
  int32_t left;             /* shift of the biases to the left */
  int32_t eights;           /* of the depth, at least one */
  const int8_t* bytes;      /* (4, count), the rows that are interleaved to w first, ... */
  int32_t count;            /* ... a multiple of 8; or 0 where w is interleaved already */
  int32_t weights_left;     /* shift of the weights to the left, 0 or 1 */
} gc_dot;

/* Computes the sums: bias * 2^left plus the products. */
void gc_dot_dsp_4x2(const gc_dot* d);

/* The same for any count and shift, and for `rows` rows of weights, 1 to 4, with as many biases. Sums
   beyond these rows are of no use. */
void gc_dot_any_rows(const gc_dot* d, int32_t rows);
GC_ALWAYS_INLINE void gc_dot_rows(const gc_dot* d, int32_t rows) {
  if (rows == 4 && d->weights_left < 2 && d->count % 8 == 0) {
    gc_dot_dsp_4x2(d);
  } else {
    gc_dot_any_rows(d, rows);
  }
}

/* Widens a row of inputs, in (n), to halfwords, out (n): of every four inputs, elements 0 and 2
   come first, then 1 and 3; the inputs after the last whole group of eight are in their original
   order. */
GC_ALWAYS_INLINE void gc_widen(const int8_t* in, int32_t n, gc_pair* out) {
  for (const int8_t* end = in + (n & ~7); in != end; in += 4, out += 2) {
    const uint32_t four = gc_load4(in);
    out[0] = gc_even(four), out[1] = gc_odd(four);
  }
  int16_t* rest = (int16_t*)out;
  for (n &= 7; n > 0; --n) *rest++ = *in++;
}

#endif

#ifdef GC_HELIUM

/* Returns the sums of products of four rows of weights, w0 to w3 (n), and one row of inputs, x (n).
   At the end of the rows the loop masks the lanes beyond n. */
GC_ALWAYS_INLINE int32x4_t gc_dot_lanes(const int8_t* w0, const int8_t* w1, const int8_t* w2,
                                        const int8_t* w3, const int8_t* x, int32_t n) {
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

#endif

#endif /* GROUPCOMM_MICRO_KERNELS_DOT_DOT_H_ */
