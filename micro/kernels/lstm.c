#include <string.h>

#include "micro/kernels/arithmetic.h"
#include "micro/kernels/kernels.h"
#include "micro/kernels/tanh_table.h"

/* tanh and logistic are lines between 512 points of one odd curve, tanh(k / 48) * 2^15. Their argument is in 1 / 12288, so that logistic,
   which is tanh of half of it, moves half as fast between the points. A negative argument rounds as its positive twin does. */
static inline int32_t gc_tanh16(int32_t x) {
  int32_t k = x >> 8;
  k = gc_clamp(k, -256, 255);
  const gc_point* t = gc_tanh_table + 256 + k;
  return (t->value * 256 + t->step * (x & 255) + 128 + (x >> 31)) >> 8;
}

static inline int32_t gc_logistic16(int32_t x) { /* |x| < 255 << 9: gates never reach the end of the curve */
  const gc_point* t = gc_tanh_table + 256 + (x >> 9);
  return (t->value * 512 + t->step * (x & 511) + (1 << 24) + 512 + (x >> 31)) >> 10;
}

static inline int32_t gc_clamp16(int32_t x) { return gc_clamp(x, -32768, 32767); }

/* Before the activation, times 3: the activations' 1 / 12288. */
static inline int32_t gc_gate(const gc_lstm* p, const gc_lstm_gate* g, int32_t unit, const int8_t* in, const int8_t* hidden) {
  const int8_t* w = g->input_weights + unit * p->inputs;
  int32_t x = 0;
  for (int32_t i = 0; i < p->inputs; ++i) x += in[i] * w[i];
  x = gc_clamp16(gc_rescale(gc_plus(x, g->input_bias[unit]), g->input.multiplier, g->input.shift));

  w = g->recurrent_weights + unit * p->units;
  int32_t h = 0;
  for (int32_t i = 0; i < p->units; ++i) h += hidden[i] * w[i];
  h = gc_clamp16(gc_rescale(gc_plus(h, g->recurrent_bias[unit]), g->recurrent.multiplier, g->recurrent.shift));
  return 3 * gc_clamp16(x + h);
}

static void gc_lstm_portable(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out) {
  const int32_t round = p->tanh_shift > 0 ? 1 << (p->tanh_shift - 1) : 0;
  for (int32_t b = 0; b < p->batch; ++b, in += p->inputs) {
    for (int32_t u = 0; u < p->units; ++u) {
      const int32_t i = b * p->units + u;
      const int8_t* h = hidden + b * p->units; /* all units see the hidden state of the step before */
      const int32_t input_gate = gc_logistic16(gc_gate(p, &p->input, u, in, h));
      const int32_t forget_gate = gc_logistic16(gc_gate(p, &p->forget, u, in, h));
      const int32_t cell_gate = gc_tanh16(gc_gate(p, &p->cell, u, in, h));
      const int32_t output_gate = gc_logistic16(gc_gate(p, &p->output, u, in, h));

      /* A gate is in 1 / 32768: times 2^30 * 2^-31 * 2^-14. */
      const int32_t kept = gc_clamp16(gc_rescale(forget_gate * cell[i], 1 << 30, -14));
      const int32_t added = gc_clamp16(gc_rescale(input_gate * cell_gate, p->update.multiplier, p->update.shift));
      int32_t c = gc_clamp16(kept + added);
      if (p->cell_clip > 0) c = gc_clamp(c, -p->cell_clip, p->cell_clip);
      cell[i] = (int16_t)c;

      const int32_t squashed = gc_tanh16((c * p->tanh_multiplier + round) >> p->tanh_shift);
      const int32_t y = gc_rescale(squashed * output_gate, p->hidden.multiplier, p->hidden.shift);
      out[i] = (int8_t)gc_clamp(gc_plus(y, p->zero_point), -128, 127);
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * p->units));
}

#ifdef GC_DSP

/* Up to four bytes, filled up with zeros. */
static inline uint32_t gc_load_some(const int8_t* p, int32_t count) {
  if (count >= 4) return gc_load4(p);
  uint32_t x = 0;
  for (int32_t i = 0; i < count; ++i) x |= (uint32_t)(uint8_t)p[i] << (8 * i);
  return x;
}

/* Two rows of bytes as signed halves, interleaved: of every four bytes first 0 and 2 of both rows, then 1 and 3 of both; filled up with
   zeros to eight bytes. All is shifted to the left, by eight bits at the most. */
