/* What the DSP variants of int8 and int16 share. */
#ifndef GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_DSP_H_
#define GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_DSP_H_

#include <string.h>

#include "micro/kernels/curve.h"
#include "micro/kernels/dot/dot.h"
#include "micro/kernels/lstm/lstm.h"

#ifdef GC_DSP

/* Buffers of a time step, in the scratch of the caller. Two rows of the batch and four units are
   computed at a time; an odd batch repeats its last row, and where the units are no multiple of
   four, the last one is repeated. */
typedef struct {
  int32_t pairs;              /* of rows of the batch */
  int32_t x_eights, h_eights; /* inputs and units in eights, rounded up */
  gc_pair *x_rows, *h_rows;   /* (pairs, GC_TWO_ROWS): inputs, hidden state */
  gc_pair* weights;           /* (GC_FOUR_ROWS), of the inputs or of the hidden state */
  gc_pair* gates;             /* (4 gates, pairs, 2 rows, 4 units halfwords) */
  int32_t* h_sums;            /* (pairs, 2 rows, 4 units) */
} gc_dsp_buffers;

static inline gc_dsp_buffers gc_dsp_buffers_of(const gc_lstm* p, void* scratch) {
  gc_dsp_buffers b;
  b.pairs = (p->batch + 1) / 2, b.x_eights = gc_eights(p->inputs), b.h_eights = gc_eights(p->units);
  b.x_rows = scratch;
  b.h_rows = b.x_rows + b.pairs * GC_TWO_ROWS(b.x_eights);
  b.weights = b.h_rows + b.pairs * GC_TWO_ROWS(b.h_eights);
  b.gates = b.weights + GC_FOUR_ROWS(b.x_eights > b.h_eights ? b.x_eights : b.h_eights);
  /* The sums of the inputs are where the gate will be and behind it; see gc_activate. */
  b.h_sums = (int32_t*)b.gates + 20 * b.pairs;
  return b;
}

/* Whether the sums are twice their value. */
typedef enum { GC_DOUBLED_SUMS, GC_PLAIN_SUMS } gc_sums_kind;

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
static inline int32_t gc_tanh16_times_256(gc_curve* c, int32_t x) {
  __asm__("bfi %0, %1, #16, #8" : "+r"(c->word) : "r"(x));
  return gc_interpolate(c, x, gc_ssat(x >> 8, 9));
}
static inline int32_t gc_tanh16_fast(gc_curve* c, int32_t x) {
  return gc_tanh16_times_256(c, x) >> 8;
}

static inline gc_curve gc_logistic_curve(void) { return gc_curve_of(512, (1 << 24) + 512); }
static inline int32_t gc_logistic16_times_1024(gc_curve* c, int32_t x) {
  __asm__("bfi %0, %1, #16, #9" : "+r"(c->word) : "r"(x));
  return gc_interpolate(c, x, x >> 9);
}
static inline int32_t gc_logistic16_fast(gc_curve* c, int32_t x) {
  return gc_logistic16_times_1024(c, x) >> 10;
}

/* gc_rescale of half of x, before the shift to the right. Without one, the product with the doubled
   sum is the result. With one, both roundings are combined: half of the divisor is added before the
   shift, and 1 is subtracted where x is negative. */
GC_ALWAYS_INLINE int32_t gc_rescale_twice(int32_t x, int32_t multiplier, int32_t right,
                                          int32_t half) {
  int32_t y;
  if (right == 0) {
    __asm__("smmulr %0, %1, %2" : "=r"(y) : "r"(x), "r"(multiplier));
    return y;
  }
  __asm__("smmlar %0, %1, %2, %3" : "=r"(y) : "r"(x), "r"(multiplier), "r"(half));
  return y + (x >> 31);
}

/* The pair of two scaled sums. right is their shift to the right: a constant, which becomes a part
   of the saturation, where the caller knows it. */
