#include <string.h>

#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"
#include "micro/contract/tanh_table.h"

/* In all functions of this file, unless a comment says otherwise: in (batch, inputs), hidden
   (batch, units), cell (batch, units), out (batch, units); in functions of one unit or row, in and
   hidden begin at that row of the batch.

   tanh and logistic are piecewise linear between 512 points of one odd curve, tanh(k / 48) * 2^15.
   The unit of the argument is 1 / 12288. logistic is tanh of half of its argument, so it advances
   half as fast between the points. A negative argument rounds to the negative of the result for its
   magnitude. */
static inline int32_t gc_tanh16(int32_t x) {
  int32_t k = x >> 8;
  k = gc_clamp(k, -256, 255);
  const gc_point t = gc_curve_point(k);
  return (t.value * 256 + t.step * (x & 255) + 128 + (x >> 31)) >> 8;
}

/* |x| < 255 << 9: a gate never reaches the end of the curve */
static inline int32_t gc_logistic16(int32_t x) {
  const gc_point t = gc_curve_point(x >> 9);
  return (t.value * 512 + t.step * (x & 511) + (1 << 24) + 512 + (x >> 31)) >> 10;
}

static inline int32_t gc_clamp16(int32_t x) { return gc_clamp(x, -32768, 32767); }

/* Returns the pre-activation of one unit of a gate, times 3, which is in units of 1 / 12288. in
   (inputs), hidden (units). */
static inline int32_t gc_gate(const gc_lstm* p, const gc_lstm_gate* g, int32_t unit,
                              const int8_t* in, const int8_t* hidden) {
  const int8_t* w = g->input_weights + unit * p->inputs;
  int32_t x = 0;
  for (int32_t i = 0; i < p->inputs; ++i) x += in[i] * w[i];
  x = gc_clamp16(
      gc_rescale(gc_add_wrapping(x, g->input_bias[unit]), g->input.multiplier, g->input.shift));

  w = g->recurrent_weights + unit * p->units;
  int32_t h = 0;
  for (int32_t i = 0; i < p->units; ++i) h += hidden[i] * w[i];
  h = gc_clamp16(gc_rescale(gc_add_wrapping(h, g->recurrent_bias[unit]), g->recurrent.multiplier,
                            g->recurrent.shift));
  return 3 * gc_clamp16(x + h);
}

/* gc_gate for int16 inputs and hidden state. */
static inline int32_t gc_gate16(const gc_lstm* p, const gc_lstm_gate* g, int32_t unit,
                                const int16_t* in, const int16_t* hidden) {
  const int8_t* w = g->input_weights + unit * p->inputs;
  int64_t x = g->input_bias[unit];
  for (int32_t i = 0; i < p->inputs; ++i) x += in[i] * w[i];

  w = g->recurrent_weights + unit * p->units;
  int64_t h = 0;
  for (int32_t i = 0; i < p->units; ++i) h += hidden[i] * w[i];
  return 3 *
         gc_clamp16(gc_clamp16(gc_rescale_wide(x, g->input.multiplier, g->input.shift)) +
                    gc_clamp16(gc_rescale_wide(h, g->recurrent.multiplier, g->recurrent.shift)));
}

/* Updates one cell, and returns its output minus the zero point. */
static int32_t gc_step(const gc_lstm* p, int32_t input_gate, int32_t forget_gate, int32_t cell_gate,
                       int32_t output_gate, int16_t* cell) {
  const int32_t round = p->tanh_shift > 0 ? 1 << (p->tanh_shift - 1) : 0;

  /* The unit of a gate is 1 / 32768: the product is scaled by 2^30 * 2^-31 * 2^-14. */
  const int32_t kept = gc_clamp16(gc_rescale(forget_gate * *cell, 1 << 30, -14));
  const int32_t added =
      gc_clamp16(gc_rescale(input_gate * cell_gate, p->update.multiplier, p->update.shift));
  int32_t c = gc_clamp16(kept + added);
  if (p->cell_clip > 0) c = gc_clamp(c, -p->cell_clip, p->cell_clip);
  *cell = (int16_t)c;

  const int32_t squashed = gc_tanh16((c * p->tanh_multiplier + round) >> p->tanh_shift);
  return gc_rescale(squashed * output_gate, p->hidden.multiplier, p->hidden.shift);
}

static void gc_lstm_portable(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                             int8_t* out) {
  for (int32_t b = 0; b < p->batch; ++b, in += p->inputs) {
    for (int32_t u = 0; u < p->units; ++u) {
      const int32_t i = b * p->units + u;
      /* all units read the hidden state of the previous step */
      const int8_t* h = hidden + b * p->units;
      const int32_t input_gate = gc_logistic16(gc_gate(p, &p->input, u, in, h));
      const int32_t forget_gate = gc_logistic16(gc_gate(p, &p->forget, u, in, h));
      const int32_t cell_gate = gc_tanh16(gc_gate(p, &p->cell, u, in, h));
      const int32_t output_gate = gc_logistic16(gc_gate(p, &p->output, u, in, h));
      const int32_t y = gc_step(p, input_gate, forget_gate, cell_gate, output_gate, cell + i);
      out[i] = (int8_t)gc_clamp(gc_add_wrapping(y, p->zero_point), -128, 127);
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * p->units));
}

static void gc_lstm16_portable(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                               int16_t* out) {
  for (int32_t b = 0; b < p->batch; ++b, in += p->inputs) {
    for (int32_t u = 0; u < p->units; ++u) {
      const int32_t i = b * p->units + u;
      const int16_t* h = hidden + b * p->units;
      const int32_t input_gate = gc_logistic16(gc_gate16(p, &p->input, u, in, h));
      const int32_t forget_gate = gc_logistic16(gc_gate16(p, &p->forget, u, in, h));
      const int32_t cell_gate = gc_tanh16(gc_gate16(p, &p->cell, u, in, h));
      const int32_t output_gate = gc_logistic16(gc_gate16(p, &p->output, u, in, h));
      out[i] = (int16_t)gc_clamp16(
          gc_step(p, input_gate, forget_gate, cell_gate, output_gate, cell + i));
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * p->units) * sizeof(int16_t));
}