static void gc_interleave(const int8_t* a, const int8_t* b, int32_t count, int32_t left, int16x2_t* out) {
  int16x2_t* words = out;
  const int32_t whole = count / 8 * 8;
  int32_t eights = whole / 8, doubled = 0;
#define GC_INTERLEAVE_FOUR(more)          \
  "ldr r6, [%[a]], #4\n\t"                \
  "ldr r8, [%[b]], #4\n\t"                \
  "sxtb16 r4, r6\n\t"                     \
  "sxtb16 r5, r8\n\t"                     \
  "sxtb16 r6, r6, ror #8\n\t"             \
  "sxtb16 r8, r8, ror #8\n\t" more        \
  "stmia %[out]!, {r4, r5, r6, r8}\n\t"
#define GC_INTERLEAVE(more)                                              \
  __asm__ volatile(                                                      \
      "0:\n\t" GC_INTERLEAVE_FOUR(more) GC_INTERLEAVE_FOUR(more)         \
      "subs %[n], #1\n\t"                                                \
      "bne 0b"                                                           \
      : [a] "+r"(a), [b] "+r"(b), [out] "+r"(out), [n] "+r"(eights)      \
      :                                                                  \
      : "r4", "r5", "r6", "r8", "cc", "memory")
  if (eights > 0 && left == 0) {
    GC_INTERLEAVE("");
  } else if (eights > 0) {
    GC_INTERLEAVE("sadd16 r4, r4, r4\n\tsadd16 r5, r5, r5\n\tsadd16 r6, r6, r6\n\tsadd16 r8, r8, r8\n\t");
    doubled = 1;
  }
  if (whole == count && doubled == left) return;
  for (int16x2_t* w = words; w != out; ++w) {
    for (int32_t i = doubled; i < left; ++i) *w = __sadd16(*w, *w);
  }
  for (int32_t i = whole; i < count || i % 8 != 0; i += 4, a += 4, b += 4, out += 4) {
    const uint32_t x = gc_load_some(a, count - i), y = gc_load_some(b, count - i);
    out[0] = gc_even(x), out[1] = gc_even(y), out[2] = gc_odd(x), out[3] = gc_odd(y);
    for (int32_t k = 0; k < 4 * left; ++k) out[k % 4] = __sadd16(out[k % 4], out[k % 4]);
  }
}

/* Two interleaved rows of weights times two interleaved rows of the batch onto sums: both weights for the first row of the batch, then for
   the second. Moves both pointers on. The depth is 8, or n times 8 or 32. */
#define GC_DOT_4                        \
  "ldmia %[w]!, {r4, r5, r6, r8}\n\t"   \
  "ldrd r9, r10, [%[a]], #8\n\t"        \
  "smlad %[s0], r4, r9, %[s0]\n\t"      \
  "smlad %[s1], r5, r9, %[s1]\n\t"      \
  "smlad %[s2], r4, r10, %[s2]\n\t"     \
  "smlad %[s3], r5, r10, %[s3]\n\t"     \
  "ldrd r9, r10, [%[a]], #8\n\t"        \
  "smlad %[s0], r6, r9, %[s0]\n\t"      \
  "smlad %[s1], r8, r9, %[s1]\n\t"      \
  "smlad %[s2], r6, r10, %[s2]\n\t"     \
  "smlad %[s3], r8, r10, %[s3]\n\t"
#define GC_DOT_8 GC_DOT_4 GC_DOT_4
#define GC_DOT_32 GC_DOT_8 GC_DOT_8 GC_DOT_8 GC_DOT_8
#define GC_DEFINE_DOT(name, code)                                                                                                 \
  static inline void name(const uint64_t** weights, const uint64_t** rows, int32_t n, int32_t sums[4]) {                          \
    const uint64_t *w = *weights, *a = *rows;                                                                                     \
    int32_t s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];                                                               \
    __asm__(code                                                                                                                  \
            : [w] "+r"(w), [a] "+r"(a), [n] "+r"(n), [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3)                   \
            :                                                                                                                     \
            : "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");                                                               \
    *weights = w, *rows = a;                                                                                                      \
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;                                                                       \
  }
#define GC_REPEAT(code) "0:\n\t" code "subs %[n], #1\n\tbne 0b"
GC_DEFINE_DOT(gc_dot_8, GC_DOT_8)
GC_DEFINE_DOT(gc_dot_8n, GC_REPEAT(GC_DOT_8))
GC_DEFINE_DOT(gc_dot_32n, GC_REPEAT(GC_DOT_32))