GC_ALWAYS_INLINE gc_pair gc_scaled_sums(const int32_t* sums, gc_sums_kind kind, int32_t multiplier,
                                        int32_t right) {
  int32_t a, b;
  __asm__("ldrd %0, %1, [%2]" : "=&r"(a), "=r"(b) : "r"(sums), "m"(*(const int32_t (*)[2])sums));
  if (kind == GC_PLAIN_SUMS) {
    a = gc_ssat(gc_rescale_narrow(a, multiplier, -1 - right), 16);
    b = gc_ssat(gc_rescale_narrow(b, multiplier, -1 - right), 16);
    return gc_pack(a, b, 16);
  }
  const int32_t half = 1 << right >> 1;
  a = gc_ssat(gc_rescale_twice(a, multiplier, right, half) >> right, 16);
  b = gc_ssat(gc_rescale_twice(b, multiplier, right, half) >> right, 16);
  return gc_pack(a, b, 16);
}

/* Activates one of the four gates. x and h (count), the sums of inputs and hidden state; gate
   (count halfwords), may be x, because two sums are read before one pair is written. count is a
   multiple of 4. x_right and h_right are the shifts of the sums to the right: constants where the
   caller knows them. */
GC_ALWAYS_INLINE void gc_activate(const gc_lstm_gate* q, const int32_t* x, const int32_t* h,
                                  int32_t count, gc_pair* gate, gc_activation activation,
                                  gc_sums_kind kind, int32_t x_right, int32_t h_right) {
  const int32_t x_multiplier = q->input.multiplier, h_multiplier = q->recurrent.multiplier;
  gc_curve curve = activation == GC_TANH ? gc_tanh_curve() : gc_logistic_curve();
  int32_t three = 3;
  __asm__("" : "+r"(three));
#define GC_ACTIVATE_TWO(i)                                                                   \
  do {                                                                                       \
    const gc_pair sum = gc_qadd16(gc_scaled_sums(x + 2 * (i), kind, x_multiplier, x_right),  \
                                  gc_scaled_sums(h + 2 * (i), kind, h_multiplier, h_right)); \
    const int32_t a = gc_smulbb(sum, three), b = gc_smultb(sum, three);                      \
    if (activation == GC_TANH) {                                                             \
      const int32_t y = gc_tanh16_fast(&curve, a);                                           \
      gate[i] = gc_pack(y, gc_tanh16_times_256(&curve, b), 8);                               \
    } else {                                                                                 \
      const int32_t y = gc_logistic16_fast(&curve, a);                                       \
      gate[i] = gc_pack(y, gc_logistic16_times_1024(&curve, b), 6);                          \
    }                                                                                        \
  } while (0)
  for (const int32_t* end = x + count; x != end; x += 4, h += 4, gate += 2) {
    GC_ACTIVATE_TWO(0);
    GC_ACTIVATE_TWO(1);
  }
#undef GC_ACTIVATE_TWO
}

/* How a gate is activated: arguments that are the same for all units. `gate` is not used by
   gc_activate_dsp_*, which are for doubled sums without a shift of the inputs to the right, and with
   a shift of the hidden state by 0 or 1. */
typedef struct {
  const int32_t* x_end;
  int32_t x_multiplier, h_multiplier;
  const gc_point* middle; /* as in gc_curve */
  int32_t word, offset, three;
  const gc_lstm_gate* gate;
} gc_activate_data;
typedef void gc_activate_function(const int32_t* x, const int32_t* h, gc_pair* gate,
                                  const gc_activate_data* d);
gc_activate_function gc_activate_dsp_logistic_0, gc_activate_dsp_logistic_1, gc_activate_dsp_tanh_0,
    gc_activate_dsp_tanh_1;

GC_ALWAYS_INLINE gc_pair gc_load_pair(const int16_t* p) {
  gc_pair x;
  memcpy(&x, p, 4);
  return x;
}

/* Updates the first `count`, 1 to 4, of four cells of every row. gates (rows, 4 units halfwords),
   the input gate; those of the forget gate and of the cell gate are `words` words behind each
   other. cell (rows, units) at the first unit. */
void gc_update_cells_dsp(const gc_lstm* p, const gc_pair* gates, int32_t words, int32_t rows,
                         int32_t count, int16_t* cell);

#endif

#endif /* GROUPCOMM_MICRO_KERNELS_LSTM_LSTM_DSP_H_ */
