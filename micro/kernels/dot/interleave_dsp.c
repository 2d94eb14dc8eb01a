#include "micro/kernels/dot/dot.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* Loads up to four bytes, p (count), and pads them with zeros. */
static inline uint32_t gc_load_some(const int8_t* p, int32_t count) {
  if (count >= 4) return gc_load4(p);
  uint32_t x = count > 0 ? (uint8_t)p[0] : 0;
  if (count > 1) x |= (uint32_t)(uint8_t)p[1] << 8;
  if (count > 2) x |= (uint32_t)(uint8_t)p[2] << 16;
  return x;
}

/* Halfwords times 2^left; keep clears the bits that would be carried into the other halfword. */
GC_ALWAYS_INLINE gc_pair gc_shifted(gc_pair x, uint32_t keep, int32_t left) {
  return left == 0 ? x : (gc_pair)(((uint32_t)x & keep) << left);
}

/* gc_interleave_dsp_2 of eights, at least one, without the shift, or with what `more` does. */
#define GC_TWICE(r) "sadd16 " r ", " r ", " r "\n\t"
#define GC_SHIFT(r) "and " r ", %[keep]\n\tlsl " r ", %[left]\n\t"
#define GC_INTERLEAVE_FOUR(more)                               \
  "ldr r6, [%[a]], #4\n\t"                                     \
  "ldr r8, [%[b]], #4\n\t"                                     \
  "sxtb16 r4, r6\n\t"                                          \
  "sxtb16 r5, r8\n\t"                                          \
  "sxtb16 r6, r6, ror #8\n\t"                                  \
  "sxtb16 r8, r8, ror #8\n\t" more("r4") more("r5") more("r6") \
      more("r8") "stmia %[out]!, {r4, r5, r6, r8}\n\t"
#define GC_INTERLEAVE_EIGHTS(more, ...) \
  __asm__ volatile("0:\n\t" GC_INTERLEAVE_FOUR(more) GC_INTERLEAVE_FOUR(more) \
                   "subs %[n], #1\n\t"                                       \
                   "bne 0b"                                                  \
                   : [a] "+r"(a), [b] "+r"(b), [out] "+r"(out), [n] "+r"(eights) \
                   : __VA_ARGS__                                             \
                   : "r4", "r5", "r6", "r8", "cc", "memory")
#define GC_NOTHING(r)

/* The last elements of two rows, a and b (count), 1 to 7. */
static void gc_interleave_rest(const int8_t* a, const int8_t* b, int32_t count, uint32_t keep,
                               int32_t left, gc_pair* out) {
  for (int32_t i = 0; i < 8; i += 4, out += 4) {
    if (i >= count) {
      out[0] = out[1] = out[2] = out[3] = 0;
      continue;
    }
    const uint32_t x = gc_load_some(a + i, count - i), y = gc_load_some(b + i, count - i);
    out[0] = gc_shifted(gc_even(x), keep, left), out[1] = gc_shifted(gc_even(y), keep, left);
    out[2] = gc_shifted(gc_odd(x), keep, left), out[3] = gc_shifted(gc_odd(y), keep, left);
  }
}

void gc_interleave_dsp_2(const int8_t* in, int32_t rows, int32_t count, int32_t left,
                         gc_pair* out) {
  const uint32_t keep = (0xffffu >> left) * 0x10001u;
  const int32_t whole = count / 8, rest = count % 8;
  for (; rows > 0; rows -= 2) {
    const int8_t *a = in, *b = rows > 1 ? in + count : in;
    int32_t eights = whole;
    in = b + count;
    if (eights > 0 && left == 0) {
      GC_INTERLEAVE_EIGHTS(GC_NOTHING, );
    } else if (eights > 0 && left == 1) {
      GC_INTERLEAVE_EIGHTS(GC_TWICE, );
    } else if (eights > 0) {
      GC_INTERLEAVE_EIGHTS(GC_SHIFT, [keep] "r"(keep), [left] "r"(left));
    }
    if (rest > 0) {
      gc_interleave_rest(a, b, rest, keep, left, out);
      out += GC_TWO_ROWS(1);
    }
  }
}

void gc_interleave_dsp_4(const int8_t* w, int32_t rows, int32_t count, int32_t left, gc_pair* out) {
  gc_pair* to = out;
  int32_t i = 0;
  for (const int8_t* w2 = w + 2 * count; left == 0 && rows >= 4 && i + 4 <= count;
       i += 4, to += 8) {
    const uint32_t a = gc_load4(w + i), b = gc_load4(w + count + i), c = gc_load4(w2 + i),
                   d = gc_load4(w2 + count + i);
    to[0] = gc_even(a), to[1] = gc_even(b), to[2] = gc_even(c), to[3] = gc_even(d);
    to[4] = gc_odd(a), to[5] = gc_odd(b), to[6] = gc_odd(c), to[7] = gc_odd(d);
  }
  for (; i < count || i % 8 != 0; i += 4, to += 8) {
    if (i >= count) {
      memset(to, 0, 8 * sizeof(gc_pair));
      continue;
    }
    for (int32_t r = 0; r < 4; ++r) {
      const uint32_t x = gc_load_some(w + (r < rows ? r : rows - 1) * count + i, count - i);
      to[r] = gc_even(x), to[4 + r] = gc_odd(x);
    }
  }
  const uint32_t keep = (0xffffu >> left) * 0x10001u;
  for (const gc_pair* end = out + GC_FOUR_ROWS(gc_eights(count)); left > 0 && out != end; out += 2)
    out[0] = gc_shifted(out[0], keep, left), out[1] = gc_shifted(out[1], keep, left);
}

void gc_dot_any_rows(const gc_dot* d, int32_t rows) {
  gc_dot some = *d;
  int32_t bias[4] = {0};
  memcpy(bias, d->bias, (size_t)rows * sizeof(int32_t));
  some.bias = bias, some.count = 0;
  gc_interleave_dsp_4(d->bytes, rows, d->count, d->weights_left, d->w);
  gc_dot_dsp_4x2(&some);
}

#endif
