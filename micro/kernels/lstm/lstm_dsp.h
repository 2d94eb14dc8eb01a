/* What the DSP variants of int8 and int16 share. Two rows of the batch and two units are computed at
   a time. Buffers of a time step, in the scratch of the caller:

   rows (pairs, 4 * eights): inputs and hidden state of two rows of the batch, interleaved
   weights (4 * eights): those of two units, interleaved
   sums (pairs, input or recurrent, 2 rows, 2 units)
   gates (2 * pairs, 2 units, 4 gates)

   An odd batch repeats its last row, an odd number of units its last unit. */
#ifndef GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_DSP_H_
#define GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_DSP_H_

#include <string.h>

#include "micro/kernels/curve.h"
#include "micro/kernels/dsp.h"
#include "micro/kernels/lstm/lstm.h"

#ifdef GC_DSP

/* Loops of fixed depth: 8 inputs, and units padded to a multiple of 32; or of any depth. */
typedef enum { GC_ANY_DEPTH, GC_8_BY_32 } gc_depth;

typedef struct {
  gc_depth depth;
  int32_t pairs;              /* of rows of the batch */
  int32_t x_eights, h_eights; /* inputs and units in eights, rounded up */
  uint64_t *rows, *weights;
  int32_t* sums;
  int16_t* gates;
} gc_dsp_buffers;

GC_ALWAYS_INLINE gc_dsp_buffers gc_dsp_buffers_of(const gc_lstm* p, void* scratch) {
  gc_dsp_buffers b;
  b.pairs = (p->batch + 1) / 2, b.x_eights = (p->inputs + 7) / 8, b.h_eights = (p->units + 7) / 8;
  b.depth = b.x_eights == 1 && b.h_eights % 4 == 0 ? GC_8_BY_32 : GC_ANY_DEPTH;
  const int32_t eights = b.x_eights + b.h_eights;
  b.rows = (uint64_t*)scratch;
  b.weights = b.rows + b.pairs * 4 * eights;
  b.sums = (int32_t*)(b.weights + 4 * eights);
  b.gates = (int16_t*)(b.sums + 8 * b.pairs);
  return b;
}

