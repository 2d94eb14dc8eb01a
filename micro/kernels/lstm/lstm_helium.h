/* What the Helium variants of int8 and int16 share. Two rows of the batch are computed at a time, and
   eight units of them. Buffers, in the scratch of the caller, of units rounded up to eights:

   sums (eights, input or recurrent, 2 rows, the 4 even and the 4 odd of 8 units): of one gate; for
     int8 only whole eights are in the scratch
   gates (eights, 2 rows, 4 gates, 8 units) */
#ifndef GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_HELIUM_H_
#define GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_HELIUM_H_

#include "micro/kernels/curve.h"
#include "micro/kernels/helium.h"
#include "micro/kernels/lstm/lstm.h"

#ifdef GC_HELIUM

/* Distances in the buffers, in elements. */
enum {
  GC_SUMS_OF_EIGHT = 32,
  GC_SUMS_OF_PART = 16,
  GC_SUMS_OF_ROW = 8,
  GC_GATES_OF_EIGHT = 64,
  GC_GATES_OF_ROW = 32
};

/* The fast path is for scales that real networks have: see gc_cells_have_fast_path. */
typedef enum { GC_GENERIC, GC_FAST_PATH } gc_path;

/* The type of the outputs, which are the hidden state. */
typedef enum { GC_INT8_OUTPUTS, GC_INT16_OUTPUTS } gc_outputs;

/* Adds the products of two rows of weights, w0 and w1 (n), and two rows of the batch, x and y (n), to
   sums (2 rows of the batch, 2 rows of weights). lanes: of a vector, in bits; load_w widens weights
   to them, and advances by `size`. w_class: loads that widen take only the lower registers. The
   loop masks the lanes beyond n. */
#define GC_DOT_2X2(vector, lanes, load_w, size, w_class, load_x)                                   \
  do {                                                                                             \
    vector v, p, q;                                                                                \
    __asm__(                                                                                       \
        "dlstp." lanes                                                                             \
        " lr, %[n]\n"                                                                              \
        "0:\n\t" load_w " %q[v], [%[w0]], #" size "\n\t" load_x                                    \
        " %q[p], [%[x]], #16\n\t"                                                                  \
        "vmladava.s" lanes " %[s0], %q[p], %q[v]\n\t" load_x                                       \
        " %q[q], [%[y]], #16\n\t"                                                                  \
        "vmladava.s" lanes " %[s2], %q[q], %q[v]\n\t" load_w " %q[v], [%[w1]], #" size             \
        "\n\tvmladava.s" lanes                                                                     \
        " %[s1], %q[p], %q[v]\n\t"                                                                 \
        "vmladava.s" lanes                                                                         \
        " %[s3], %q[q], %q[v]\n\t"                                                                 \
        "letp lr, 0b"                                                                              \
        : [w0] "+" w_class(w0), [w1] "+" w_class(w1), [x] "+r"(x), [y] "+r"(y), [s0] "+Te"(s0),    \
          [s1] "+Te"(s1), [s2] "+Te"(s2), [s3] "+Te"(s3), [v] "=&w"(v), [p] "=&w"(p), [q] "=&w"(q) \
        : [n] "r"(n)                                                                               \
        : "lr", "memory");                                                                         \
  } while (0)

/* Defines a function that computes one part of the sums of `units` units, for any lengths: products
   of w (units, n) and two rows of the batch, a and b (n), plus bias (units) unless it is NULL. sums,
   a view of the buffer at this part. The arguments of GC_DOT_2X2 follow. */
