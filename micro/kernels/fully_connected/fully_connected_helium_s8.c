#include "micro/kernels/dot/dot.h"
#include "micro/kernels/fully_connected/fully_connected.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

/* The fast path is for shifts to the right, which is what real networks have. */
typedef enum { GC_GENERIC, GC_FAST_PATH } gc_path;

/* Returns whether every shift (count) is to the right. */
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

/* Scaled sums plus the zero point as int8 values, each in a 32-bit lane. */
GC_ALWAYS_INLINE int32x4_t gc_bytes_of(int32x4_t y, int32_t zero_point) {
  y = vaddq_n_s32(y, zero_point);
  __asm__("vqmovnb.s32 %q0, %q0\n\tvqmovnb.s16 %q0, %q0" : "+w"(y));
  return y;
}

/* Scales four sums to outputs, each an int8 value in a 32-bit lane. */
GC_ALWAYS_INLINE int32x4_t gc_output_lanes(int32x4_t sums, int32x4_t multiplier, int32x4_t shift,
                                           int32_t zero_point, gc_path path) {
  int32x4_t y;
  if (path == GC_FAST_PATH) {
    y = vrshlq_s32(gc_decrement_where_negative(vqrdmulhq_s32(sums, multiplier)), shift);
  } else {
    y = gc_rescale_lanes(sums, multiplier, vmaxq_s32(shift, vdupq_n_s32(0)),
                         vminq_s32(shift, vdupq_n_s32(0)));
  }
  return gc_bytes_of(y, zero_point);
}

/* In the functions below, p begins at the first output to compute, and `outputs` is how many
   follow, a multiple of four. `stride` is the distance of two rows of out. */

/* Computes one row: x (inputs), y (outputs). */
GC_ALWAYS_INLINE void gc_row_of(const gc_fully_connected* p, int32_t outputs, const int8_t* x,
                                int8_t* y, gc_path path) {
  const int32_t n = p->inputs, zero_point = p->zero_point;
  const int8_t *w = p->weights, *shift = p->shift;
  const int32_t *bias = p->bias, *multiplier = p->multiplier;
  for (uint32_t i = (uint32_t)outputs / 4; i > 0;
       --i, w += 4 * n, bias += 4, multiplier += 4, shift += 4, y += 4) {
    const int32x4_t sums =
        vaddq_s32(gc_dot_lanes(w, w + n, w + 2 * n, w + 3 * n, x, n), vldrwq_s32(bias));
    vstrbq_s32(y,
               gc_output_lanes(sums, vldrwq_s32(multiplier), vldrbq_s32(shift), zero_point, path));
  }
}
GC_NOINLINE void gc_row_fast_path(const gc_fully_connected* p, int32_t outputs,
                                  const int8_t* x /* (inputs) */, int8_t* y /* (outputs) */) {
  gc_row_of(p, outputs, x, y, GC_FAST_PATH);
}
GC_NOINLINE void gc_row_generic(const gc_fully_connected* p, int32_t outputs,
                                const int8_t* x /* (inputs) */, int8_t* y /* (outputs) */) {
  gc_row_of(p, outputs, x, y, GC_GENERIC);
}

/* Computes one row of fewer than four outputs: x (inputs), y (p->outputs). The last row of weights
   is repeated. */
GC_NOINLINE void gc_row_few_outputs(const gc_fully_connected* p, const int8_t* x, int8_t* y) {
  const int32_t n = p->inputs, count = p->outputs;
  const mve_pred16_t here = vctp32q((uint32_t)count);
  const int8_t *w0 = p->weights, *w1 = count > 1 ? w0 + n : w0, *w2 = count > 2 ? w1 + n : w1;
  const int32x4_t sums = vaddq_s32(gc_dot_lanes(w0, w1, w2, w2, x, n), vldrwq_z_s32(p->bias, here));
  vstrbq_p_s32(y,
               gc_output_lanes(sums, vldrwq_z_s32(p->multiplier, here),
                               vldrbq_z_s32(p->shift, here), p->zero_point, GC_GENERIC),
               here);
}

/* Computes pairs of rows of n inputs, 16 .. 32: x (rows, n), out (rows, stride). Both rows stay in
   registers, as inputs 0 .. 15 and the last 16. Where these overlap, the last 16 are 0 in the
   registers, so that the products count once. Leaves the last one of an odd number of rows to the
   caller. Every shift is to the right. */