/* Whether the sums of gc_sums are twice their value. */
typedef enum { GC_DOUBLED_SUMS, GC_PLAIN_SUMS } gc_sums_kind;

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
                          gc_pair* out) {
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
#undef GC_INTERLEAVE_FOUR
#undef GC_INTERLEAVE
#undef GC_SHIFT
  if (whole == count) return;
  for (int32_t i = whole; i < count || i % 8 != 0; i += 4, a += 4, b += 4, out += 4) {
    const uint32_t x = gc_load_some(a, count - i), y = gc_load_some(b, count - i);
    out[0] = gc_even(x), out[1] = gc_even(y), out[2] = gc_odd(x), out[3] = gc_odd(y);
    for (int32_t k = 0; k < 4; ++k)
      out[k] = (gc_pair)(((uint32_t)out[k] & gc_low_mask(left)) << left);
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

/* Computes the sums of two units of a gate for all pairs of rows. weights, rows and sums as in
   gc_dsp_buffers; biases (input or recurrent, 2 units). */
GC_ALWAYS_INLINE void gc_sums_of(const gc_dsp_buffers* b, const int32_t biases[4], gc_depth depth) {
  const int32_t x_u = biases[0], x_v = biases[1], h_u = biases[2], h_v = biases[3];
  const int32_t x_eights = b->x_eights, h_eights = b->h_eights;
  const uint64_t *weights = b->weights, *rows = b->rows;
  int32_t* sums = b->sums;
  for (const int32_t* end = sums + 8 * b->pairs; sums != end; sums += 8) {
    const uint64_t* w = weights;
    int32_t x[4] = {x_u, x_v, x_u, x_v};
    if (depth == GC_8_BY_32) {
      gc_dot_8(&w, &rows, 0, x);
    } else {
      gc_dot_8n(&w, &rows, x_eights, x);
    }
    sums[0] = x[0], sums[1] = x[1], sums[2] = x[2], sums[3] = x[3];
    int32_t h[4] = {h_u, h_v, h_u, h_v};
    if (depth == GC_8_BY_32) {
      gc_dot_32n(&w, &rows, h_eights / 4, h);
    } else {
      gc_dot_8n(&w, &rows, h_eights, h);
    }
    sums[4] = h[0], sums[5] = h[1], sums[6] = h[2], sums[7] = h[3];
  }
}
GC_NOINLINE void gc_sums(const gc_dsp_buffers* b, const int32_t biases[4]) {
  if (b->depth == GC_8_BY_32) {
    gc_sums_of(b, biases, GC_8_BY_32);
  } else {
    gc_sums_of(b, biases, GC_ANY_DEPTH);
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
  gc_pair point;
  memcpy(&point, c->middle + k, 4);
  return gc_smlad(point, (gc_pair)c->word, c->offset + (x >> 31));
}

static inline gc_curve gc_tanh_curve(void) { return gc_curve_of(256, 128); }
static inline int32_t gc_tanh16_fast(gc_curve* c, int32_t x) {
  __asm__("bfi %0, %1, #16, #8" : "+r"(c->word) : "r"(x));
  return gc_interpolate(c, x, gc_ssat(x >> 8, 9)) >> 8;
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

/* The unit of a gate of which a sum is x * multiplier >> right, before the rounding. */
GC_ALWAYS_INLINE int32_t gc_part(gc_sums_kind kind, int32_t x, int32_t multiplier, int32_t right,
                                 int32_t half) {
  return kind == GC_PLAIN_SUMS ? gc_rescale_narrow(x, multiplier, -1 - right)
                               : gc_rescale_twice(x, multiplier, right, half);
}

/* Loads sums i and i + 1 of sums (8). */
#define GC_LOAD_TWO(first, second, sums, i) \
  __asm__("ldrd %0, %1, [%2, %3]"           \
          : "=&r"(first), "=r"(second)      \
          : "r"(sums), "n"(4 * (i)), "m"(*(const int32_t (*)[8])sums))

/* Activates the sums of gc_sums as one of the four gates. sums (pairs, input or recurrent, 2 rows
   of the batch, 2 units); gate, a view of gates (pairs, 2 rows of the batch, 2 units, 4 gates) at
   this gate. x_right and h_right are the shifts of the input and the recurrent sums to the right:
   constants where the caller knows them. */
GC_ALWAYS_INLINE void gc_activate(const gc_lstm_gate* q, const int32_t* sums, int32_t pairs,
                                  int16_t* gate, gc_activation activation, gc_sums_kind kind,
                                  int32_t x_right, int32_t h_right) {
  const int32_t x_multiplier = q->input.multiplier, h_multiplier = q->recurrent.multiplier;
  const int32_t x_half = 1 << x_right >> 1, h_half = 1 << h_right >> 1;
  gc_curve curve = activation == GC_TANH ? gc_tanh_curve() : gc_logistic_curve();
  for (const int32_t* end = sums + 8 * pairs; sums != end; sums += 8, gate += 16) {
#define GC_ONE(x, h)                                                                       \
  do {                                                                                     \
    x = gc_ssat(gc_part(kind, x, x_multiplier, x_right, x_half), 16);                      \
    h = gc_ssat(gc_part(kind, h, h_multiplier, h_right, h_half), 16);                      \
    x = 3 * gc_ssat(x + h, 16);                                                            \
    x = activation == GC_TANH ? gc_tanh16_fast(&curve, x) : gc_logistic16_fast(&curve, x); \
  } while (0)
#define GC_TWO(i)                     \
  do {                                \
    int32_t x0, x1, h0, h1;           \
    GC_LOAD_TWO(x0, x1, sums, i);     \
    GC_LOAD_TWO(h0, h1, sums, i + 4); \
    GC_ONE(x0, h0);                   \
    gate[4 * (i)] = (int16_t)x0;      \
    GC_ONE(x1, h1);                   \
    gate[4 * (i) + 4] = (int16_t)x1;  \
  } while (0)
    GC_TWO(0);
    GC_TWO(2);
#undef GC_TWO
#undef GC_ONE
  }
}

/* Updates the cells of one unit for all rows of the batch. gates (batch, 2 units, 4 gates), of
   which this unit has every second; cell (batch, units) at this unit. */
GC_NOINLINE void gc_update_cells(const gc_lstm* p, const int32_t* gates, int16_t* cell) {
  const uint32_t doubled = gc_doubled(p->update.multiplier);
  const int32_t right = -p->update.shift, clip = p->cell_clip, units = p->units;
  GC_UNROLL(4)
  for (int32_t b = p->batch; b > 0; --b, gates += 4, cell += units) {
    const int32_t input_forget = gates[0];
    /* Combines both roundings of the portable variant, for this multiplier and shift. */
    const int32_t kept = (input_forget >> 16) * *cell;
    const int32_t added =
        gc_rescale_fast((int16_t)input_forget * (int16_t)gates[1], doubled, right, 0);
    int32_t c =
        gc_ssat(gc_ssat((kept + 16384 + (kept >> 31 | 1)) >> 15, 16) + gc_ssat(added, 16), 16);
    if (clip > 0) c = gc_clamp(c, -clip, clip);
    *cell = (int16_t)c;
  }
}

#endif

#endif /* GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_DSP_H_ */