#define GC_DEFINE_SUMS(name, type, ...)                                                          \
  GC_NOINLINE void name(const int8_t* w, int32_t n, int32_t units, const type* a, const type* b, \
                        const int32_t* bias, int32_t* sums) {                                    \
    for (int32_t u = 0; u < units; u += 2, w += 2 * n) {                                         \
      int32_t* at = sums + u / 8 * GC_SUMS_OF_EIGHT + u % 8 / 2;                                 \
      const int32_t next = u + 1 < units; /* an odd number of units repeats its last unit */     \
      const int8_t *w0 = w, *w1 = w + next * n;                                                  \
      const type *x = a, *y = b;                                                                 \
      int32_t s0 = bias ? bias[u] : 0, s1 = bias ? bias[u + next] : 0, s2 = s0, s3 = s1;         \
      GC_DOT_2X2(__VA_ARGS__);                                                                   \
      at[0] = s0, at[4] = s1, at[GC_SUMS_OF_ROW] = s2, at[GC_SUMS_OF_ROW + 4] = s3;              \
    }                                                                                            \
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

/* What is squashed: gates end where the curve does, cells do not. */
typedef enum { GC_GATE, GC_CELL } gc_argument;

/* Returns gc_tanh16(factor * x) in each lane, for a factor of 1 .. 127, which is 3 for gates. On the
   positive half of the curve, the whole part of factor * |x| / 2^8 is the index of the point. The
   rest, as a fraction of 2^16, is the way to the next point. Rounding the product rounds the sum. */
static inline int16x8_t gc_tanh_lanes(const gc_curve* c, int16x8_t x, gc_argument argument) {
  const int16x8_t a = vqabsq_s16(x); /* -32768 saturates to 32767, where the curve is flat */
  uint16x8_t k = vreinterpretq_u16_s16(vqdmulhq_n_s16(a, c->point));
  if (argument == GC_CELL) k = vminq_u16(k, vdupq_n_u16(383));
  const uint16x8_t u = vreinterpretq_u16_s16(vmulq_n_s16(a, c->rest));
  int16x8_t y =
      vreinterpretq_s16_u16(vrmulhq_u16(vldrhq_gather_shifted_offset_u16(c->steps, k), u));
  y = vaddq_s16(vldrhq_gather_shifted_offset_s16(c->values, k), y);
  return gc_negate_where_negative(y, x);
}

/* Returns gc_logistic16(3 * x) in the same way: the product is truncated, and half of its sum with
   the value is rounded. Where x is negative, the result is `one`, 2^15, minus that of -x. */
static inline int16x8_t gc_logistic_lanes(const gc_curve* c, int16x8_t x, uint16x8_t one) {
  const int16x8_t a = vqabsq_s16(x);
  const uint16x8_t k = vreinterpretq_u16_s16(vqdmulhq_n_s16(a, c->point));
  const uint16x8_t u = vreinterpretq_u16_s16(vmulq_n_s16(a, c->rest));
  uint16x8_t y = vmulhq_u16(vldrhq_gather_shifted_offset_u16(c->steps, k), u);
  y = vrhaddq_u16(vldrhq_gather_shifted_offset_u16(c->values, k), y);
  return vreinterpretq_s16_u16(gc_subtract_where_negative(one, y, x));
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

/* Updates the cells, cell (eights, 8), and computes the outputs, outputs (eights, 8), of one row of
   the batch. gates, a view of the buffer at this row. On the fast path, everything is shifted to
   the right, tanh takes a multiple of the cell, and the cell is not clipped. */
GC_ALWAYS_INLINE void gc_cells_of(const gc_lstm* p, uint32_t eights, const int16_t* gates,
                                  int16_t* cell, void* outputs, gc_path path, gc_outputs kind) {
  int8_t* out = outputs; /* or int16_t */
  const int32_t multiplier = p->update.multiplier, shift = p->update.shift,
                half = path == GC_FAST_PATH ? multiplier : 1 << 30, clip = p->cell_clip;
  const int32_t hidden_multiplier = p->hidden.multiplier, hidden_shift = p->hidden.shift,
                zero_point = p->zero_point;
  const int32_t factor = p->tanh_multiplier, right = p->tanh_shift,
                round = right > 0 ? 1 << (right - 1) : 0;
  if (path == GC_FAST_PATH && (shift >= 0 || hidden_shift >= 0)) __builtin_unreachable();
  const gc_curve curve = gc_tanh_curve(factor);
  for (uint32_t n = eights; n > 0; --n) {
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
    if (path == GC_GENERIC && clip > 0)
      c = vminq_s16(vmaxq_s16(c, vdupq_n_s16((int16_t)-clip)), vdupq_n_s16((int16_t)clip));
    vstrhq_s16(cell, c);
    GC_NEXT(cell, 8);

    if (path == GC_FAST_PATH) {
      c = gc_tanh_lanes(&curve, c, GC_CELL);
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
    if (kind == GC_INT16_OUTPUTS) {
      vstrhq_s16((int16_t*)(void*)out, gc_narrow(even, odd));
      GC_NEXT(out, 16);
    } else {
      vstrbq_s16(out, gc_narrow_bytes(vqaddq_n_s16(gc_narrow(even, odd), (int16_t)zero_point)));
      GC_NEXT(out, 8);
    }
  }
}

/* Returns whether the scales allow the fast path of gc_cells_of. */
static inline int gc_cells_have_fast_path(const gc_lstm* p) {
  return p->update.multiplier == 1 << 30 && p->update.shift < 0 && p->hidden.shift < 0 &&
         p->cell_clip == 0 && p->tanh_shift == 0 && p->tanh_multiplier < 128;
}

/* Where units are no multiple of 8, the last eight of them are computed too: units `units - 8` and
   following, or all if there are fewer. */
static inline int32_t gc_last_eight(int32_t units) { return units > 8 ? units - 8 : 0; }

typedef void (*gc_cells)(const gc_lstm* p, uint32_t eights, const int16_t* gates,
                         int16_t* cell /* (eights, 8) */, void* out /* (eights, 8) */);

/* The cells and outputs of those of the last eight units of one row which are not updated yet. gates,
   as in gc_cells_of; cell (units), out (units). */
GC_NOINLINE void gc_last_cells(const gc_lstm* p, gc_cells cells, const int16_t* gates,
                               int16_t* cell, void* out, gc_outputs kind) {
  const int32_t units = p->units, from = gc_last_eight(units);
  const mve_pred16_t there = vctp16q((uint32_t)units);
  const mve_pred16_t fresh = units < 8 ? there : (mve_pred16_t)~vctp16q((uint32_t)(8 - units % 8));
  int16_t cells_of_eight[8], outputs_of_eight[8];
  cell += from;
  vstrhq_s16(cells_of_eight, vldrhq_z_s16(cell, there));
  cells(p, 1, gates, cells_of_eight, outputs_of_eight);
  vstrhq_p_s16(cell, vldrhq_s16(cells_of_eight), fresh);
  if (kind == GC_INT16_OUTPUTS) {
    vstrhq_p_s16((int16_t*)out + from, vldrhq_s16(outputs_of_eight), fresh);
  } else {
    vstrbq_p_s16((int8_t*)out + from, vldrbq_s16((const int8_t*)outputs_of_eight), fresh);
  }
}

#endif

#endif /* GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_HELIUM_H_ */