GC_ALWAYS_INLINE void gc_two_rows_of(const gc_fully_connected* p, int32_t outputs, int32_t stride,
                                     const int8_t* x, int8_t* out, int32_t n) {
  const int32_t zero_point = p->zero_point, last = n - 16;
  const mve_pred16_t once = (mve_pred16_t)~vctp8q((uint32_t)(32 - n));
  for (int32_t rows = p->rows; rows > 1; rows -= 2, x += 2 * n, out += 2 * stride) {
    const int8x16_t a0 = vldrbq_s8(x), b0 = vldrbq_s8(x + n);
    const int8x16_t a1 = n == 32 ? vldrbq_s8(x + last) : vldrbq_z_s8(x + last, once),
                    b1 = n == 32 ? vldrbq_s8(x + n + last) : vldrbq_z_s8(x + n + last, once);
    const int8_t *w = p->weights, *shift = p->shift;
    const int32_t *bias = p->bias, *multiplier = p->multiplier;
    int8_t *y = out, *z = out + stride;
    for (uint32_t i = (uint32_t)outputs / 4; i > 0;
         --i, w += 4 * n, bias += 4, multiplier += 4, shift += 4, y += 4, z += 4) {
      int32_t s, t, u, v;
#define GC_TWO_DOTS(s, t, at)                                                          \
  do {                                                                                 \
    int8x16_t of = vldrbq_s8(w + (at));                                                \
    s = vmladavq_s8(a0, of), t = vmladavq_s8(b0, of), of = vldrbq_s8(w + (at) + last); \
    s = vmladavaq_s8(s, a1, of), t = vmladavaq_s8(t, b1, of);                          \
  } while (0)
      GC_TWO_DOTS(s, t, 0);
      GC_TWO_DOTS(u, v, 2 * n);
      int32x4_t c = gc_even_lanes(s, u), d = gc_even_lanes(t, v);
      GC_TWO_DOTS(s, t, n);
      GC_TWO_DOTS(u, v, 3 * n);
      c = gc_odd_lanes(c, s, u), d = gc_odd_lanes(d, t, v);
      /* Memory clobbers: nothing is loaded earlier or kept, so that the rows stay in registers. */
      __asm__("" : "+w"(c), "+w"(d) : : "memory");
      c = vaddq_s32(c, vldrwq_s32(bias)), d = vaddq_s32(d, vldrwq_s32(bias));
      __asm__("" : "+w"(c), "+w"(d) : : "memory");
      c = vqrdmulhq_s32(c, vldrwq_s32(multiplier)), d = vqrdmulhq_s32(d, vldrwq_s32(multiplier));
      __asm__("" : "+w"(c), "+w"(d) : : "memory");
      const int32x4_t shifts = vldrbq_s32(shift);
      c = vrshlq_s32(gc_decrement_where_negative(c), shifts);
      d = vrshlq_s32(gc_decrement_where_negative(d), shifts);
      vstrbq_s32(y, gc_bytes_of(c, zero_point));
      vstrbq_s32(z, gc_bytes_of(d, zero_point));
    }
  }
}
GC_NOINLINE void gc_two_rows(const gc_fully_connected* p, int32_t outputs, int32_t stride,
                             const int8_t* x /* (rows, 16 .. 32) */,
                             int8_t* out /* (rows, stride) */) {
  gc_two_rows_of(p, outputs, stride, x, out, p->inputs);
}
/* A constant number of inputs makes all addresses of weights constant offsets. */
GC_NOINLINE void gc_two_rows_24(const gc_fully_connected* p, int32_t outputs, int32_t stride,
                                const int8_t* x /* (rows, 24) */,
                                int8_t* out /* (rows, stride) */) {
  gc_two_rows_of(p, outputs, stride, x, out, 24);
}
GC_NOINLINE void gc_two_rows_32(const gc_fully_connected* p, int32_t outputs, int32_t stride,
                                const int8_t* x /* (rows, 32) */,
                                int8_t* out /* (rows, stride) */) {
  gc_two_rows_of(p, outputs, stride, x, out, 32);
}

/* Computes rows of at most 16 inputs: in (rows, inputs), out (rows, stride). The weights of four
   outputs stay in registers for all rows. Every shift is to the right. */
