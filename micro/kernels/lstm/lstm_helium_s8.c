#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE
#include "micro/kernels/lstm/lstm_helium.h"

typedef enum { GC_ONE_ROW, GC_TWO_ROWS } gc_rows;

/* One part of the sums of `eights` times eight units of a gate: products of w (8 * eights, n) and two
   rows of the batch, a and b (n). sums, a view of the buffer at this part. */
typedef void (*gc_sums_function)(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                                 const int8_t* b, int32_t* sums);

GC_DEFINE_SUMS(gc_sums_with_bias, int8_t, int8x16_t, "8", "vldrb.8", "16", "r", "vldrb.8")

/* The biases are added when the sums are activated. */
static void gc_sums_any(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                        const int8_t* b, int32_t* sums) {
  gc_sums_with_bias(w, n, 8 * eights, a, b, 0, sums);
}

/* Sums of rows of 8 .. 48 inputs: both rows of the batch stay in registers, as one to three vectors
   of a fixed length. The last of them ends where the row ends. Where it overlaps the one before, its
   lanes are 0, so that the products count once. No load leaves the weights that way, and no
   predicate is needed.

   r4, r6: the sums of two units, two apart, and the first row. r8, r10: with the second row. w and v
   point to the rows of their weights. The last vector is loaded after the pointer has advanced to
   the next row. */
#define GC_FIRST_DOT(w, at, a, b, lanes, load) \
  load " %q[t], [%[" w "], #" at               \
       "]\n\t"                                 \
       "vmladav.s" lanes " " a                 \
       ", %q[x0], %q[t]\n\t"                   \
       "vmladav.s" lanes " " b ", %q[y0], %q[t]\n\t"
#define GC_NEXT_DOT(w, at, i, a, b, lanes, load) \
  load " %q[t], [%[" w "], #" at                 \
       "]\n\t"                                   \
       "vmladava.s" lanes " " a ", %q[x" i       \
       "], %q[t]\n\t"                            \
       "vmladava.s" lanes " " b ", %q[y" i "], %q[t]\n\t"
#define GC_NEXT_ROW(w) "add %[" w "], %[" w "], %[n]\n\t"
#define GC_ONE_VECTOR(w, a, b, lanes, load, size) \
  GC_NEXT_ROW(w) GC_FIRST_DOT(w, "-" size, a, b, lanes, load)
#define GC_TWO_VECTORS(w, a, b, lanes, load, size) \
  GC_FIRST_DOT(w, "0", a, b, lanes, load)          \
  GC_NEXT_ROW(w) GC_NEXT_DOT(w, "-" size, "1", a, b, lanes, load)
#define GC_THREE_VECTORS(w, a, b, lanes, load, size) \
  GC_FIRST_DOT(w, "0", a, b, lanes, load)            \
  GC_NEXT_DOT(w, size, "1", a, b, lanes, load)       \
  GC_NEXT_ROW(w) GC_NEXT_DOT(w, "-" size, "2", a, b, lanes, load)

/* Four units: those of w and of v with the same distance, whose sums are adjacent. */
#define GC_TWO_UNITS(row, w, v, to, lanes, load, size)                     \
  row(w, "r4", "r8", lanes, load, size)                                    \
      row(v, "r6", "r10", lanes, load, size) "strd r4, r6, [%[sums], #" to \
                                             "]\n\t"                       \
                                             "strd r8, r10, [%[sums], #" to " + 32]\n\t"
#define GC_EIGHT_UNITS(row, lanes, load, size) \
  "0:\n\t" GC_TWO_UNITS(row, "w", "v", "0", lanes, load, size) \
  GC_TWO_UNITS(row, "w", "v", "16", lanes, load, size)       \
  "add %[w], %[w], %[n], lsl #2\n\t"                         \
  GC_TWO_UNITS(row, "v", "w", "8", lanes, load, size)        \
  GC_TWO_UNITS(row, "v", "w", "24", lanes, load, size)       \
  "add %[v], %[v], %[n], lsl #2\n\t"                         \
  "adds %[sums], #128\n\t"                                   \
  "le lr, 0b"

/* Rows of a known length n: their addresses are constant distances from one pointer. at: the start
   of a unit. GC_SUMS_AT is like GC_SUMS. */