/* Twice what two units of a gate add up. sums: (pairs, inputs or recurrent, 2 rows of the batch, 2 units). */
static inline __attribute__((always_inline)) void gc_sums_of(const uint64_t* weights, const uint64_t* rows, int32_t x_eights, int32_t h_eights,
                                                             int32_t pairs, const int32_t biases[4], int32_t* sums, int usual) {
  const int32_t x_u = biases[0], x_v = biases[1], h_u = biases[2], h_v = biases[3];
  for (const int32_t* end = sums + 8 * pairs; sums != end; sums += 8) {
    const uint64_t* w = weights;
    int32_t x[4] = {x_u, x_v, x_u, x_v};
    if (usual) {
      gc_dot_8(&w, &rows, 0, x);
    } else {
      gc_dot_8n(&w, &rows, x_eights, x);
    }
    sums[0] = x[0], sums[1] = x[1], sums[2] = x[2], sums[3] = x[3];
    int32_t h[4] = {h_u, h_v, h_u, h_v};
    if (usual) {
      gc_dot_32n(&w, &rows, h_eights / 4, h);
    } else {
      gc_dot_8n(&w, &rows, h_eights, h);
    }
    sums[4] = h[0], sums[5] = h[1], sums[6] = h[2], sums[7] = h[3];
  }
}
static __attribute__((noinline)) void gc_sums(const uint64_t* weights, const uint64_t* rows, int32_t x_eights, int32_t h_eights, int32_t pairs,
                                              const int32_t biases[4], int32_t* sums) {
  if (x_eights == 1 && h_eights % 4 == 0) {
    gc_sums_of(weights, rows, x_eights, h_eights, pairs, biases, sums, 1);
  } else {
    gc_sums_of(weights, rows, x_eights, h_eights, pairs, biases, sums, 0);
  }
}

/* For gc_tanh16 and gc_logistic16: what a point and its step are multiplied by is one word, of which only the upper half changes. */
typedef struct {
  const gc_point* middle; /* of the table */
  int32_t word, offset;
} gc_curve;