#if defined(GC_DSP) || defined(GC_HELIUM)
/* Returns whether all sums fit into 32 bits, and all are shifted to the right. */
static int gc_lstm16_usable(const gc_lstm* p) {
  const gc_lstm_gate* const gates[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int usable = p->units < 512 && p->update.multiplier != 0 && p->update.shift <= 0 &&
               p->hidden.multiplier != 0 && p->hidden.shift <= 0;
  for (int g = 0; g < 4; ++g) {
    usable = usable && gates[g]->input.shift < -1 && gates[g]->recurrent.shift < -1 &&
             gc_sums_fit(gates[g]->input_bias, p->units, p->inputs);
  }
  return usable;
}
#endif

#ifdef GC_DSP

/* Loads up to four bytes, p (count), and pads them with zeros. */
static inline uint32_t gc_load_some(const int8_t* p, int32_t count) {
  if (count >= 4) return gc_load4(p);
  uint32_t x = 0;
  for (int32_t i = 0; i < count; ++i) x |= (uint32_t)(uint8_t)p[i] << (8 * i);
  return x;
}

/* Mask that clears the bits which a left shift would carry from the low to the high halfword, or
   out of the word. */
static inline uint32_t gc_low_mask(int32_t left) { return (0xffffu >> left) * 0x10001u; }

/* Widens two rows of bytes, a and b (count), to signed halfwords and interleaves them: of every
   four bytes, elements 0 and 2 of both rows come first, then elements 1 and 3 of both. The rows are
   padded with zeros to a multiple of eight. All halfwords are shifted to the left, by at most eight
   bits. out has 2 * (count rounded up to 8) halfwords. */
static void gc_interleave(const int8_t* a, const int8_t* b, int32_t count, int32_t left,
                          int16x2_t* out) {
  const int32_t whole = count / 8 * 8;
  int32_t eights = whole / 8;
#define GC_INTERLEAVE_FOUR(more) \
  "ldr r6, [%[a]], #4\n\t"       \
  "ldr r8, [%[b]], #4\n\t"       \
  "sxtb16 r4, r6\n\t"            \
  "sxtb16 r5, r8\n\t"            \
  "sxtb16 r6, r6, ror #8\n\t"    \
  "sxtb16 r8, r8, ror #8\n\t" more "stmia %[out]!, {r4, r5, r6, r8}\n\t"
#define GC_INTERLEAVE(more, ...) \
  __asm__ volatile(                                                      \
      "0:\n\t" GC_INTERLEAVE_FOUR(more) GC_INTERLEAVE_FOUR(more)         \
      "subs %[n], #1\n\t"                                                \
      "bne 0b"                                                           \
      : [a] "+r"(a), [b] "+r"(b), [out] "+r"(out), [n] "+r"(eights)      \
      : __VA_ARGS__                                                      \
      : "r4", "r5", "r6", "r8", "cc", "memory")
#define GC_SHIFT(r) "and " r ", %[keep]\n\tlsl " r ", %[left]\n\t"
  if (eights > 0 && left == 0) {
    GC_INTERLEAVE("", );
  } else if (eights > 0 && left == 1) {
    GC_INTERLEAVE(
        "sadd16 r4, r4, r4\n\tsadd16 r5, r5, r5\n\tsadd16 r6, r6, r6\n\tsadd16 r8, r8, r8\n\t", );
  } else if (eights > 0) {
    GC_INTERLEAVE(GC_SHIFT("r4") GC_SHIFT("r5") GC_SHIFT("r6") GC_SHIFT("r8"),
                  [keep] "r"(gc_low_mask(left)), [left] "r"(left));
  }
  if (whole == count) return;
  for (int32_t i = whole; i < count || i % 8 != 0; i += 4, a += 4, b += 4, out += 4) {
    const uint32_t x = gc_load_some(a, count - i), y = gc_load_some(b, count - i);
    out[0] = gc_even(x), out[1] = gc_even(y), out[2] = gc_odd(x), out[3] = gc_odd(y);
    for (int32_t k = 0; k < 4; ++k)
      out[k] = (int16x2_t)(((uint32_t)out[k] & gc_low_mask(left)) << left);
  }
}

/* Adds the products of two interleaved rows of weights and two interleaved rows of the batch to
   sums (2 rows of the batch, 2 rows of weights). Advances both pointers. The depth is 8, 8n or
   32n. */
#define GC_DOT_4                      \
  "ldmia %[w]!, {r4, r5, r6, r8}\n\t" \
  "ldrd r9, r10, [%[a]], #8\n\t"      \
  "smlad %[s0], r4, r9, %[s0]\n\t"    \
  "smlad %[s1], r5, r9, %[s1]\n\t"    \
  "smlad %[s2], r4, r10, %[s2]\n\t"   \
  "smlad %[s3], r5, r10, %[s3]\n\t"   \
  "ldrd r9, r10, [%[a]], #8\n\t"      \
  "smlad %[s0], r6, r9, %[s0]\n\t"    \
  "smlad %[s1], r8, r9, %[s1]\n\t"    \
  "smlad %[s2], r6, r10, %[s2]\n\t"   \
  "smlad %[s3], r8, r10, %[s3]\n\t"
#define GC_DOT_8 GC_DOT_4 GC_DOT_4
#define GC_DOT_32 GC_DOT_8 GC_DOT_8 GC_DOT_8 GC_DOT_8
#define GC_DEFINE_DOT(name, code)                                                                 \
  static inline void name(const uint64_t** weights, const uint64_t** rows, int32_t n,             \
                          int32_t sums[4]) {                                                      \
    const uint64_t *w = *weights, *a = *rows;                                                     \
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];                               \
    __asm__(code                                                                                  \
            : [w] "+r"(w), [a] "+r"(a), [n] "+r"(n), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), \
              [s3] "+r"(s3)                                                                       \
            :                                                                                     \
            : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");                               \
    *weights = w, *rows = a;                                                                      \
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;                                       \
  }
#define GC_REPEAT(code) "0:\n\t" code "subs %[n], #1\n\tbne 0b"
GC_DEFINE_DOT(gc_dot_8, GC_DOT_8)
GC_DEFINE_DOT(gc_dot_8n, GC_REPEAT(GC_DOT_8))
GC_DEFINE_DOT(gc_dot_32n, GC_REPEAT(GC_DOT_32))

/* Computes the doubled sums of two units of a gate. weights (4 * eights) and rows (pairs, 4 *
   eights) as in gc_lstm_fast; biases (input or recurrent, 2 units); sums (pairs, input or
   recurrent, 2 rows of the batch, 2 units). The fast path is for at most 8 inputs, and units that
   are padded to a multiple of 32. */
static inline __attribute__((always_inline)) void gc_sums_of(const uint64_t* weights,
                                                             const uint64_t* rows, int32_t x_eights,
                                                             int32_t h_eights, int32_t pairs,
                                                             const int32_t biases[4], int32_t* sums,
                                                             int fast_path) {
  const int32_t x_u = biases[0], x_v = biases[1], h_u = biases[2], h_v = biases[3];
  for (const int32_t* end = sums + 8 * pairs; sums != end; sums += 8) {
    const uint64_t* w = weights;
    int32_t x[4] = {x_u, x_v, x_u, x_v};
    if (fast_path) {
      gc_dot_8(&w, &rows, 0, x);
    } else {
      gc_dot_8n(&w, &rows, x_eights, x);
    }
    sums[0] = x[0], sums[1] = x[1], sums[2] = x[2], sums[3] = x[3];
    int32_t h[4] = {h_u, h_v, h_u, h_v};
    if (fast_path) {
      gc_dot_32n(&w, &rows, h_eights / 4, h);
    } else {
      gc_dot_8n(&w, &rows, h_eights, h);
    }
    sums[4] = h[0], sums[5] = h[1], sums[6] = h[2], sums[7] = h[3];
  }
}
static __attribute__((noinline)) void gc_sums(const uint64_t* weights, const uint64_t* rows,
                                              int32_t x_eights, int32_t h_eights, int32_t pairs,
                                              const int32_t biases[4], int32_t* sums) {
  if (x_eights == 1 && h_eights % 4 == 0) {
    gc_sums_of(weights, rows, x_eights, h_eights, pairs, biases, sums, 1);
  } else {
    gc_sums_of(weights, rows, x_eights, h_eights, pairs, biases, sums, 0);
  }
}

/* State of gc_tanh16_fast and gc_logistic16_fast. One word holds the factors of a point and of its
   step; only its upper half changes. */
typedef struct {
  const gc_point* middle; /* the middle of gc_tanh_table (512) */
  int32_t word, offset;
} gc_curve;

static inline gc_curve gc_curve_of(int32_t one, int32_t offset) {
  gc_curve c = {gc_tanh_table + 256, one, offset};
  /* The empty asm keeps the values in registers. Otherwise the compiler would build them again for
     every value. */
  __asm__("" : "+r"(c.middle), "+r"(c.word), "+r"(c.offset));
  return c;
}

static inline int32_t gc_interpolate(const gc_curve* c, int32_t x, int32_t k) {
  int16x2_t point;
  memcpy(&point, c->middle + k, 4);
  return __smlad(point, (int16x2_t)c->word, c->offset + (x >> 31));
}

static inline gc_curve gc_tanh_curve(void) { return gc_curve_of(256, 128); }
static inline int32_t gc_tanh16_fast(gc_curve* c, int32_t x) {
  __asm__("bfi %0, %1, #16, #8" : "+r"(c->word) : "r"(x));
  return gc_interpolate(c, x, __ssat(x >> 8, 9)) >> 8;
}

static inline gc_curve gc_logistic_curve(void) { return gc_curve_of(512, (1 << 24) + 512); }
static inline int32_t gc_logistic16_fast(gc_curve* c, int32_t x) {
  __asm__("bfi %0, %1, #16, #9" : "+r"(c->word) : "r"(x));
  return gc_interpolate(c, x, x >> 9) >> 10;
}

/* gc_rescale of half of x. Without a shift to the right, the product with the doubled sum is the
   result. With one, both roundings are combined: half of the divisor is added before the shift, and
   1 is subtracted where x is negative. */
static inline int32_t gc_rescale_twice(int32_t x, int32_t multiplier, int32_t right, int32_t half) {
  int32_t y;
  if (right == 0) {
    __asm__("smmulr %0, %1, %2" : "=r"(y) : "r"(x), "r"(multiplier));
    return y;
  }
  __asm__("smmlar %0, %1, %2, %3" : "=r"(y) : "r"(x), "r"(multiplier), "r"(half));
  return (y + (x >> 31)) >> right;
}

/* Activates the sums of gc_sums as one of the four gates. sums (pairs, input or recurrent, 2 rows
   of the batch, 2 units); gate, a view of gates (pairs, 2 rows of the batch, 2 units, 4 gates) at
   this gate. wide: sums of int16 inputs, which are not doubled. */
static inline __attribute__((always_inline)) void gc_activate(const gc_lstm_gate* q,
                                                              const int32_t* sums, int32_t pairs,
                                                              int16_t* gate, int tanh, int wide,
                                                              int32_t x_right, int32_t h_right) {
  const int32_t x_multiplier = q->input.multiplier, h_multiplier = q->recurrent.multiplier;
  const int32_t x_half = 1 << x_right >> 1, h_half = 1 << h_right >> 1;
  gc_curve curve = tanh ? gc_tanh_curve() : gc_logistic_curve();
  for (const int32_t* end = sums + 8 * pairs; sums != end; sums += 8, gate += 16) {
#define GC_PART(x, multiplier, right, half)            \
  (wide ? gc_rescale_narrow(x, multiplier, -1 - right) \
        : gc_rescale_twice(x, multiplier, right, half))
#define GC_ACTIVATE_TWO(i)                                                                         \
  do {                                                                                             \
    int32_t x0, x1, h0, h1;                                                                        \
    __asm__("ldrd %0, %1, [%2, %3]"                                                                \
            : "=&r"(x0), "=r"(x1)                                                                  \
            : "r"(sums), "n"(4 * (i)), "m"(*(const int32_t (*)[8])sums));                          \
    __asm__("ldrd %0, %1, [%2, %3]"                                                                \
            : "=&r"(h0), "=r"(h1)                                                                  \
            : "r"(sums), "n"(4 * (i) + 16), "m"(*(const int32_t (*)[8])sums));                     \
    x0 = __ssat(GC_PART(x0, x_multiplier, x_right, x_half), 16);                                   \
    h0 = __ssat(GC_PART(h0, h_multiplier, h_right, h_half), 16);                                   \
    x0 = 3 * __ssat(x0 + h0, 16);                                                                  \
    gate[4 * (i)] = (int16_t)(tanh ? gc_tanh16_fast(&curve, x0) : gc_logistic16_fast(&curve, x0)); \
    x1 = __ssat(GC_PART(x1, x_multiplier, x_right, x_half), 16);                                   \
    h1 = __ssat(GC_PART(h1, h_multiplier, h_right, h_half), 16);                                   \
    x1 = 3 * __ssat(x1 + h1, 16);                                                                  \
    gate[4 * (i) + 4] =                                                                            \
        (int16_t)(tanh ? gc_tanh16_fast(&curve, x1) : gc_logistic16_fast(&curve, x1));             \
  } while (0)
    GC_ACTIVATE_TWO(0);
    GC_ACTIVATE_TWO(2);
  }
}
static __attribute__((noinline)) void gc_activate_tanh(const gc_lstm_gate* q, const int32_t* sums,
                                                       int32_t pairs, int16_t* gate) {
  const int32_t x_right = gc_right(q->input.shift), h_right = gc_right(q->recurrent.shift);
  if (x_right == 0 && h_right > 0) { /* the usual case */
    gc_activate(q, sums, pairs, gate, 1, 0, 0, h_right);
  } else {
    gc_activate(q, sums, pairs, gate, 1, 0, x_right, h_right);
  }
}
static __attribute__((noinline)) void gc_activate_logistic(const gc_lstm_gate* q,
                                                           const int32_t* sums, int32_t pairs,
                                                           int16_t* gate) {
  const int32_t x_right = gc_right(q->input.shift), h_right = gc_right(q->recurrent.shift);
  if (x_right == 0 && h_right > 0) {
    gc_activate(q, sums, pairs, gate, 0, 0, 0, h_right);
  } else {
    gc_activate(q, sums, pairs, gate, 0, 0, x_right, h_right);
  }
}

/* Updates the cells of one unit for all rows of the batch. gates (batch, 2 units, 4 gates), of
   which this unit has every second; cell (batch, units) at this unit. */
static __attribute__((noinline)) void gc_update_cells(const gc_lstm* p, const int32_t* gates,
                                                      int16_t* cell) {
  const uint32_t doubled = gc_doubled(p->update.multiplier);
  const int32_t right = -p->update.shift, clip = p->cell_clip, units = p->units;
#pragma GCC unroll 4
  for (int32_t b = p->batch; b > 0; --b, gates += 4, cell += units) {
    const int32_t input_forget = gates[0];
    /* Combines both roundings of the portable variant, for this multiplier and shift. */
    const int32_t kept = (input_forget >> 16) * *cell;
    const int32_t added =
        gc_rescale_fast((int16_t)input_forget * (int16_t)gates[1], doubled, right, 0);
    int32_t c = __ssat(__ssat((kept + 16384 + (kept >> 31 | 1)) >> 15, 16) + __ssat(added, 16), 16);
    if (clip > 0) c = gc_clamp(c, -clip, clip);
    *cell = (int16_t)c;
  }
}

/* Computes the outputs of one unit for all rows of the batch. output_gate: every eighth element of
   gates (batch, 2 units, 4 gates); cell and out (batch, units) at this unit. */
static __attribute__((noinline)) void gc_update_outputs(const gc_lstm* p,
                                                        const int16_t* output_gate,
                                                        const int16_t* cell, int8_t* out) {
  const uint32_t doubled = gc_doubled(p->hidden.multiplier);
  const int32_t right = -p->hidden.shift, zero_point = p->zero_point, units = p->units;
  const int32_t multiplier = p->tanh_multiplier, shift = p->tanh_shift,
                round = shift > 0 ? 1 << (shift - 1) : 0;
  gc_curve curve = gc_tanh_curve();
  for (const int16_t* end = output_gate + 8 * p->batch; output_gate != end;
       output_gate += 8, cell += units, out += units) {
    const int32_t y = gc_tanh16_fast(&curve, (*cell * multiplier + round) >> shift);
    *out = (int8_t)__ssat(gc_rescale_fast(y * *output_gate, doubled, right, zero_point), 8);
  }
}

/* Returns whether the DSP variant supports these scales and biases (units). It shifts the weights
   to the left instead of the sums, and doubles the sums: 32 bits must have room for both. */
static int gc_usable_part(const gc_scale* s, const int32_t* bias, int32_t units, int32_t inputs) {
  if (s->multiplier < 1 << 30 || s->shift > 8 || inputs > 4096) return 0;
  uint32_t bits = 0; /* of all biases: the largest is below twice the highest of them */
#pragma GCC unroll 4
  for (const int32_t* end = bias + units; bias != end; ++bias)
    bits |= (uint32_t)(*bias ^ *bias >> 31);
  return bits < 1u << (28 - gc_left(s->shift)) && inputs << 14 <= 1 << (29 - gc_left(s->shift));
}

static int gc_lstm_usable(const gc_lstm* p) {
  const gc_lstm_gate* const gates[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int usable = p->update.multiplier != 0 && p->update.shift <= 0 && p->hidden.multiplier != 0 &&
               p->hidden.shift <= 0;
  for (int g = 0; g < 4; ++g) {
    usable = usable && gc_usable_part(&gates[g]->input, gates[g]->input_bias, p->units, p->inputs);
    usable = usable &&
             gc_usable_part(&gates[g]->recurrent, gates[g]->recurrent_bias, p->units, p->units);
  }
  return usable;
}

/* One time step. It widens and interleaves the rows of the batch once, and the weights of two units
   at a time. */
static void gc_lstm_fast(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                         int8_t* out, void* scratch) {
  const int32_t pairs = (p->batch + 1) / 2, x_eights = (p->inputs + 7) / 8,
                h_eights = (p->units + 7) / 8, eights = x_eights + h_eights;
  uint64_t* rows =
      scratch; /* (pairs, 4 * eights): inputs and hidden state of two rows of the batch */
  uint64_t* w = rows + pairs * 4 * eights;       /* (4 * eights): the weights of two units */
  int32_t* sums = (int32_t*)(w + 4 * eights);    /* (pairs, input or recurrent, 2 rows, 2 units) */
  int16_t* gates = (int16_t*)(sums + 8 * pairs); /* (2 * pairs, 2 units, 4 gates) */
  /* an odd batch repeats its last row, an odd number of units its last unit */
  for (int32_t i = 0; i < pairs; ++i) {
    const int32_t a = 2 * i, b = a + 1 < p->batch ? a + 1 : a;
    gc_interleave(in + a * p->inputs, in + b * p->inputs, p->inputs, 1,
                  (int16x2_t*)(rows + i * 4 * eights));
    gc_interleave(hidden + a * p->units, hidden + b * p->units, p->units, 1,
                  (int16x2_t*)(rows + i * 4 * eights + 4 * x_eights));
  }
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  for (int32_t u = 0; u < p->units; u += 2) {
    const int32_t v = u + 1 < p->units ? u + 1 : u;
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      const int32_t x_left = gc_left(q->input.shift), h_left = gc_left(q->recurrent.shift);
      gc_interleave(q->input_weights + u * p->inputs, q->input_weights + v * p->inputs, p->inputs,
                    x_left, (int16x2_t*)w);
      gc_interleave(q->recurrent_weights + u * p->units, q->recurrent_weights + v * p->units,
                    p->units, h_left, (int16x2_t*)(w + 4 * x_eights));
      const int32_t biases[4] = {q->input_bias[u] * (2 << x_left), q->input_bias[v] * (2 << x_left),
                                 q->recurrent_bias[u] * (2 << h_left),
                                 q->recurrent_bias[v] * (2 << h_left)};
      gc_sums(w, rows, x_eights, h_eights, pairs, biases, sums);
      if (g == 2) {
        gc_activate_tanh(q, sums, pairs, gates + g);
      } else {
        gc_activate_logistic(q, sums, pairs, gates + g);
      }
    }
    for (int32_t i = u; i <= v; ++i) {
      gc_update_cells(p, (const int32_t*)gates + 2 * (i - u), cell + i);
      gc_update_outputs(p, gates + 4 * (i - u) + 3, cell + i, out + i);
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * p->units));
}

/* Widens one row of inputs or hidden state, in (count), to signed halfwords, out (count): of every
   four, elements 0 and 2 come first, then 1 and 3. */
static inline void gc_unpack(const int8_t* in, int32_t count, int16x2_t* out) {
  for (const int8_t* end = in + count; in != end; in += 4, out += 2) {
    const uint32_t four = gc_load4(in);
    out[0] = gc_even(four), out[1] = gc_odd(four);
  }
}

/* Computes the doubled sums of the input part or of the recurrent part of a gate, for all units of
   one row, times 2^left. w (units, count), x (count halfwords), bias (units); sums (units / 4,
   input or recurrent, 4 units), of which one part is written. */
static __attribute__((noinline)) void gc_sums_row(const int8_t* w, const int16x2_t* x,
                                                  int32_t count, const int32_t* bias, int32_t units,
                                                  int32_t left, int32_t* sums) {
  const int32_t times = 2 << left;
  if (count == 8) { /* the row stays in registers */
    const int16x2_t x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
    for (const int32_t* end = bias + units; bias != end; bias += 4, w += 32, sums += 8) {
#pragma GCC unroll 4
      for (int32_t i = 0; i < 4; ++i) {
        const uint32_t a = gc_load4(w + 8 * i), b = gc_load4(w + 8 * i + 4);
        const int32_t sum = __smlad(x1, gc_odd(a), __smlad(x0, gc_even(a), bias[i]));
        sums[i] = __smlad(x3, gc_odd(b), __smlad(x2, gc_even(b), sum)) * times;
      }
    }
    return;
  }
  for (int32_t u = 0; u < units; ++u) {
    int32_t sum = bias[u];
    for (int32_t k = 0; k < count; k += 4, w += 4) {
      const uint32_t a = gc_load4(w);
      sum = __smlad(x[k / 2 + 1], gc_odd(a), __smlad(x[k / 2], gc_even(a), sum));
    }
    sums[u / 4 * 8 + u % 4] = sum * times;
  }
}

/* All time steps of a batch of one row. Each weight is used only once a step, so it is not worth
   interleaving them. The buffers hold four units where those of gc_lstm_fast hold two units of two
   rows of the batch. in (steps, inputs), out (steps, units). */
static void gc_lstm_row(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                        int8_t* out, void* scratch) {
  const int32_t inputs = p->inputs, units = p->units;
  int16x2_t *x = scratch, *h = x + inputs / 2;   /* (inputs), (units) halfwords */
  int32_t* sums = (int32_t*)h + units / 2;       /* (units / 4, input or recurrent, 4 units) */
  int16_t* gates = (int16_t*)(sums + 2 * units); /* (units, 4 gates) */
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  gc_lstm pairs = *p; /* a batch of pairs of units, for gc_update_cells */
  pairs.batch = units / 2, pairs.units = 2;
  for (int32_t t = 0; t < p->steps; ++t, in += inputs, out += units) {
    gc_unpack(in, inputs, x);
    gc_unpack(hidden, units, h);
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      gc_sums_row(q->input_weights, x, inputs, q->input_bias, units, gc_left(q->input.shift), sums);
      gc_sums_row(q->recurrent_weights, h, units, q->recurrent_bias, units,
                  gc_left(q->recurrent.shift), sums + 4);
      if (g == 2) {
        gc_activate_tanh(q, sums, units / 4, gates + g);
      } else {
        gc_activate_logistic(q, sums, units / 4, gates + g);
      }
    }
    for (int32_t i = 0; i < 2; ++i) {
      gc_update_cells(&pairs, (const int32_t*)gates + 2 * i, cell + i);
      gc_update_outputs(&pairs, gates + 4 * i + 3, cell + i, out + i);
    }
    memcpy(hidden, out, (size_t)units);
  }
}