#define GC_ONE_VECTOR_AT(at, a, b, n) GC_FIRST_DOT("w", at, a, b, "8", "vldrb.8")
#define GC_TWO_VECTORS_AT(at, a, b, n)        \
  GC_FIRST_DOT("w", at, a, b, "8", "vldrb.8") \
  GC_NEXT_DOT("w", at " + " n " - 16", "1", a, b, "8", "vldrb.8")
#define GC_TWO_SHORT_VECTORS_AT(at, a, b, n)     \
  GC_FIRST_DOT("w", at, a, b, "16", "vldrb.s16") \
  GC_NEXT_DOT("w", at " + " n " - 8", "1", a, b, "16", "vldrb.s16")
#define GC_TWO_UNITS_AT(row, at, next, to, n)                                    \
  row(at, "r4", "r8", n) row(next, "r6", "r10", n) "strd r4, r6, [%[sums], #" to \
                                                   "]\n\t"                       \
                                                   "strd r8, r10, [%[sums], #" to " + 32]\n\t"
#define GC_FOUR_UNITS_AT(row, to, to_next, n) \
  GC_TWO_UNITS_AT(row, "0", "2 * " n, to, n)  \
  GC_TWO_UNITS_AT(row, n, "3 * " n, to_next, n) "add %[w], %[w], #4 * " n "\n\t"
#define GC_SUMS_AT(row, n, w_class, vector, ...)                                                   \
  do {                                                                                             \
    vector t;                                                                                      \
    __asm__ volatile("wls lr, %[eights], 1f\n0:\n\t" GC_FOUR_UNITS_AT(row, "0", "16", n)           \
                         GC_FOUR_UNITS_AT(row, "8", "24", n) "adds %[sums], #128\n\tle lr, 0b\n1:" \
                     : [w] "+" w_class(w), [sums] "+r"(sums), [t] "=&w"(t)                         \
                     : [eights] "r"(eights), [x0] "w"(x0), [y0] "w"(y0)__VA_ARGS__                 \
                     : "r4", "r6", "r8", "r10", "lr", "cc", "memory");                             \
  } while (0)

/* The rest of a gc_sums_function, in which x0, y0 and so on are the vectors of both rows. row: the code
   of one unit. size: bytes of weights in a vector. w_class: loads that widen take only the lower
   registers. The operands of further vectors follow. */
#define GC_SUMS(row, lanes, load, size, w_class, vector, ...)                                  \
  do {                                                                                         \
    const int8_t* v = w + 2 * n;                                                               \
    vector t;                                                                                  \
    __asm__ volatile("wls lr, %[eights], 1f\n" GC_EIGHT_UNITS(row, lanes, load, size) "\n1:"   \
                     : [w] "+" w_class(w), [v] "+" w_class(v), [sums] "+r"(sums), [t] "=&w"(t) \
                     : [n] "r"(n), [eights] "r"(eights), [x0] "w"(x0), [y0] "w"(y0)__VA_ARGS__ \
                     : "r4", "r6", "r8", "r10", "lr", "cc", "memory");                         \
                                                                                               \
  } while (0)
#define GC_1 , [x1] "w"(x1), [y1] "w"(y1)
#define GC_2 , [x2] "w"(x2), [y2] "w"(y2)

/* 8 inputs. */
GC_NOINLINE void gc_sums_8(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                           const int8_t* b, int32_t* sums) {
  const int16x8_t x0 = vldrbq_s16(a), y0 = vldrbq_s16(b);
  GC_SUMS(GC_ONE_VECTOR, "16", "vldrb.s16", "8", "l", int16x8_t);
}

/* 9 .. 15 inputs. */
GC_NOINLINE void gc_sums_15(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                            const int8_t* b, int32_t* sums) {
  const mve_pred16_t once = (mve_pred16_t)~vctp16q((uint32_t)(16 - n));
  const int16x8_t x0 = vldrbq_s16(a), y0 = vldrbq_s16(b);
  const int16x8_t x1 = vldrbq_z_s16(a + n - 8, once), y1 = vldrbq_z_s16(b + n - 8, once);
  GC_SUMS(GC_TWO_VECTORS, "16", "vldrb.s16", "8", "l", int16x8_t, GC_1);
}

/* 16 inputs. */
GC_NOINLINE void gc_sums_16(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                            const int8_t* b, int32_t* sums) {
  (void)n;
  const int8x16_t x0 = vldrbq_s8(a), y0 = vldrbq_s8(b);
  GC_SUMS_AT(GC_ONE_VECTOR_AT, "16", "r", int8x16_t);
}