GC_NOINLINE void gc_few_inputs(const gc_fully_connected* p, int32_t outputs, int32_t stride,
                               const int8_t* in, int8_t* out) {
  const int32_t n = p->inputs, zero_point = p->zero_point;
  const int8_t* w = p->weights;
  const mve_pred16_t here = vctp8q((uint32_t)n);
  for (int32_t o = 0; o < outputs; o += 4, w += 4 * n) {
    const int32x4_t bias = vldrwq_s32(p->bias + o), multiplier = vldrwq_s32(p->multiplier + o),
                    shift = vldrbq_s32(p->shift + o);
    const int8_t* x = in;
    int8_t* y = out + o;
#define GC_EVERY_ROW(type, of, load, n)                                                            \
  const type v0 = load(w), v1 = load(w + n), v2 = load(w + 2 * n), v3 = load(w + 3 * n);           \
  for (uint32_t r = (uint32_t)p->rows; r > 0; --r, y += stride) {                                  \
    const type a = load(x);                                                                        \
    GC_NEXT(x, n);                                                                                 \
    const int32x4_t s = gc_lanes(vmladavq_##of(a, v0), vmladavq_##of(a, v1), vmladavq_##of(a, v2), \
                                 vmladavq_##of(a, v3));                                            \
    vstrbq_s32(y,                                                                                  \
               gc_output_lanes(vaddq_s32(s, bias), multiplier, shift, zero_point, GC_FAST_PATH));  \
  }
#define GC_LOAD_SOME(at) vldrbq_z_s8(at, here)
    if (n == 8) {
      GC_EVERY_ROW(int16x8_t, s16, vldrbq_s16, 8)
    } else if (n == 16) {
      GC_EVERY_ROW(int8x16_t, s8, vldrbq_s8, 16)
    } else {
      GC_EVERY_ROW(int8x16_t, s8, GC_LOAD_SOME, n)
    }
  }
}

/* Computes one row of 16 inputs: x (16), y (outputs). The row stays in a register. Every shift is
   to the right. */
GC_NOINLINE void gc_row_16(const gc_fully_connected* p, int32_t outputs, const int8_t* x,
                           int8_t* y) {
  const int32_t zero_point = p->zero_point;
  const int8_t *w = p->weights, *shift = p->shift;
  const int32_t *bias = p->bias, *multiplier = p->multiplier;
  const int8x16_t a = vldrbq_s8(x);
  for (uint32_t i = (uint32_t)outputs / 4; i > 0; --i) {
    const int32x4_t s =
        gc_lanes(vmladavq_s8(a, vldrbq_s8(w)), vmladavq_s8(a, vldrbq_s8(w + 16)),
                 vmladavq_s8(a, vldrbq_s8(w + 32)), vmladavq_s8(a, vldrbq_s8(w + 48)));
    w += 64;
    const int32x4_t sums = vaddq_s32(s, vldrwq_s32(bias));
    GC_NEXT(bias, 4);
    const int32x4_t multipliers = vldrwq_s32(multiplier);
    GC_NEXT(multiplier, 4);
    const int32x4_t shifts = vldrbq_s32(shift);
    GC_NEXT(shift, 4);
    vstrbq_s32(y, gc_output_lanes(sums, multipliers, shifts, zero_point, GC_FAST_PATH));
    GC_NEXT(y, 4);
  }
}

/* Computes all rows: in (rows, inputs), out (rows, stride). */
static void gc_all_rows(const gc_fully_connected* p, int32_t outputs, int32_t stride,
                        const int8_t* in, int8_t* out, gc_path path) {
  const int32_t n = p->inputs, rows = p->rows;
  int32_t done = 0;
  if (path == GC_FAST_PATH && n == 16 && rows == 1) {
    gc_row_16(p, outputs, in, out);
    return;
  }
  if (path == GC_FAST_PATH && n <= 16) {
    gc_few_inputs(p, outputs, stride, in, out);
    return;
  }
  if (path == GC_FAST_PATH && n <= 32 && rows > 1) {
    (n == 32   ? gc_two_rows_32
     : n == 24 ? gc_two_rows_24
               : gc_two_rows)(p, outputs, stride, in, out);
    done = rows & ~1;
  }
  for (int32_t r = done; r < rows; ++r)
    (path == GC_FAST_PATH ? gc_row_fast_path : gc_row_generic)(p, outputs, in + r * n,
                                                               out + r * stride);
}

void gc_fully_connected_helium_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  const int32_t rows = p->rows, outputs = p->outputs;
  const gc_path path = gc_all_right(p->shift, outputs) ? GC_FAST_PATH : GC_GENERIC;
  if (outputs < 4) {
    for (int32_t r = 0; r < rows; ++r) gc_row_few_outputs(p, in + r * p->inputs, out + r * outputs);
  } else {
    gc_all_rows(p, outputs & ~3, outputs, in, out, path);
  }
  if (outputs > 4 && outputs % 4 != 0) { /* the last four, some of them for the second time */
    const int32_t from = outputs - 4;
    gc_fully_connected last = *p;
    last.weights += from * p->inputs;
    last.bias += from, last.multiplier += from, last.shift += from;
    gc_all_rows(&last, 4, outputs, in, out + from, path);
  }
  gc_clamp_bytes(out, rows * outputs, p->low, p->high);
}

#endif