#endif

#ifdef GC_HELIUM

/* Returns the sum of products of a and b (n). */
static inline int32_t gc_dot_helium(const int8_t* a, const int8_t* b, int32_t n) {
  int32_t s = 0;
  for (; n >= 16; n -= 16, a += 16, b += 16) s = vmladavaq_s8(s, vldrbq_s8(a), vldrbq_s8(b));
  if (n > 0) {
    const mve_pred16_t some = vctp8q((uint32_t)n);
    s = vmladavaq_s8(s, vldrbq_z_s8(a, some), vldrbq_z_s8(b, some));
  }
  return s;
}

/* Computes the sums of one gate for two rows of the batch; where `last` is 0, for the first row
   twice. in (2, inputs), hidden (2, units); sums (units / 8, input or recurrent, 2 rows, the 4 even
   and the 4 odd of 8 units). The sums of the inputs are already shifted to the left by their
   scale. */
static void gc_gate_sums_generic(const gc_lstm* p, const gc_lstm_gate* q, const int8_t* in,
                                 const int8_t* hidden, int32_t last, int32_t* sums) {
  const int32_t inputs = p->inputs, units = p->units,
                left = q->input.shift > 0 ? q->input.shift : 0;
  const int8_t *w = q->input_weights, *v = q->recurrent_weights;
  for (int32_t u = 0; u < units; ++u, w += inputs, v += units) {
    int32_t* at = sums + u / 8 * 32 + u % 2 * 4 + u % 8 / 2;
    at[0] = (int32_t)((uint32_t)gc_dot_helium(in, w, inputs) << left);
    at[8] = (int32_t)((uint32_t)gc_dot_helium(in + last * inputs, w, inputs) << left);
    at[16] = gc_dot_helium(hidden, v, units);
    at[24] = gc_dot_helium(hidden + last * units, v, units);
  }
}

