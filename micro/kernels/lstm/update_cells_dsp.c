#include "micro/kernels/dsp.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE
#include "micro/kernels/lstm/lstm_dsp.h"

/* A product of a gate that is not negative and of x, plus half of the divisor. 1 is added too, or
   subtracted where x is negative: this combines both roundings of the portable variant. */
#define GC_ADD_PRODUCT(y, product, gate, x, sign_bit, half_plus_1)                     \
  do {                                                                                 \
    int32_t sign;                                                                      \
    __asm__("sbfx %0, %1, %2, #1" : "=r"(sign) : "r"(x), "n"(sign_bit));               \
    __asm__(product " %0, %1, %2, %3"                                                  \
            : "=r"(y)                                                                  \
            : "r"(gate), "r"(x), "r"((half_plus_1) + (int32_t)((uint32_t)sign << 1))); \
  } while (0)

/* Four cells of every row. Multiplier and shift of the update are those of a power of two, and
   cells are not clipped. */
static void gc_update_usual_cells(const gc_lstm* p, const gc_pair* gates, int32_t words,
                                  int32_t rows, int16_t* cell) {
  const int32_t right = 1 - p->update.shift, half = (1 << (right - 1)) + 1, units = p->units;
  int32_t kept_half = (1 << 14) + 1;
  __asm__("" : "+r"(kept_half));
  const gc_pair *forget = gates + words, *other = forget + words;
  for (const gc_pair* end = gates + 2 * rows; gates != end; cell += units) {
    GC_UNROLL(2)
    for (int32_t i = 0; i < 4; i += 2) {
      const gc_pair c = gc_load_pair(cell + i), f = *forget++, in = *gates++, g = *other++;
      int32_t kept0, kept1, added0, added1;
      GC_ADD_PRODUCT(kept0, "smlabb", f, c, 15, kept_half);
      GC_ADD_PRODUCT(kept1, "smlatt", f, c, 31, kept_half);
      GC_ADD_PRODUCT(added0, "smlabb", in, g, 15, half);
      GC_ADD_PRODUCT(added1, "smlatt", in, g, 31, half);
      const gc_pair sum =
          gc_qadd16(gc_pack(kept0 >> 15, kept1, 1), gc_pack(added0 >> right, added1 >> right, 16));
      memcpy(cell + i, &sum, 4);
    }
  }
}

/* The same for any scale, with clipping, and for the first `count` of four units. */
static void gc_update_any_cells(const gc_lstm* p, const gc_pair* gates, int32_t words, int32_t rows,
                                int32_t count, int16_t* cell) {
  const uint32_t doubled = gc_doubled(p->update.multiplier);
  const int32_t right = -p->update.shift, clip = p->cell_clip;
  const int16_t *input = (const int16_t*)gates, *forget = input + 2 * words,
                *other = forget + 2 * words;
  for (int32_t r = 0; r < rows; ++r, input += 4, forget += 4, other += 4, cell += p->units) {
    for (int32_t i = 0; i < count; ++i) {
      const int32_t kept = forget[i] * cell[i];
      const int32_t added = gc_rescale_fast(input[i] * other[i], doubled, right, 0);
      int32_t c = gc_ssat(((kept + 16384 + (kept >> 31 | 1)) >> 15) + gc_ssat(added, 16), 16);
      if (clip > 0) c = gc_clamp(c, -clip, clip);
      cell[i] = (int16_t)c;
    }
  }
}

void gc_update_cells_dsp(const gc_lstm* p, const gc_pair* gates, int32_t words, int32_t rows,
                         int32_t count, int16_t* cell) {
  if (count == 4 && p->update.multiplier == 1 << 30 && p->update.shift <= -14 &&
      p->cell_clip <= 0) {
    gc_update_usual_cells(p, gates, words, rows, cell);
  } else {
    gc_update_any_cells(p, gates, words, rows, count, cell);
  }
}

#endif