/* 12 inputs. */
GC_NOINLINE void gc_sums_12(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                            const int8_t* b, int32_t* sums) {
  (void)n;
  const mve_pred16_t once = 0xff00;
  const int16x8_t x0 = vldrbq_s16(a), y0 = vldrbq_s16(b);
  const int16x8_t x1 = vldrbq_z_s16(a + 4, once), y1 = vldrbq_z_s16(b + 4, once);
  GC_SUMS_AT(GC_TWO_SHORT_VECTORS_AT, "12", "l", int16x8_t, GC_1);
}

/* 20 inputs. */
GC_NOINLINE void gc_sums_20(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                            const int8_t* b, int32_t* sums) {
  (void)n;
  const mve_pred16_t once = (mve_pred16_t)~vctp8q(12);
  const int8x16_t x0 = vldrbq_s8(a), y0 = vldrbq_s8(b);
  const int8x16_t x1 = vldrbq_z_s8(a + 4, once), y1 = vldrbq_z_s8(b + 4, once);
  GC_SUMS_AT(GC_TWO_VECTORS_AT, "20", "r", int8x16_t, GC_1);
}

/* 24 inputs. */
GC_NOINLINE void gc_sums_24(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                            const int8_t* b, int32_t* sums) {
  (void)n;
  const mve_pred16_t once = 0xff00;
  const int8x16_t x0 = vldrbq_s8(a), y0 = vldrbq_s8(b);
  const int8x16_t x1 = vldrbq_z_s8(a + 8, once), y1 = vldrbq_z_s8(b + 8, once);
  GC_SUMS_AT(GC_TWO_VECTORS_AT, "24", "r", int8x16_t, GC_1);
}

/* 32 inputs. */
GC_NOINLINE void gc_sums_32(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                            const int8_t* b, int32_t* sums) {
  (void)n;
  const int8x16_t x0 = vldrbq_s8(a), y0 = vldrbq_s8(b), x1 = vldrbq_s8(a + 16),
                  y1 = vldrbq_s8(b + 16);
  GC_SUMS_AT(GC_TWO_VECTORS_AT, "32", "r", int8x16_t, GC_1);
}

/* 17 .. 31 inputs. */
GC_NOINLINE void gc_sums_31(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                            const int8_t* b, int32_t* sums) {
  const mve_pred16_t once = (mve_pred16_t)~vctp8q((uint32_t)(32 - n));
  const int8x16_t x0 = vldrbq_s8(a), y0 = vldrbq_s8(b);
  const int8x16_t x1 = vldrbq_z_s8(a + n - 16, once), y1 = vldrbq_z_s8(b + n - 16, once);
  GC_SUMS(GC_TWO_VECTORS, "8", "vldrb.8", "16", "r", int8x16_t, GC_1);
}

/* 33 .. 48 inputs. */
GC_NOINLINE void gc_sums_48(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                            const int8_t* b, int32_t* sums) {
  const mve_pred16_t once = (mve_pred16_t)~vctp8q((uint32_t)(48 - n));
  const int8x16_t x0 = vldrbq_s8(a), y0 = vldrbq_s8(b), x1 = vldrbq_s8(a + 16),
                  y1 = vldrbq_s8(b + 16);
  const int8x16_t x2 = vldrbq_z_s8(a + n - 16, once), y2 = vldrbq_z_s8(b + n - 16, once);
  GC_SUMS(GC_THREE_VECTORS, "8", "vldrb.8", "16", "r", int8x16_t, GC_1 GC_2);
}

GC_NOINLINE gc_sums_function gc_sums_of(int32_t n) {
  if (n < 8 || n > 48) return gc_sums_any;
  return n == 8    ? gc_sums_8
         : n == 12 ? gc_sums_12
         : n < 16  ? gc_sums_15
         : n == 16 ? gc_sums_16
         : n == 20 ? gc_sums_20
         : n == 24 ? gc_sums_24
         : n == 32 ? gc_sums_32
         : n < 32  ? gc_sums_31
                   : gc_sums_48;
}

/* The direction in which a scale shifts, if it does. GC_LEFT includes no shift; GC_ANY is known at run
   time. */
typedef enum { GC_NOT, GC_LEFT, GC_RIGHT, GC_ANY } gc_direction;

