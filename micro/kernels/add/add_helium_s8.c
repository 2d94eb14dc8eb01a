#include "micro/kernels/add/add.h"
#include "micro/kernels/helium.h"

#ifdef GC_HELIUM

GC_HELIUM_OPTIMIZE

/* Constants for one vector of eight elements. The scale of one operand is exactly half: see the
   variant for the DSP extension. */
typedef struct {
  int32_t x_zero, y_zero; /* the contribution of the zero points, to values * 16 and * 8 */
  gc_scale x, sum;
  int32_t zero_point;
} gc_addition;

/* Whether the scale of the operand x shifts it to the right, or not at all. */
typedef enum { GC_NO_SHIFT, GC_SHIFT_RIGHT } gc_x_shift;

/* Adds eight elements. Values minus their zero point are shifted to the left by 20 and 19 bits in
   two steps, the first for all eight lanes. The sum is always shifted to the right. */
GC_ALWAYS_INLINE int16x8_t gc_add_lanes(const gc_addition* s, int16x8_t x, int16x8_t y,
                                        gc_x_shift kind) {
  const int32_t x_shift = kind == GC_SHIFT_RIGHT ? s->x.shift : 0;
  if ((kind == GC_SHIFT_RIGHT && x_shift >= 0) || s->sum.shift >= 0) __builtin_unreachable();
  x = vmlasq_n_s16(x, vdupq_n_s16(16), (int16_t)s->x_zero),
  y = vmlasq_n_s16(y, vdupq_n_s16(8), (int16_t)s->y_zero);
  int32x4_t even = gc_rescale_all(vshllbq_n_s16(x, 16), s->x.multiplier, x_shift);
  int32x4_t odd = gc_rescale_all(vshlltq_n_s16(x, 16), s->x.multiplier, x_shift);
  even = gc_rescale_all(vaddq_s32(even, vshllbq_n_s16(y, 16)), s->sum.multiplier, s->sum.shift);
  odd = gc_rescale_all(vaddq_s32(odd, vshlltq_n_s16(y, 16)), s->sum.multiplier, s->sum.shift);
  return gc_narrow_bytes(vqaddq_n_s16(gc_narrow(even, odd), (int16_t)s->zero_point));
}

/* Adds `count` vectors of eight, which follow each other: x, y and out (count, 8). */
GC_NOINLINE void gc_add_eights(const gc_addition* s, const int8_t* x, const int8_t* y, int8_t* out,
                               uint32_t count) {
  /* a local copy stays in registers: no store through out can change it */
  const gc_addition own = *s;
  for (; count > 0; --count) {
    const int16x8_t u = vldrbq_s16(x), v = vldrbq_s16(y);
    GC_NEXT(x, 8);
    GC_NEXT(y, 8);
    vstrbq_s16(out, gc_add_lanes(&own, u, v, GC_SHIFT_RIGHT));
    GC_NEXT(out, 8);
  }
}

/* Adds rows of any length. x_row and y_row are the strides between rows; out is (rows, columns). */
GC_NOINLINE void gc_add_rows(const gc_add* p, const gc_addition* s, const int8_t* x, int32_t x_row,
                             const int8_t* y, int32_t y_row, int8_t* out, gc_x_shift kind) {
  for (int32_t r = p->rows; r > 0; --r, x += x_row, y += y_row, out += p->columns) {
    for (int32_t c = 0; c < p->columns; c += 8) {
      const mve_pred16_t here = vctp16q((uint32_t)(p->columns - c));
      const int16x8_t u = vldrbq_z_s16(x + c, here), v = vldrbq_z_s16(y + c, here);
      vstrbq_p_s16(out + c,
                   kind == GC_SHIFT_RIGHT ? gc_add_lanes(s, u, v, GC_SHIFT_RIGHT)
                                          : gc_add_lanes(s, u, v, GC_NO_SHIFT),
                   here);
    }
  }
}

void gc_add_helium_s8(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out) {
  const int swap = !gc_is_half(&p->b_scale);
  const gc_operand *of_x = swap ? &p->b : &p->a, *of_y = swap ? &p->a : &p->b;
  const int8_t *x = swap ? b : a, *y = swap ? a : b;
  const gc_addition s = {-16 * of_x->zero_point, -8 * of_y->zero_point,
                         swap ? p->b_scale : p->a_scale, p->scale, p->zero_point};
  const gc_x_shift kind = s.x.shift < 0 ? GC_SHIFT_RIGHT : GC_NO_SHIFT;
  if (kind == GC_SHIFT_RIGHT && p->columns % 8 == 0) {
    /* rows of both operands that follow each other are one long row */
    const int one_row = p->rows == 1 || (of_x->row == p->columns && of_y->row == p->columns);
    const int32_t rows = one_row ? 1 : p->rows,
                  columns = one_row ? p->rows * p->columns : p->columns;
    for (int32_t r = 0; r < rows; ++r)
      gc_add_eights(&s, x + r * of_x->row, y + r * of_y->row, out + r * columns,
                    (uint32_t)columns / 8);
  } else {
    gc_add_rows(p, &s, x, of_x->row, y, of_y->row, out, kind);
  }
  gc_clamp_bytes(out, p->rows * p->columns, p->low, p->high);
}

#endif