static inline gc_curve gc_curve_of(int32_t one, int32_t offset) {
  gc_curve c = {gc_tanh_table + 256, one, offset};
  /* Kept in registers: the compiler would put them together again for every value. */
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

/* gc_rescale of half of x. Where nothing is shifted to the right, the doubled product is all. Where something is, both roundings are one:
   half of the divisor, less the 1 of a negative number, goes in before the shift. */
static inline int32_t gc_rescale_twice(int32_t x, int32_t multiplier, int32_t right, int32_t half) {
  int32_t y;
  if (right == 0) {
    __asm__("smmulr %0, %1, %2" : "=r"(y) : "r"(x), "r"(multiplier));
    return y;
  }
  __asm__("smmlar %0, %1, %2, %3" : "=r"(y) : "r"(x), "r"(multiplier), "r"(half));
  return (y + (x >> 31)) >> right;
}

/* Those sums as one of the four gates. gates: (pairs, 2 rows of the batch, 2 units, 4). */
static inline __attribute__((always_inline)) void gc_activate(const gc_lstm_gate* q, const int32_t* sums, int32_t pairs, int16_t* gate,
                                                              int tanh, int32_t x_right, int32_t h_right) {
  const int32_t x_multiplier = q->input.multiplier, h_multiplier = q->recurrent.multiplier;
  const int32_t x_half = 1 << x_right >> 1, h_half = 1 << h_right >> 1;
  gc_curve curve = tanh ? gc_tanh_curve() : gc_logistic_curve();
  for (const int32_t* end = sums + 8 * pairs; sums != end; sums += 8, gate += 16) {
#define GC_ACTIVATE_TWO(i)                                                                                                    \
  do {                                                                                                                        \
    int32_t x0, x1, h0, h1;                                                                                                   \
    __asm__("ldrd %0, %1, [%2, %3]" : "=&r"(x0), "=r"(x1) : "r"(sums), "n"(4 * (i)), "m"(*(const int32_t(*)[8])sums));        \
    __asm__("ldrd %0, %1, [%2, %3]" : "=&r"(h0), "=r"(h1) : "r"(sums), "n"(4 * (i) + 16), "m"(*(const int32_t(*)[8])sums));   \
    x0 = __ssat(gc_rescale_twice(x0, x_multiplier, x_right, x_half), 16);                                                     \
    h0 = __ssat(gc_rescale_twice(h0, h_multiplier, h_right, h_half), 16);                                                     \
    x0 = 3 * __ssat(x0 + h0, 16);                                                                                             \
    gate[4 * (i)] = (int16_t)(tanh ? gc_tanh16_fast(&curve, x0) : gc_logistic16_fast(&curve, x0));                            \
    x1 = __ssat(gc_rescale_twice(x1, x_multiplier, x_right, x_half), 16);                                                     \
    h1 = __ssat(gc_rescale_twice(h1, h_multiplier, h_right, h_half), 16);                                                     \
    x1 = 3 * __ssat(x1 + h1, 16);                                                                                             \
    gate[4 * (i) + 4] = (int16_t)(tanh ? gc_tanh16_fast(&curve, x1) : gc_logistic16_fast(&curve, x1));                        \
  } while (0)
    GC_ACTIVATE_TWO(0);
    GC_ACTIVATE_TWO(2);
  }
}
static __attribute__((noinline)) void gc_activate_tanh(const gc_lstm_gate* q, const int32_t* sums, int32_t pairs, int16_t* gate) {
  const int32_t x_right = gc_right(q->input.shift), h_right = gc_right(q->recurrent.shift);
  if (x_right == 0 && h_right > 0) { /* the usual case */
    gc_activate(q, sums, pairs, gate, 1, 0, h_right);
  } else {
    gc_activate(q, sums, pairs, gate, 1, x_right, h_right);
  }
}
static __attribute__((noinline)) void gc_activate_logistic(const gc_lstm_gate* q, const int32_t* sums, int32_t pairs, int16_t* gate) {
  const int32_t x_right = gc_right(q->input.shift), h_right = gc_right(q->recurrent.shift);
  if (x_right == 0 && h_right > 0) {
    gc_activate(q, sums, pairs, gate, 0, 0, h_right);
  } else {
    gc_activate(q, sums, pairs, gate, 0, x_right, h_right);
  }
}

/* Cells of one unit, for all rows of the batch. gates: (batch, 2 units, 4 gates), of which this unit has every second. */
static __attribute__((noinline)) void gc_update_cells(const gc_lstm* p, const int32_t* gates, int16_t* cell) {
  const uint32_t doubled = gc_doubled(p->update.multiplier);
  const int32_t right = -p->update.shift, clip = p->cell_clip, units = p->units;
#pragma GCC unroll 4
  for (int32_t b = p->batch; b > 0; --b, gates += 4, cell += units) {
    const int32_t input_forget = gates[0];
    /* Both roundings of the portable body at once, for this multiplier and shift. */
    const int32_t kept = (input_forget >> 16) * *cell;
    const int32_t added = gc_rescale_fast((int16_t)input_forget * (int16_t)gates[1], doubled, right, 0);
    int32_t c = __ssat(__ssat((kept + 16384 + (kept >> 31 | 1)) >> 15, 16) + __ssat(added, 16), 16);
    if (clip > 0) c = gc_clamp(c, -clip, clip);
    *cell = (int16_t)c;
  }
}

/* Then its outputs. output_gate: every eighth. */
static __attribute__((noinline)) void gc_update_outputs(const gc_lstm* p, const int16_t* output_gate, const int16_t* cell, int8_t* out) {
  const uint32_t doubled = gc_doubled(p->hidden.multiplier);
  const int32_t right = -p->hidden.shift, zero_point = p->zero_point, units = p->units;
  const int32_t multiplier = p->tanh_multiplier, shift = p->tanh_shift, round = shift > 0 ? 1 << (shift - 1) : 0;
  gc_curve curve = gc_tanh_curve();
  for (const int16_t* end = output_gate + 8 * p->batch; output_gate != end; output_gate += 8, cell += units, out += units) {
    const int32_t y = gc_tanh16_fast(&curve, (*cell * multiplier + round) >> shift);
    *out = (int8_t)__ssat(gc_rescale_fast(y * *output_gate, doubled, right, zero_point), 8);
  }
}

/* Weights are shifted to the left where sums would be, and doubled: sums must leave room for that. */
static int gc_usable_part(const gc_scale* s, const int32_t* bias, int32_t units, int32_t inputs) {
  if (s->multiplier < 1 << 30 || s->shift > 8 || inputs > 4096) return 0;
  uint32_t bits = 0; /* of all biases: the largest is below twice the highest of them */
#pragma GCC unroll 4
  for (const int32_t* end = bias + units; bias != end; ++bias) bits |= (uint32_t)(*bias ^ *bias >> 31);
  return bits < 1u << (28 - gc_left(s->shift)) && inputs << 14 <= 1 << (29 - gc_left(s->shift));
}

static int gc_lstm_usable(const gc_lstm* p) {
  const gc_lstm_gate* const gates[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int usable = p->update.multiplier != 0 && p->update.shift <= 0 && p->hidden.multiplier != 0 && p->hidden.shift <= 0;
  for (int g = 0; g < 4; ++g) {
    usable = usable && gc_usable_part(&gates[g]->input, gates[g]->input_bias, p->units, p->inputs);
    usable = usable && gc_usable_part(&gates[g]->recurrent, gates[g]->recurrent_bias, p->units, p->units);
  }
  return usable;
}

static void gc_lstm_fast(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out, void* scratch) {
  const int32_t pairs = (p->batch + 1) / 2, x_eights = (p->inputs + 7) / 8, h_eights = (p->units + 7) / 8, eights = x_eights + h_eights;
  uint64_t* rows = scratch;                      /* (pairs, 4 * eights): inputs and hidden state of two rows of the batch */
  uint64_t* w = rows + pairs * 4 * eights;       /* (4 * eights): the weights of two units */
  int32_t* sums = (int32_t*)(w + 4 * eights);    /* (pairs, 2, 2, 2) */
  int16_t* gates = (int16_t*)(sums + 8 * pairs); /* (2 * pairs, 2, 4) */
  for (int32_t i = 0; i < pairs; ++i) {          /* an odd batch has its last row twice, an odd number of units its last one */
    const int32_t a = 2 * i, b = a + 1 < p->batch ? a + 1 : a;
    gc_interleave(in + a * p->inputs, in + b * p->inputs, p->inputs, 1, (int16x2_t*)(rows + i * 4 * eights));
    gc_interleave(hidden + a * p->units, hidden + b * p->units, p->units, 1, (int16x2_t*)(rows + i * 4 * eights + 4 * x_eights));
  }
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  for (int32_t u = 0; u < p->units; u += 2) {
    const int32_t v = u + 1 < p->units ? u + 1 : u;
    for (int32_t g = 0; g < 4; ++g) {
      const gc_lstm_gate* q = all[g];
      const int32_t x_left = gc_left(q->input.shift), h_left = gc_left(q->recurrent.shift);
      gc_interleave(q->input_weights + u * p->inputs, q->input_weights + v * p->inputs, p->inputs, x_left, (int16x2_t*)w);
      gc_interleave(q->recurrent_weights + u * p->units, q->recurrent_weights + v * p->units, p->units, h_left, (int16x2_t*)(w + 4 * x_eights));
      const int32_t biases[4] = {
          q->input_bias[u] * (2 << x_left), q->input_bias[v] * (2 << x_left),
          q->recurrent_bias[u] * (2 << h_left), q->recurrent_bias[v] * (2 << h_left)};
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

#endif

#ifdef GC_HELIUM

static inline int32_t gc_dot_helium(const int8_t* a, const int8_t* b, int32_t n) {
  int32_t s = 0;
  for (; n >= 16; n -= 16, a += 16, b += 16) s = vmladavaq_s8(s, vldrbq_s8(a), vldrbq_s8(b));
  if (n > 0) {
    const mve_pred16_t some = vctp8q((uint32_t)n);
    s = vmladavaq_s8(s, vldrbq_z_s8(a, some), vldrbq_z_s8(b, some));
  }
  return s;
}

static inline void gc_store_two(int32_t* to, int32_t a, int32_t b) {
  __asm__("strd %1, %2, %0" : "=m"(*(int32_t(*)[2])to) : "r"(a), "r"(b));
}

/* What one gate's units add up for two rows of the batch. sums: (2 rows, 4 gates, inputs or recurrent, units), of this gate. */
static __attribute__((noinline)) void gc_sums_helium(const gc_lstm* p, const gc_lstm_gate* q, const int8_t* in[2], const int8_t* hidden[2], int32_t* sums) {
  const int32_t inputs = p->inputs, units = p->units;
  const int8_t *w = q->input_weights, *v = q->recurrent_weights;
  int32_t* other = sums + 8 * units;
  if (inputs == 8 && units == 32) { /* both rows stay in registers */
    const int16x8_t x0 = vldrbq_s16(in[0]), x1 = vldrbq_s16(in[1]);
    const int8x16_t h0 = vldrbq_s8(hidden[0]), i0 = vldrbq_s8(hidden[0] + 16), h1 = vldrbq_s8(hidden[1]), i1 = vldrbq_s8(hidden[1] + 16);
    for (const int32_t* end = sums + 32; sums != end; sums += 2, other += 2, w += 16, v += 64) { /* two units */
      const int16x8_t a = vldrbq_s16(w), b = vldrbq_s16(w + 8);
      int32_t s0 = vmladavq_s16(x0, a), s1 = vmladavq_s16(x0, b), t0 = vmladavq_s16(x1, a), t1 = vmladavq_s16(x1, b);
      gc_store_two(sums, s0, s1);
      gc_store_two(other, t0, t1);
      int8x16_t c = vldrbq_s8(v);
      s0 = vmladavq_s8(h0, c), t0 = vmladavq_s8(h1, c), c = vldrbq_s8(v + 16);
      s0 = vmladavaq_s8(s0, i0, c), t0 = vmladavaq_s8(t0, i1, c), c = vldrbq_s8(v + 32);
      s1 = vmladavq_s8(h0, c), t1 = vmladavq_s8(h1, c), c = vldrbq_s8(v + 48);
      s1 = vmladavaq_s8(s1, i0, c), t1 = vmladavaq_s8(t1, i1, c);
      gc_store_two(sums + 32, s0, s1);
      gc_store_two(other + 32, t0, t1);
    }
    return;
  }
  for (int32_t u = 0; u < units; ++u, w += inputs, v += units) {
    sums[u] = gc_dot_helium(in[0], w, inputs);
    other[u] = gc_dot_helium(in[1], w, inputs);
    sums[units + u] = gc_dot_helium(hidden[0], v, units);
    other[units + u] = gc_dot_helium(hidden[1], v, units);
  }
}

/* Eight sums with their biases, in 1 / 4096. sign says what is known of the shift: -1 below 0, 1 not below 0, 0 nothing. */
static inline __attribute__((always_inline)) int16x8_t gc_part_lanes(const int32_t* sums, const int32_t* bias, int32_t multiplier,
                                                                     int32_t shift, int sign) {
  const int32x4x2_t x = vld2q_s32(sums), b = vld2q_s32(bias); /* even and odd ones */
  int32x4_t even = vaddq_s32(x.val[0], b.val[0]), odd = vaddq_s32(x.val[1], b.val[1]);
  if (sign > 0 || (sign == 0 && shift > 0)) even = vshlq_r_s32(even, shift), odd = vshlq_r_s32(odd, shift);
  even = vqrdmulhq_n_s32(even, multiplier), odd = vqrdmulhq_n_s32(odd, multiplier);
  if (sign < 0 || (sign == 0 && shift < 0)) {
    even = vrshlq_n_s32(vaddq_s32(even, vshrq_n_s32(even, 31)), shift);
    odd = vrshlq_n_s32(vaddq_s32(odd, vshrq_n_s32(odd, 31)), shift);
  }
  return vqmovntq_s32(vqmovnbq_s32(vreinterpretq_s16_s32(even), even), odd);
}

/* The sums of one gate as the gate, gc_tanh16(3 * x) or gc_logistic16(3 * x), in their own place: int16 where their first int32 were. */
static inline __attribute__((always_inline)) void gc_activate_helium(const gc_lstm_gate* q, int32_t* sums, int32_t units, int tanh,
                                                                     int usual) {
  const int32_t x_multiplier = q->input.multiplier, x_shift = q->input.shift;
  const int32_t h_multiplier = q->recurrent.multiplier, h_shift = q->recurrent.shift;
  const int32_t *x_bias = q->input_bias, *h_bias = q->recurrent_bias, *other = sums + units, *end = sums + units;
  const int16_t* table = &gc_tanh_table[0].value;
  int16_t* gate = (int16_t*)(void*)sums;
  const int16x8_t below = vdupq_n_s16(tanh ? 255 : 511), factor = vdupq_n_s16(tanh ? 3 << 8 : 3 << 7);
  for (; sums != end; sums += 8, other += 8, x_bias += 8, h_bias += 8, gate += 8) {
    const int16x8_t x = vqaddq_s16(gc_part_lanes(sums, x_bias, x_multiplier, x_shift, usual),
                                   gc_part_lanes(other, h_bias, h_multiplier, h_shift, -usual));
    int16x8_t k = vmulhq_s16(x, factor); /* 3 * x >> 8 or 9 */
    if (tanh) k = vminq_s16(vmaxq_s16(k, vdupq_n_s16(-256)), vdupq_n_s16(255));
    const int16x8_t u = vandq_s16(vmulq_n_s16(x, 3), below);
    const uint16x8_t at = vreinterpretq_u16_s16(vaddq_n_s16(vshlq_n_s16(k, 1), 512));
    const int16x8_t value = vldrhq_gather_shifted_offset_s16(table, at), step = vldrhq_gather_shifted_offset_s16(table + 1, at);
    const int16x8_t sign = vshrq_n_s16(x, 15);
    int32x4_t even = vaddq_s32(vmullbq_int_s16(step, u), vmovlbq_s16(sign)), odd = vaddq_s32(vmulltq_int_s16(step, u), vmovltq_s16(sign));
    if (tanh) {
      even = vrshrq_n_s32(vaddq_s32(even, vshllbq_n_s16(value, 8)), 8);
      odd = vrshrq_n_s32(vaddq_s32(odd, vshlltq_n_s16(value, 8)), 8);
      vstrhq_s16(gate, vmovntq_s32(vreinterpretq_s16_s32(even), odd));
    } else {
      even = vrshrq_n_s32(vaddq_s32(even, vshllbq_n_s16(value, 9)), 10);
      odd = vrshrq_n_s32(vaddq_s32(odd, vshlltq_n_s16(value, 9)), 10);
      vstrhq_s16(gate, vaddq_n_s16(vmovntq_s32(vreinterpretq_s16_s32(even), odd), 16384));
    }
  }
}
/* Usually inputs are not shifted to the right, and the hidden state is. */
#define GC_DEFINE_ACTIVATE(name, tanh)                                                                                 \
  static __attribute__((noinline)) void name(const gc_lstm_gate* q, int32_t* sums, int32_t units, int32_t rows) {      \
    const int usual = q->input.shift >= 0 && q->recurrent.shift < 0;                                                   \
    for (; rows > 0; --rows, sums += 8 * units) {                                                                      \
      if (usual) {                                                                                                     \
        gc_activate_helium(q, sums, units, tanh, 1);                                                                   \
      } else {                                                                                                         \
        gc_activate_helium(q, sums, units, tanh, 0);                                                                   \
      }                                                                                                                \
    }                                                                                                                  \
  }
GC_DEFINE_ACTIVATE(gc_logistic_helium, 0)
GC_DEFINE_ACTIVATE(gc_tanh_helium, 1)

/* gc_tanh16 of four. */
static inline int32x4_t gc_tanh_lanes(int32x4_t x) {
  const int32x4_t k = vminq_s32(vmaxq_s32(vshrq_n_s32(x, 8), vdupq_n_s32(-256)), vdupq_n_s32(255));
  const int32x4_t point = vldrwq_gather_shifted_offset_s32((const int32_t*)(const void*)gc_tanh_table, vreinterpretq_u32_s32(vaddq_n_s32(k, 256)));
  const int32x4_t value = vmovlbq_s16(vreinterpretq_s16_s32(point)), step = vshrq_n_s32(point, 16);
  const int32x4_t y = vaddq_s32(vshlq_n_s32(value, 8), vmulq_s32(step, vandq_s32(x, vdupq_n_s32(255))));
  return vrshrq_n_s32(vaddq_s32(y, vshrq_n_s32(x, 31)), 8);
}

/* Cells of one row of the batch. gates: four times units, `stride` apart. */
static __attribute__((noinline)) void gc_cells_helium(const gc_lstm* p, const int16_t* gates, int32_t stride, int16_t* cell) {
  const int32_t multiplier = p->update.multiplier, shift = p->update.shift, clip = p->cell_clip;
  const int16_t *f = gates + stride, *g = f + stride;
  const int32x4_t one = vdupq_n_s32(1);
  for (const int16_t* end = gates + p->units; gates != end; gates += 8, f += 8, g += 8, cell += 8) {
    const int16x8_t input = vldrhq_s16(gates), forget = vldrhq_s16(f), fresh = vldrhq_s16(g), before = vldrhq_s16(cell);
    /* Both roundings of the portable body at once, for this multiplier and shift. */
    int32x4_t even = vmullbq_int_s16(forget, before), odd = vmulltq_int_s16(forget, before);
    even = vaddq_s32(even, vorrq_s32(vshrq_n_s32(even, 31), one));
    odd = vaddq_s32(odd, vorrq_s32(vshrq_n_s32(odd, 31), one));
    int16x8_t c = vqrshrntq_n_s32(vqrshrnbq_n_s32(before, even, 15), odd, 15);
    even = gc_rescale_all(vmullbq_int_s16(input, fresh), multiplier, shift);
    odd = gc_rescale_all(vmulltq_int_s16(input, fresh), multiplier, shift);
    c = vqaddq_s16(c, vqmovntq_s32(vqmovnbq_s32(input, even), odd));
    if (clip > 0) c = vminq_s16(vmaxq_s16(c, vdupq_n_s16((int16_t)-clip)), vdupq_n_s16((int16_t)clip));
    vstrhq_s16(cell, c);
  }
}

/* Then its outputs. */
static __attribute__((noinline)) void gc_outputs_helium(const gc_lstm* p, const int16_t* gate, const int16_t* cell, int8_t* out) {
  const int32_t hidden_multiplier = p->hidden.multiplier, hidden_shift = p->hidden.shift, zero_point = p->zero_point;
  const int32_t multiplier = p->tanh_multiplier, shift = p->tanh_shift, round = shift > 0 ? 1 << (shift - 1) : 0;
  for (const int16_t* end = gate + p->units; gate != end; gate += 8, cell += 8, out += 8) {
    const int16x8_t c = vldrhq_s16(cell), output = vldrhq_s16(gate);
    int32x4_t even = gc_tanh_lanes(vshlq_r_s32(vaddq_n_s32(vmulq_n_s32(vmovlbq_s16(c), multiplier), round), -shift));
    even = gc_rescale_all(vmulq_s32(even, vmovlbq_s16(output)), hidden_multiplier, hidden_shift);
    const int16x8_t y = vqmovnbq_s32(c, vaddq_n_s32(even, zero_point));
    int32x4_t odd = gc_tanh_lanes(vshlq_r_s32(vaddq_n_s32(vmulq_n_s32(vmovltq_s16(c), multiplier), round), -shift));
    odd = gc_rescale_all(vmulq_s32(odd, vmovltq_s16(output)), hidden_multiplier, hidden_shift);
    const int16x8_t z = vqmovntq_s32(y, vaddq_n_s32(odd, zero_point));
    vstrbq_s16(out, vreinterpretq_s16_s8(vqmovnbq_s16(vreinterpretq_s8_s16(z), z)));
  }
}

static void gc_lstm_helium(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out, void* scratch) {
  const int32_t units = p->units;
  int32_t* sums = scratch; /* (2 rows of the batch, 4 gates, inputs or recurrent, units) */
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  for (int32_t b = 0; b < p->batch; b += 2) {
    const int32_t last = b + 1 < p->batch ? b + 1 : b; /* an odd batch has its last row twice, and updates it once */
    const int8_t* rows[2] = {in + b * p->inputs, in + last * p->inputs};
    const int8_t* states[2] = {hidden + b * units, hidden + last * units};
    for (int32_t g = 0; g < 4; ++g) gc_sums_helium(p, all[g], rows, states, sums + 2 * g * units);
    const int32_t count = last - b + 1;
    gc_logistic_helium(&p->input, sums, units, count);
    gc_logistic_helium(&p->forget, sums + 2 * units, units, count);
    gc_tanh_helium(&p->cell, sums + 4 * units, units, count);
    gc_logistic_helium(&p->output, sums + 6 * units, units, count);
    for (int32_t i = b; i <= last; ++i) {
      const int32_t* row = sums + 8 * (i - b) * units;
      gc_cells_helium(p, (const int16_t*)(const void*)row, 4 * units, cell + i * units);
      gc_outputs_helium(p, (const int16_t*)(const void*)(row + 6 * units), cell + i * units, out + i * units);
    }
  }
  memcpy(hidden, out, (size_t)(p->batch * units));
}

#endif

void gc_lstm_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell, int8_t* out, void* scratch) {
#ifdef GC_DSP
  if (gc_lstm_usable(p)) {
    gc_lstm_fast(p, in, hidden, cell, out, scratch);
    return;
  }
#endif
#ifdef GC_HELIUM
  if (p->units % 8 == 0) {
    gc_lstm_helium(p, in, hidden, cell, out, scratch);
    return;
  }
#endif
  (void)scratch;
  gc_lstm_portable(p, in, hidden, cell, out);
}