/* gc_gate_sums_generic for 16 inputs, and 24, 32 or 40 units. The weights are loaded once for both
   rows, and the hidden state stays in registers. */
static inline __attribute__((always_inline)) void gc_sums_16(const gc_lstm_gate* q,
                                                             const int8_t* in, const int8_t* hidden,
                                                             int32_t last, int32_t* sums,
                                                             int32_t units) {
  const int32_t left = q->input.shift > 0 ? q->input.shift : 0;
  const int8_t *w = q->input_weights, *v = q->recurrent_weights, *in1 = in + 16 * last,
               *hidden1 = hidden + units * last;
  const int8x16_t h0 = vldrbq_s8(hidden), h1 = vldrbq_s8(hidden1);
  const int32_t second = units == 24 ? 0 : 16; /* the second sixteen, of 32 and of 40 units */
  const int8x16_t i0 = vldrbq_s8(hidden + second), i1 = vldrbq_s8(hidden1 + second);
  const int16x8_t t0 = vldrbq_s16(hidden + units - 8),
                  t1 = vldrbq_s16(hidden1 + units - 8); /* the last eight, of 24 and of 40 */
  for (int32_t eights = units / 8; eights > 0; --eights, sums += 28) {
    for (int32_t pair = 0; pair < 4; ++pair, ++sums, w += 32, v += 2 * units) {
#pragma GCC unroll 2
      for (int32_t odd = 0; odd < 2; ++odd) {
        int8x16_t a = vldrbq_s8(w + 16 * odd);
        sums[4 * odd] = (int32_t)((uint32_t)vmladavq_s8(vldrbq_s8(in), a) << left);
        sums[4 * odd + 8] = (int32_t)((uint32_t)vmladavq_s8(vldrbq_s8(in1), a) << left);
        a = vldrbq_s8(v + odd * units);
        int32_t y0 = vmladavq_s8(h0, a), y1 = vmladavq_s8(h1, a);
        if (units != 24) {
          a = vldrbq_s8(v + odd * units + 16);
          y0 = vmladavaq_s8(y0, i0, a), y1 = vmladavaq_s8(y1, i1, a);
        }
        if (units != 32) {
          const int16x8_t b = vldrbq_s16(v + odd * units + units - 8);
          y0 = vmladavaq_s16(y0, t0, b), y1 = vmladavaq_s16(y1, t1, b);
        }
        sums[4 * odd + 16] = y0, sums[4 * odd + 24] = y1;
      }
    }
  }
}
static __attribute__((noinline)) void gc_sums_24(const gc_lstm_gate* q, const int8_t* in,
                                                 const int8_t* hidden, int32_t last,
                                                 int32_t* sums) {
  gc_sums_16(q, in, hidden, last, sums, 24);
}
static __attribute__((noinline)) void gc_sums_16x32(const gc_lstm_gate* q, const int8_t* in,
                                                    const int8_t* hidden, int32_t last,
                                                    int32_t* sums) {
  gc_sums_16(q, in, hidden, last, sums, 32);
}
static __attribute__((noinline)) void gc_sums_40(const gc_lstm_gate* q, const int8_t* in,
                                                 const int8_t* hidden, int32_t last,
                                                 int32_t* sums) {
  gc_sums_16(q, in, hidden, last, sums, 40);
}