/* gc_rescale_all, faster where the direction is known. */
GC_ALWAYS_INLINE int32x4_t gc_rescale_to(gc_direction direction, int32x4_t x, int32_t multiplier,
                                         int32_t shift) {
  if (direction == GC_ANY) return gc_rescale_all(x, multiplier, shift);
  if (direction == GC_NOT) return vqrdmulhq_n_s32(x, multiplier);
  if (direction == GC_LEFT) return vqrdmulhq_n_s32(vshlq_r_s32(x, shift), multiplier);
  return vrshlq_n_s32(vqrdmlahq_n_s32(vshrq_n_s32(x, 31), x, multiplier), shift);
}

/* Returns the next eight sums, from sums (8), plus their biases, in units of 1 / 4096. */
GC_ALWAYS_INLINE int16x8_t gc_part_lanes(gc_direction direction, const int32_t** sums,
                                         int32x4x2_t bias, int32_t multiplier, int32_t shift) {
  const int32x4_t even =
      gc_rescale_to(direction, vaddq_s32(bias.val[0], vldrwq_s32(*sums)), multiplier, shift);
  GC_NEXT(*sums, 4);
  const int32x4_t odd =
      gc_rescale_to(direction, vaddq_s32(bias.val[1], vldrwq_s32(*sums)), multiplier, shift);
  GC_NEXT(*sums, 4);
  return gc_narrow(even, odd);
}

/* Activates the sums of one gate, sums as in the buffer: gc_tanh16(3 * x) or gc_logistic16(3 * x).
   gates, a view of the buffer at this gate. */
GC_ALWAYS_INLINE void gc_activate(const gc_lstm_gate* q, uint32_t eights, const int32_t* sums,
                                  int16_t* gates, gc_rows rows, gc_activation activation,
                                  gc_direction x_direction, gc_direction h_direction) {
  const int32_t x_multiplier = q->input.multiplier, x_shift = q->input.shift;
  const int32_t h_multiplier = q->recurrent.multiplier, h_shift = q->recurrent.shift;
  const int32_t *x_bias = q->input_bias, *h_bias = q->recurrent_bias;
  const gc_curve curve = activation == GC_TANH ? gc_tanh_curve(3) : gc_logistic_curve();
  const uint16x8_t one = vdupq_n_u16(32768);
  for (uint32_t n = eights; n > 0; --n, x_bias += 8, h_bias += 8) {
    const int32x4x2_t x = vld2q_s32(x_bias);
    int16x8_t row0 = gc_part_lanes(x_direction, &sums, x, x_multiplier, x_shift), row1 = row0;
    if (rows == GC_TWO_ROWS)
      row1 = gc_part_lanes(x_direction, &sums, x, x_multiplier, x_shift);
    else
      GC_NEXT(sums, GC_SUMS_OF_ROW);
    const int32x4x2_t h = vld2q_s32(h_bias);
    row0 = vqaddq_s16(row0, gc_part_lanes(h_direction, &sums, h, h_multiplier, h_shift));
    if (rows == GC_TWO_ROWS)
      row1 = vqaddq_s16(row1, gc_part_lanes(h_direction, &sums, h, h_multiplier, h_shift));
    else
      GC_NEXT(sums, GC_SUMS_OF_ROW);
    row0 = activation == GC_TANH ? gc_tanh_lanes(&curve, row0, GC_GATE)
                                 : gc_logistic_lanes(&curve, row0, one);
    vstrhq_s16(gates, row0);
    GC_NEXT(gates, GC_GATES_OF_ROW);
    if (rows == GC_TWO_ROWS) {
      row1 = activation == GC_TANH ? gc_tanh_lanes(&curve, row1, GC_GATE)
                                   : gc_logistic_lanes(&curve, row1, one);
      vstrhq_s16(gates, row1);
    }
    GC_NEXT(gates, GC_GATES_OF_ROW);
  }
}

typedef void (*gc_activate_function)(const gc_lstm_gate* q, uint32_t eights,
                                     const int32_t* sums /* (eights, 32) */,
                                     int16_t* gates /* (eights, 64) */);
#define GC_DEFINE_ACTIVATE(name, ...)                                                \
  GC_NOINLINE void name(const gc_lstm_gate* q, uint32_t eights, const int32_t* sums, \
                        int16_t* gates) {                                            \
    gc_activate(q, eights, sums, gates, __VA_ARGS__);                                \
  }