/* gc_gate_sums_generic for 8 inputs and 32 units. Both rows stay in registers. Two units whose sums
   are adjacent are two rows of weights apart, which is 16 bytes at w and 64 at v. */
static inline __attribute__((always_inline)) void gc_sums_32(const gc_lstm_gate* q,
                                                             const int8_t* in, const int8_t* hidden,
                                                             int32_t left, int32_t* sums) {
  const int8_t *w = q->input_weights, *v = q->recurrent_weights;
  const int16x8_t x0 = vshlq_r_s16(vldrbq_s16(in), left),
                  x1 = vshlq_r_s16(vldrbq_s16(in + 8), left);
  const int8x16_t h0 = vldrbq_s8(hidden), i0 = vldrbq_s8(hidden + 16), h1 = vldrbq_s8(hidden + 32),
                  i1 = vldrbq_s8(hidden + 48);
  int8x16_t a, b;
#define GC_TWO_UNITS(w0, w1, v0, v1, v2, v3, to) \
  "vldrb.s16 %q[a], " w0                         \
  "\n\t"                                         \
  "vmladav.s16 r4, %q[x0], %q[a]\n\t"            \
  "vldrb.s16 %q[b], " w1                         \
  "\n\t"                                         \
  "vmladav.s16 r8, %q[x1], %q[a]\n\t"            \
  "vmladav.s16 r6, %q[x0], %q[b]\n\t"            \
  "vldrb.8 %q[a], " v0                           \
  "\n\t"                                         \
  "vmladav.s16 r10, %q[x1], %q[b]\n\t"           \
  "strd r4, r6, [%[sums], #" #to                 \
  "]\n\t"                                        \
  "strd r8, r10, [%[sums], #" #to                \
  " + 32]\n\t"                                   \
  "vmladav.s8 r4, %q[h0], %q[a]\n\t"             \
  "vldrb.8 %q[b], " v1                           \
  "\n\t"                                         \
  "vmladav.s8 r8, %q[h1], %q[a]\n\t"             \
  "vmladava.s8 r4, %q[i0], %q[b]\n\t"            \
  "vldrb.8 %q[a], " v2                           \
  "\n\t"                                         \
  "vmladava.s8 r8, %q[i1], %q[b]\n\t"            \
  "vmladav.s8 r6, %q[h0], %q[a]\n\t"             \
  "vldrb.8 %q[b], " v3                           \
  "\n\t"                                         \
  "vmladav.s8 r10, %q[h1], %q[a]\n\t"            \
  "vmladava.s8 r6, %q[i0], %q[b]\n\t"            \
  "vmladava.s8 r10, %q[i1], %q[b]\n\t"           \
  "strd r4, r6, [%[sums], #" #to                 \
  " + 64]\n\t"                                   \
  "strd r8, r10, [%[sums], #" #to " + 96]\n\t"
#define GC_FOUR_UNITS(to)                                                                     \
  GC_TWO_UNITS("[%[w]], #16", "[%[w]], #16", "[%[v]], #64", "[%[v], #-48]", "[%[v]], #64",    \
               "[%[v], #-48]", to)                                                            \
  GC_TWO_UNITS("[%[w], #-24]", "[%[w], #-8]", "[%[v], #-96]", "[%[v], #-80]", "[%[v], #-32]", \
               "[%[v], #-16]", to + 16)
  __asm__ volatile(
      "mov lr, #4\n\t"
      "dls lr, lr\n\t"
      "0:\n\t" GC_FOUR_UNITS(0) GC_FOUR_UNITS(8)
      "adds %[sums], #128\n\t"
      "le lr, 0b"
      : [w] "+l"(w), [v] "+r"(v), [sums] "+r"(sums), [a] "=&w"(a), [b] "=&w"(b)
      : [x0] "w"(x0), [x1] "w"(x1), [h0] "w"(h0), [i0] "w"(i0), [h1] "w"(h1), [i1] "w"(i1)
      : "r4", "r6", "r8", "r10", "lr", "cc", "memory");
}

/* A curve, and the factors of |x| that give the index of its point and the fraction of the way to
   the next one. The empty asm keeps them in registers; otherwise the compiler would build them
   again for every vector. */
typedef struct {
  const void* values;    /* gc_tanh_value or gc_logistic_value */
  const uint16_t* steps; /* gc_tanh_step */
  int16_t point, rest;
} gc_curve;

static inline gc_curve gc_curve_of(const void* values, int32_t factor) {
  gc_curve c = {values, gc_tanh_step, (int16_t)factor, (int16_t)(2 * factor)};
  __asm__("" : "+r"(c.values), "+r"(c.steps), "+r"(c.point), "+r"(c.rest));
  return c;
}

static inline gc_curve gc_tanh_curve(int32_t factor) {
  return gc_curve_of(gc_tanh_value, factor << 7);
}
static inline gc_curve gc_logistic_curve(void) { return gc_curve_of(gc_logistic_value, 3 << 6); }

/* Returns gc_tanh16(factor * x) in each lane, for a factor of 1 .. 127, or of 3 where x is a gate,
   because gates end where the curve does. On the positive half of the curve, the whole part of
   factor * |x| / 2^8 is the index of the point. The rest, as a fraction of 2^16, is the way to the
   next point. Rounding the product rounds the sum. */
static inline int16x8_t gc_tanh_lanes(const gc_curve* c, int16x8_t x, int gate) {
  const int16x8_t a = vqabsq_s16(x); /* -32768 saturates to 32767, where the curve is flat */
  uint16x8_t k = vreinterpretq_u16_s16(vqdmulhq_n_s16(a, c->point));
  if (!gate) k = vminq_u16(k, vdupq_n_u16(383));
  const uint16x8_t u = vreinterpretq_u16_s16(vmulq_n_s16(a, c->rest));
  int16x8_t y =
      vreinterpretq_s16_u16(vrmulhq_u16(vldrhq_gather_shifted_offset_u16(c->steps, k), u));
  y = vaddq_s16(vldrhq_gather_shifted_offset_s16(c->values, k), y);
  __asm__("vpt.s16 lt, %q1, zr\n\tvnegt.s16 %q0, %q0" : "+w"(y) : "w"(x) : "p0");
  return y;
}

/* Returns gc_logistic16(3 * x) in the same way: the product is truncated, and half of its sum with
   the value is rounded. Where x is negative, the result is `one`, 2^15, minus that of -x. */
static inline int16x8_t gc_logistic_lanes(const gc_curve* c, int16x8_t x, uint16x8_t one) {
  const int16x8_t a = vqabsq_s16(x);
  const uint16x8_t k = vreinterpretq_u16_s16(vqdmulhq_n_s16(a, c->point));
  const uint16x8_t u = vreinterpretq_u16_s16(vmulq_n_s16(a, c->rest));
  uint16x8_t y = vmulhq_u16(vldrhq_gather_shifted_offset_u16(c->steps, k), u);
  y = vrhaddq_u16(vldrhq_gather_shifted_offset_u16(c->values, k), y);
  __asm__("vpt.s16 lt, %q1, zr\n\tvsubt.i16 %q0, %q2, %q0" : "+w"(y) : "w"(x), "w"(one) : "p0");
  return vreinterpretq_s16_u16(y);
}

/* Advances a pointer. The empty asm makes the compiler use the post-increment of the load or store
   before it instead of another instruction. */
#define GC_NEXT(pointer, count)  \
  do {                           \
    pointer += (count);          \
    __asm__("" : "+r"(pointer)); \
  } while (0)

/* Returns the next eight sums plus their biases, in units of 1 / 4096. */
static inline int16x8_t gc_part_lanes(const int32_t** sums, int32x4_t even, int32x4_t odd,
                                      int32_t multiplier, int32_t shift) {
  even = gc_rescale_all(vaddq_s32(even, vldrwq_s32(*sums)), multiplier, shift);
  GC_NEXT(*sums, 4);
  odd = gc_rescale_all(vaddq_s32(odd, vldrwq_s32(*sums)), multiplier, shift);
  GC_NEXT(*sums, 4);
  return gc_narrow(even, odd);
}

/* Activates the sums of one gate: gc_tanh16(3 * x) or gc_logistic16(3 * x). sums as in
   gc_gate_sums_generic; gates, a view of (units / 8, 2 rows, 4 gates, 8 units) at this gate. On the
   fast path, inputs are not shifted to the right, and the hidden state is. */
static inline __attribute__((always_inline)) void gc_activate_helium(const gc_lstm_gate* q,
                                                                     const int32_t* sums,
                                                                     int32_t units, int16_t* gates,
                                                                     int tanh, int fast_path) {
  const int32_t x_multiplier = q->input.multiplier,
                x_left = fast_path || q->input.shift > 0 ? q->input.shift : 0;
  const int32_t h_multiplier = q->recurrent.multiplier, h_shift = q->recurrent.shift,
                x_right = fast_path ? 0 : q->input.shift - x_left;
  if (fast_path && h_shift >= 0) __builtin_unreachable();
  const int32_t *x_bias = q->input_bias, *h_bias = q->recurrent_bias;
  const gc_curve curve = tanh ? gc_tanh_curve(3) : gc_logistic_curve();
  const uint16x8_t one = vdupq_n_u16(32768);
  for (uint32_t n = (uint32_t)units / 8; n > 0; --n, h_bias += 8) {
    /* Even and odd elements in named registers. If the shift were apart from the load, the compiler
       would copy them first. */
    register int32x4_t even __asm__("q6"), odd __asm__("q7");
    __asm__(
        "vld20.32 {%q0, %q1}, [%2]\n\t"
        "vld21.32 {%q0, %q1}, [%2]!\n\t"
        "vshl.s32 %q0, %3\n\t"
        "vshl.s32 %q1, %3"
        : "=w"(even), "=w"(odd), "+r"(x_bias)
        : "r"(x_left), "m"(*(const int32_t (*)[8])x_bias));
    int16x8_t x0 = gc_part_lanes(&sums, even, odd, x_multiplier, x_right);
    int16x8_t x1 = gc_part_lanes(&sums, even, odd, x_multiplier, x_right);
    const int32x4x2_t bias = vld2q_s32(h_bias);
    x0 = vqaddq_s16(x0, gc_part_lanes(&sums, bias.val[0], bias.val[1], h_multiplier, h_shift));
    x1 = vqaddq_s16(x1, gc_part_lanes(&sums, bias.val[0], bias.val[1], h_multiplier, h_shift));
    vstrhq_s16(gates, tanh ? gc_tanh_lanes(&curve, x0, 1) : gc_logistic_lanes(&curve, x0, one));
    GC_NEXT(gates, 32);
    vstrhq_s16(gates, tanh ? gc_tanh_lanes(&curve, x1, 1) : gc_logistic_lanes(&curve, x1, one));
    GC_NEXT(gates, 32);
  }
}

/* gc_tanh16 in four lanes. */
static inline int32x4_t gc_tanh_four(int32x4_t x) {
  const int32x4_t a = vminq_s32(vabsq_s32(x), vdupq_n_s32(383 << 8));
  const uint32x4_t k = vreinterpretq_u32_s32(vshrq_n_s32(a, 8));
  const int32x4_t step = vreinterpretq_s32_u32(vldrhq_gather_shifted_offset_u32(gc_tanh_step, k));
  const int32x4_t y = vaddq_s32(vldrhq_gather_shifted_offset_s32(gc_tanh_value, k),
                                vrshrq_n_s32(vmulq_s32(step, vandq_s32(a, vdupq_n_s32(255))), 8));
  const int32x4_t sign = vshrq_n_s32(x, 31);
  return vsubq_s32(veorq_s32(y, sign), sign);
}

/* Updates the cells, cell (units), and computes the outputs, outputs (units), of one row of the
   batch. gates, a view of (units / 8, 2 rows, 4 gates, 8 units) at this row. On the fast path,
   everything is shifted to the right, tanh takes a multiple of the cell, and the cell is not
   clipped. wide: outputs are int16. */
static inline __attribute__((always_inline)) void gc_cells_of(const gc_lstm* p,
                                                              const int16_t* gates, int16_t* cell,
                                                              void* outputs, int fast_path,
                                                              int wide) {
  int8_t* out = outputs; /* or int16_t, if wide */
  const int32_t multiplier = p->update.multiplier, shift = p->update.shift,
                half = fast_path ? multiplier : 1 << 30, clip = p->cell_clip;
  const int32_t hidden_multiplier = p->hidden.multiplier, hidden_shift = p->hidden.shift,
                zero_point = p->zero_point;
  const int32_t factor = p->tanh_multiplier, right = p->tanh_shift,
                round = right > 0 ? 1 << (right - 1) : 0;
  if (fast_path && (shift >= 0 || hidden_shift >= 0)) __builtin_unreachable();
  const gc_curve curve = gc_tanh_curve(factor);
  for (uint32_t n = (uint32_t)p->units / 8; n > 0; --n) {
    const int16x8_t input = vldrhq_s16(gates);
    GC_NEXT(gates, 8);
    const int16x8_t forget = vldrhq_s16(gates), before = vldrhq_s16(cell);
    GC_NEXT(gates, 8);
    /* Half of the product, ties up. Where it is negative, minus the 1 that the second rounding
       subtracts. */
    int32x4_t even = vmullbq_int_s16(forget, before), odd = vmulltq_int_s16(forget, before);
    even = vqrdmlahq_n_s32(vshrq_n_s32(even, 31), even, half),
    odd = vqrdmlahq_n_s32(vshrq_n_s32(odd, 31), odd, half);
    int16x8_t c = vqrshrntq_n_s32(vqrshrnbq_n_s32(before, even, 14), odd, 14);
    const int16x8_t fresh = vldrhq_s16(gates);
    GC_NEXT(gates, 8);
    even = gc_rescale_all(vmullbq_int_s16(input, fresh), multiplier, shift);
    odd = gc_rescale_all(vmulltq_int_s16(input, fresh), multiplier, shift);
    c = vqaddq_s16(c, gc_narrow(even, odd));
    if (!fast_path && clip > 0)
      c = vminq_s16(vmaxq_s16(c, vdupq_n_s16((int16_t)-clip)), vdupq_n_s16((int16_t)clip));
    vstrhq_s16(cell, c);
    GC_NEXT(cell, 8);

    if (fast_path) {
      c = gc_tanh_lanes(&curve, c, 0);
    } else {
      even = gc_tanh_four(
          vshlq_r_s32(vaddq_n_s32(vmulq_n_s32(vmovlbq_s16(c), factor), round), -right));
      odd = gc_tanh_four(
          vshlq_r_s32(vaddq_n_s32(vmulq_n_s32(vmovltq_s16(c), factor), round), -right));
      c = gc_narrow(even, odd);
    }
    const int16x8_t output = vldrhq_s16(gates);
    GC_NEXT(gates, 40);
    even = gc_rescale_all(vmullbq_int_s16(c, output), hidden_multiplier, hidden_shift);
    odd = gc_rescale_all(vmulltq_int_s16(c, output), hidden_multiplier, hidden_shift);
    if (wide) {
      vstrhq_s16((int16_t*)(void*)out, gc_narrow(even, odd));
      GC_NEXT(out, 16);
    } else {
      vstrbq_s16(out, gc_narrow_bytes(vqaddq_n_s16(gc_narrow(even, odd), (int16_t)zero_point)));
      GC_NEXT(out, 8);
    }
  }
}

/* One gate of two rows of the batch with 8 inputs, 32 units and the scales of the fast path. */
static __attribute__((noinline)) void gc_logistic_32(const gc_lstm_gate* q, const int8_t* in,
                                                     const int8_t* hidden, int32_t* sums,
                                                     int16_t* gates) {
  gc_sums_32(q, in, hidden, q->input.shift, sums);
  gc_activate_helium(q, sums, 32, gates, 0, 1);
}
static __attribute__((noinline)) void gc_tanh_32(const gc_lstm_gate* q, const int8_t* in,
                                                 const int8_t* hidden, int32_t* sums,
                                                 int16_t* gates) {
  gc_sums_32(q, in, hidden, q->input.shift, sums);
  gc_activate_helium(q, sums, 32, gates, 1, 1);
}