GC_DEFINE_ACTIVATE(gc_logistic_one_row, GC_ONE_ROW, GC_LOGISTIC, GC_ANY, GC_ANY)
GC_DEFINE_ACTIVATE(gc_logistic_left_not, GC_TWO_ROWS, GC_LOGISTIC, GC_LEFT, GC_NOT)
GC_DEFINE_ACTIVATE(gc_logistic_left_left, GC_TWO_ROWS, GC_LOGISTIC, GC_LEFT, GC_LEFT)
GC_DEFINE_ACTIVATE(gc_logistic_left_right, GC_TWO_ROWS, GC_LOGISTIC, GC_LEFT, GC_RIGHT)
GC_DEFINE_ACTIVATE(gc_logistic_right_any, GC_TWO_ROWS, GC_LOGISTIC, GC_RIGHT, GC_ANY)
GC_DEFINE_ACTIVATE(gc_tanh_one_row, GC_ONE_ROW, GC_TANH, GC_ANY, GC_ANY)
GC_DEFINE_ACTIVATE(gc_tanh_left_not, GC_TWO_ROWS, GC_TANH, GC_LEFT, GC_NOT)
GC_DEFINE_ACTIVATE(gc_tanh_left_left, GC_TWO_ROWS, GC_TANH, GC_LEFT, GC_LEFT)
GC_DEFINE_ACTIVATE(gc_tanh_left_right, GC_TWO_ROWS, GC_TANH, GC_LEFT, GC_RIGHT)
GC_DEFINE_ACTIVATE(gc_tanh_right_any, GC_TWO_ROWS, GC_TANH, GC_RIGHT, GC_ANY)

GC_NOINLINE gc_activate_function gc_activate_of(gc_activation activation, const gc_lstm_gate* q,
                                                gc_rows rows) {
  const int tanh = activation == GC_TANH;
  if (rows == GC_ONE_ROW) return tanh ? gc_tanh_one_row : gc_logistic_one_row;
  if (q->input.shift < 0) return tanh ? gc_tanh_right_any : gc_logistic_right_any;
  if (q->recurrent.shift < 0) return tanh ? gc_tanh_left_right : gc_logistic_left_right;
  if (q->recurrent.shift == 0) return tanh ? gc_tanh_left_not : gc_logistic_left_not;
  return tanh ? gc_tanh_left_left : gc_logistic_left_left;
}

/* The sums of a gc_sums_function for one row, a (n). Only a short one is not computed as two. */
GC_ALWAYS_INLINE void gc_one_row_sums(const int8_t* w, int32_t n, int32_t eights, const int8_t* a,
                                      int32_t* sums) {
  if (n != 8) {
    gc_sums_of(n)(w, n, eights, a, a, sums);
    return;
  }
  const int16x8_t x = vldrbq_s16(a);
  for (; eights > 0; --eights, w += 64, sums += GC_SUMS_OF_EIGHT) {
    GC_UNROLL(8)
    for (int32_t u = 0; u < 8; ++u)
      sums[u % 2 * 4 + u / 2] = vmladavq_s16(x, vldrbq_s16(w + 8 * u));
  }
}

/* One gate of one row, the whole eights of its units: x (inputs), h (units). */
GC_NOINLINE void gc_gate_one_row(const gc_lstm* p, const gc_lstm_gate* q,
                                 gc_activate_function activate, const int8_t* x, const int8_t* h,
                                 int32_t* sums, int16_t* gates) {
  const int32_t eights = p->units >> 3;
  gc_one_row_sums(q->input_weights, p->inputs, eights, x, sums);
  gc_one_row_sums(q->recurrent_weights, p->units, eights, h, sums + GC_SUMS_OF_PART);
  activate(q, (uint32_t)eights, sums, gates);
}

GC_NOINLINE void gc_cells_fast_path(const gc_lstm* p, uint32_t eights, const int16_t* gates,
                                    int16_t* cell /* (eights, 8) */, void* out /* (eights, 8) */) {
  gc_cells_of(p, eights, gates, cell, out, GC_FAST_PATH, GC_INT8_OUTPUTS);
}
GC_NOINLINE void gc_cells_generic(const gc_lstm* p, uint32_t eights, const int16_t* gates,
                                  int16_t* cell /* (eights, 8) */, void* out /* (eights, 8) */) {
  gc_cells_of(p, eights, gates, cell, out, GC_GENERIC, GC_INT8_OUTPUTS);
}

/* One gate of the last eight units: see gc_last_eight. Rows of the batch: x0 and x1 (inputs), h0 and
   h1 (units). gates (64), a view of the buffer at these units. */
GC_NOINLINE void gc_last_gate(const gc_lstm* p, const gc_lstm_gate* q, gc_sums_function x_sums,
                              gc_sums_function h_sums, gc_activate_function activate,
                              const int8_t* x0, const int8_t* x1, const int8_t* h0,
                              const int8_t* h1, int16_t* gates) {
  const int32_t inputs = p->inputs, units = p->units, from = gc_last_eight(units);
  gc_lstm_gate last = *q;
  int32_t sums[GC_SUMS_OF_EIGHT], biases[2][8]; /* (input or recurrent, 8) */
  if (units > 8) {
    last.input_bias += from, last.recurrent_bias += from;
    x_sums(q->input_weights + from * inputs, inputs, 1, x0, x1, sums);
    h_sums(q->recurrent_weights + from * units, units, 1, h0, h1, sums + GC_SUMS_OF_PART);
  } else { /* fewer biases than a vector has lanes */
    gc_copy_bytes((int8_t*)biases[0], (const int8_t*)q->input_bias, 4 * units);
    gc_copy_bytes((int8_t*)biases[1], (const int8_t*)q->recurrent_bias, 4 * units);
    last.input_bias = biases[0], last.recurrent_bias = biases[1];
    gc_sums_with_bias(q->input_weights, inputs, units, x0, x1, 0, sums);
    gc_sums_with_bias(q->recurrent_weights, units, units, h0, h1, 0, sums + GC_SUMS_OF_PART);
  }
  activate(&last, 1, sums, gates);
}

void gc_lstm_helium_s8(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                       int8_t* out, void* scratch) {
  const int32_t inputs = p->inputs, units = p->units, batch = p->batch;
  /* cppcheck-suppress unreadVariable ; it does not see the uses below */
  const int32_t eights = units / 8;
  const int32_t rest = units % 8;
  const gc_sums_function x_sums = gc_sums_of(inputs), h_sums = gc_sums_of(units);
  const gc_cells cells = gc_cells_have_fast_path(p) ? gc_cells_fast_path : gc_cells_generic;
  const gc_lstm_gate* const all[4] = {&p->input, &p->forget, &p->cell, &p->output};
  const gc_rows rows = batch == 1 ? GC_ONE_ROW : GC_TWO_ROWS;
  gc_activate_function activate[4];
  for (int32_t g = 0; g < 4; ++g)
    activate[g] = gc_activate_of(g == 2 ? GC_TANH : GC_LOGISTIC, all[g], rows);
  int32_t* const sums = scratch;
  int16_t* const gates = (int16_t*)&sums[eights * GC_SUMS_OF_EIGHT];
  int16_t* const last_gates = &gates[eights * GC_GATES_OF_EIGHT];
  for (int32_t t = 0; t < p->steps; ++t) {
    const int8_t* h = hidden;
    int16_t* c = cell;
    for (int32_t left = batch; left > 0; left -= 2, in += 2 * inputs, h += 2 * units) {
      const int32_t last = left > 1; /* an odd batch repeats its last row */
      const int8_t *x1 = last ? in + inputs : in, *h1 = last ? h + units : h;
      for (int32_t g = 0; g < 4; ++g) {
        const gc_lstm_gate* q = all[g];
        if (rows == GC_ONE_ROW) {
          gc_gate_one_row(p, q, activate[g], in, h, sums, gates + 8 * g);
        } else {
          x_sums(q->input_weights, inputs, eights, in, x1, sums);
          h_sums(q->recurrent_weights, units, eights, h, h1, sums + GC_SUMS_OF_PART);
          activate[g](q, (uint32_t)eights, sums, gates + 8 * g);
        }
        if (rest > 0)
          gc_last_gate(p, q, x_sums, h_sums, activate[g], in, x1, h, h1, last_gates + 8 * g);
      }
      for (int32_t row = 0; row <= last; ++row, c += units, out += units) {
        cells(p, (uint32_t)eights, gates + row * GC_GATES_OF_ROW, c, out);
        if (rest > 0)
          gc_last_cells(p, cells, last_gates + row * GC_GATES_OF_ROW, c, out, GC_INT8_OUTPUTS);
      }
      if (!last) in -= inputs;
    }
    gc_copy_bytes(hidden, out - batch * units, batch * units);
  }
}

#endif