/* gc_gate_sums_generic for one row of 8 inputs and 8 units; it writes only the sums of the first of
   two rows. */
static inline void gc_sums_8(const gc_lstm_gate* q, const int8_t* in, const int8_t* hidden,
                             int32_t left, int32_t* sums) {
  const int8_t *w = q->input_weights, *v = q->recurrent_weights;
  const int16x8_t x = vshlq_r_s16(vldrbq_s16(in), left), h = vldrbq_s16(hidden);
#pragma GCC unroll 8
  for (int32_t u = 0; u < 8; ++u) {
    sums[u % 2 * 4 + u / 2] = vmladavq_s16(x, vldrbq_s16(w + 8 * u));
    sums[u % 2 * 4 + u / 2 + 16] = vmladavq_s16(h, vldrbq_s16(v + 8 * u));
  }
}

/* One gate of two rows of the batch with any shape and scales; where `last` is 0, of one row. */
static __attribute__((noinline)) void gc_gate_generic(const gc_lstm* p, const gc_lstm_gate* q,
                                                      const int8_t* in, const int8_t* hidden,
                                                      int32_t last, int32_t* sums, int16_t* gates,
                                                      int tanh) {
  const int32_t left = q->input.shift > 0 ? q->input.shift : 0;
  const int few = p->inputs == 8 && left <= 8;
  if (few && p->units == 32 && last == 1) {
    gc_sums_32(q, in, hidden, left, sums);
  } else if (few && p->units == 8 && last == 0) {
    gc_sums_8(q, in, hidden, left, sums);
  } else if (p->inputs == 16 && p->units == 24) {
    gc_sums_24(q, in, hidden, last, sums);
  } else if (p->inputs == 16 && p->units == 32) {
    gc_sums_16x32(q, in, hidden, last, sums);
  } else if (p->inputs == 16 && p->units == 40) {
    gc_sums_40(q, in, hidden, last, sums);
  } else {
    gc_gate_sums_generic(p, q, in, hidden, last, sums);
  }
  if (tanh) {
    gc_activate_helium(q, sums, p->units, gates, 1, 0);
  } else {
    gc_activate_helium(q, sums, p->units, gates, 0, 0);
  }
}

static __attribute__((noinline)) void gc_cells_fast_path(const gc_lstm* p, const int16_t* gates,
                                                         int16_t* cell, int8_t* out) {
  gc_cells_of(p, gates, cell, out, 1, 0);
}
static __attribute__((noinline)) void gc_cells_generic(const gc_lstm* p, const int16_t* gates,
                                                       int16_t* cell, int8_t* out) {
  gc_cells_of(p, gates, cell, out, 0, 0);
}

/* Returns whether the scales allow the fast path of gc_cells_of. */
static int gc_cells_have_fast_path(const gc_lstm* p) {
  return p->update.multiplier == 1 << 30 && p->update.shift < 0 && p->hidden.shift < 0 &&
         p->cell_clip == 0 && p->tanh_shift == 0 && p->tanh_multiplier < 128;
}

static void gc_lstm_helium(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                           int8_t* out, void* scratch) {
  const int32_t inputs = p->inputs, units = p->units;
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int fast_path[4];
  for (int32_t g = 0; g < 4; ++g) {
    const int32_t x_shift = all[g]->input.shift, h_shift = all[g]->recurrent.shift;
    fast_path[g] = inputs == 8 && units == 32 && x_shift >= 0 && x_shift <= 8 && h_shift < 0;
  }
  const int cells_fast_path = gc_cells_have_fast_path(p);
  int32_t* sums = scratch; /* (units / 8, input or recurrent, 2 rows, 8 units) of one gate */
  int16_t* gates = (int16_t*)(sums + 4 * units); /* (units / 8, 2 rows, 4 gates, 8 units) */
  const int8_t* h = hidden;
  int8_t* y = out;
  for (int32_t left = p->batch; left > 0; left -= 2, in += 2 * inputs, h += 2 * units) {
#pragma GCC unroll 4
    for (int32_t g = 0; g < 4; ++g) {
      if (!fast_path[g] || left == 1) {
        gc_gate_generic(p, all[g], in, h, left > 1, sums, gates + 8 * g, g == 2);
      } else if (g == 2) {
        gc_tanh_32(all[g], in, h, sums, gates + 8 * g);
      } else {
        gc_logistic_32(all[g], in, h, sums, gates + 8 * g);
      }
    }
    for (int32_t row = 0; row < 2 && row < left; ++row, cell += units, y += units) {
      if (cells_fast_path) {
        gc_cells_fast_path(p, gates + 32 * row, cell, y);
      } else {
        gc_cells_generic(p, gates + 32 * row, cell, y);
      }
    }
  }
  gc_copy_bytes(hidden, out, p->batch * units);
}

#endif

void gc_lstm_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out,
                void* scratch) {
#ifdef GC_DSP
  const int usable = gc_lstm_usable(p);
  if (usable && p->batch == 1 && p->inputs % 4 == 0 && p->units % 4 == 0) {
    gc_lstm_row(p, in, hidden, cell, out, scratch);
    return;
  }
#endif
  for (int32_t t = 0; t < p->steps; ++t, in += p->batch * p->inputs, out += p->batch * p->units) {
#ifdef GC_DSP
    if (usable) {
      gc_lstm_fast(p, in, hidden, cell, out, scratch);
      continue;
    }
#endif
#ifdef GC_HELIUM
    if (p->units % 8 == 0) {
      gc_lstm_helium(p, in, hidden, cell, out, scratch);
      continue;
    }
#endif
    (void)scratch;
    gc_lstm_portable(p, in, hidden, cell, out);
  }
}

#ifdef GC_DSP

static __attribute__((noinline)) void gc_activate_tanh16(const gc_lstm_gate* q, const int32_t* sums,
                                                         int32_t pairs, int16_t* gate) {
  gc_activate(q, sums, pairs, gate, 1, 1, -1 - q->input.shift, -1 - q->recurrent.shift);
}
static __attribute__((noinline)) void gc_activate_logistic16(const gc_lstm_gate* q,
                                                             const int32_t* sums, int32_t pairs,
                                                             int16_t* gate) {
  gc_activate(q, sums, pairs, gate, 0, 1, -1 - q->input.shift, -1 - q->recurrent.shift);
}

/* gc_update_outputs for int16 outputs. */
static __attribute__((noinline)) void gc_update_outputs16(const gc_lstm* p,
                                                          const int16_t* output_gate,
                                                          const int16_t* cell, int16_t* out) {
  const uint32_t doubled = gc_doubled(p->hidden.multiplier);
  const int32_t right = -p->hidden.shift, units = p->units;
  const int32_t multiplier = p->tanh_multiplier, shift = p->tanh_shift,
                round = shift > 0 ? 1 << (shift - 1) : 0;
  gc_curve curve = gc_tanh_curve();
  for (const int16_t* end = output_gate + 8 * p->batch; output_gate != end;
       output_gate += 8, cell += units, out += units) {
    const int32_t y = gc_tanh16_fast(&curve, (*cell * multiplier + round) >> shift);
    *out = (int16_t)__ssat(gc_rescale_fast(y * *output_gate, doubled, right, 0), 16);
  }
}

/* gc_lstm_fast for int16: the rows are halfwords already, and the sums are not doubled. */
static void gc_lstm16_fast(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                           int16_t* out, void* scratch) {
  const int32_t pairs = (p->batch + 1) / 2, x_eights = (p->inputs + 7) / 8,
                h_eights = (p->units + 7) / 8, eights = x_eights + h_eights;
  uint64_t* rows =
      scratch; /* (pairs, 4 * eights): inputs and hidden state of two rows of the batch */
  uint64_t* w = rows + pairs * 4 * eights;       /* (4 * eights): the weights of two units */
  int32_t* sums = (int32_t*)(w + 4 * eights);    /* (pairs, input or recurrent, 2 rows, 2 units) */
  int16_t* gates = (int16_t*)(sums + 8 * pairs); /* (2 * pairs, 2 units, 4 gates) */
  for (int32_t i = 0; i < pairs; ++i) {
    const int32_t a = 2 * i, b = a + 1 < p->batch ? a + 1 : a;
    gc_interleave_halves(in + a * p->inputs, in + b * p->inputs, p->inputs,
                         (int16x2_t*)(rows + i * 4 * eights));
    gc_interleave_halves(hidden + a * p->units, hidden + b * p->units, p->units,
                         (int16x2_t*)(rows + i * 4 * eights + 4 * x_eights));
  }
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  for (int32_t u = 0; u < p->units; u += 2) {
    const int32_t v = u + 1 < p->units ? u + 1 : u;
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      gc_interleave(q->input_weights + u * p->inputs, q->input_weights + v * p->inputs, p->inputs,
                    0, (int16x2_t*)w);
      gc_interleave(q->recurrent_weights + u * p->units, q->recurrent_weights + v * p->units,
                    p->units, 0, (int16x2_t*)(w + 4 * x_eights));
      const int32_t biases[4] = {q->input_bias[u], q->input_bias[v], 0, 0};
      gc_sums(w, rows, x_eights, h_eights, pairs, biases, sums);
      if (g == 2) {
        gc_activate_tanh16(q, sums, pairs, gates + g);
      } else {
        gc_activate_logistic16(q, sums, pairs, gates + g);
      }
    }
    for (int32_t i = u; i <= v; ++i) {
      gc_update_cells(p, (const int32_t*)gates + 2 * (i - u), cell + i);
      gc_update_outputs16(p, gates + 4 * (i - u) + 3, cell + i, out + i);
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * p->units) * sizeof(int16_t));
}

#endif

#ifdef GC_HELIUM

/* Adds the products of one row of weights, w (n), and two rows of int16 values, a and b (n), to the
   two sums. */
static inline void gc_dot_two16(const int8_t* w, const int16_t* a, const int16_t* b, int32_t n,
                                int32_t* sum_a, int32_t* sum_b) {
  int32_t s0 = *sum_a, s1 = *sum_b;
  int16x8_t x, y;
  __asm__(
      "dlstp.16 lr, %[n]\n\t"
      "0:\n\t"
      "vldrb.s16 %q[x], [%[w]], #8\n\t"
      "vldrh.16 %q[y], [%[a]], #16\n\t"
      "vmladava.s16 %[s0], %q[x], %q[y]\n\t"
      "vldrh.16 %q[y], [%[b]], #16\n\t"
      "vmladava.s16 %[s1], %q[x], %q[y]\n\t"
      "letp lr, 0b"
      : [w] "+l"(w), [a] "+r"(a), [b] "+r"(b), [s0] "+Te"(s0), [s1] "+Te"(s1), [x] "=&w"(x),
        [y] "=&w"(y)
      : [n] "r"(n)
      : "lr", "memory");
  *sum_a = s0, *sum_b = s1;
}

/* Returns the next eight sums, in units of 1 / 4096. */
static inline int16x8_t gc_part_lanes16(const int32_t** sums, const gc_scale* s) {
  const int32x4_t even = vrshlq_n_s32(vqdmulhq_n_s32(vldrwq_s32(*sums), s->multiplier), s->shift);
  GC_NEXT(*sums, 4);
  const int32x4_t odd = vrshlq_n_s32(vqdmulhq_n_s32(vldrwq_s32(*sums), s->multiplier), s->shift);
  GC_NEXT(*sums, 4);
  return gc_narrow(even, odd);
}

/* One gate of two rows of the batch; where `last` is 0, of one row twice. sums and gates as in
   gc_gate_sums_generic and gc_activate_helium; the sums include the biases. */
static __attribute__((noinline)) void gc_gate_two16(const gc_lstm* p, const gc_lstm_gate* q,
                                                    const int16_t* in, const int16_t* hidden,
                                                    int32_t last, int32_t* sums, int16_t* gates,
                                                    int tanh) {
  const int32_t inputs = p->inputs, units = p->units;
  const int8_t *w = q->input_weights, *v = q->recurrent_weights;
  for (int32_t u = 0; u < units; ++u, w += inputs, v += units) {
    int32_t* at = sums + u / 8 * 32 + u % 2 * 4 + u % 8 / 2;
    at[0] = at[8] = q->input_bias[u];
    at[16] = at[24] = 0;
    gc_dot_two16(w, in, in + last * inputs, inputs, at, at + 8);
    gc_dot_two16(v, hidden, hidden + last * units, units, at + 16, at + 24);
  }
  const gc_curve curve = tanh ? gc_tanh_curve(3) : gc_logistic_curve();
  const uint16x8_t one = vdupq_n_u16(32768);
  const int32_t* at = sums;
  for (uint32_t n = (uint32_t)units / 8; n > 0; --n) {
    int16x8_t x0 = gc_part_lanes16(&at, &q->input), x1 = gc_part_lanes16(&at, &q->input);
    x0 = vqaddq_s16(x0, gc_part_lanes16(&at, &q->recurrent));
    x1 = vqaddq_s16(x1, gc_part_lanes16(&at, &q->recurrent));
    vstrhq_s16(gates, tanh ? gc_tanh_lanes(&curve, x0, 1) : gc_logistic_lanes(&curve, x0, one));
    GC_NEXT(gates, 32);
    vstrhq_s16(gates, tanh ? gc_tanh_lanes(&curve, x1, 1) : gc_logistic_lanes(&curve, x1, one));
    GC_NEXT(gates, 32);
  }
}

static __attribute__((noinline)) void gc_cells16_fast_path(const gc_lstm* p, const int16_t* gates,
                                                           int16_t* cell, int16_t* out) {
  gc_cells_of(p, gates, cell, out, 1, 1);
}
static __attribute__((noinline)) void gc_cells16_generic(const gc_lstm* p, const int16_t* gates,
                                                         int16_t* cell, int16_t* out) {
  gc_cells_of(p, gates, cell, out, 0, 1);
}

static void gc_lstm16_helium(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                             int16_t* out, void* scratch) {
  const int32_t inputs = p->inputs, units = p->units;
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  const int fast_path = gc_cells_have_fast_path(p);
  int32_t* sums = scratch; /* (units / 8, input or recurrent, 2 rows, 8 units) of one gate */
  int16_t* gates = (int16_t*)(sums + 4 * units); /* (units / 8, 2 rows, 4 gates, 8 units) */
  const int16_t* h = hidden;
  int16_t* y = out;
  for (int32_t left = p->batch; left > 0; left -= 2, in += 2 * inputs, h += 2 * units) {
    for (int32_t g = 0; g < 4; ++g)
      gc_gate_two16(p, all[g], in, h, left > 1, sums, gates + 8 * g, g == 2);
    for (int32_t row = 0; row < 2 && row < left; ++row, cell += units, y += units) {
      if (fast_path) {
        gc_cells16_fast_path(p, gates + 32 * row, cell, y);
      } else {
        gc_cells16_generic(p, gates + 32 * row, cell, y);
      }
    }
  }
  gc_copy_bytes((int8_t*)hidden, (const int8_t*)out, 2 * p->batch * units);
}

#endif

void gc_lstm_s16(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell, int16_t* out,
                 void* scratch) {
#ifdef GC_DSP
  const int dsp = gc_lstm16_usable(p);
#endif
#ifdef GC_HELIUM
  const int helium = p->units % 8 == 0 && gc_lstm16_usable(p);
#endif
  for (int32_t t = 0; t < p->steps; ++t, in += p->batch * p->inputs, out += p->batch * p->units) {
#ifdef GC_DSP
    if (dsp) {
      gc_lstm16_fast(p, in, hidden, cell, out, scratch);
      continue;
    }
#endif
#ifdef GC_HELIUM
    if (helium) {
      gc_lstm16_helium(p, in, hidden, cell, out, scratch);
      continue;
    }
#endif
    (void)scratch;
    gc_lstm16_portable(p, in, hidden, cell, out);
  }
}

/* LOGISTIC and TANH of int16 are in this file because the table is. */
static inline int32_t gc_argument(const gc_logistic* p, int32_t x) {
  return (x * p->multiplier + (1 << p->shift >> 1)) >> p->shift;
}

void gc_logistic_s16(const gc_logistic* p, const int16_t* in, int16_t* out) {
  /* the end of the curve, where it reaches 0 and 1, which TFLM does not */
  const int32_t end = 255 << 9;
  for (int32_t i = 0; i < p->count; ++i) {
    out[i] = (int16_t)gc_clamp(gc_logistic16(gc_clamp(gc_argument(p, in[i]), -end, end)), 1, 32767);
  }
}

void gc_tanh_s16(const gc_tanh* p, const int16_t* in, int16_t* out) {
  for (int32_t i = 0; i < p->count; ++i) out[i] = (int16_t)gc_tanh16(gc_argument(p, in[i]));
}
