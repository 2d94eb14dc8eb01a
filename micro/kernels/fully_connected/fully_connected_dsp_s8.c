#include "micro/kernels/dot/dot.h"
#include "micro/kernels/fully_connected/fully_connected.h"

#ifdef GC_DSP

GC_DSP_OPTIMIZE

/* One sum, scaled to an output: see gc_rescale_fast. */
static inline int8_t gc_output(int32_t sum, int32_t multiplier, int32_t shift, int32_t zero_point) {
  return (int8_t)gc_ssat(gc_rescale_fast(sum, gc_doubled(multiplier), -shift, zero_point), 8);
}

/* The scale of an output: see gc_rescale_fast. */
typedef struct {
  uint32_t doubled;
  int32_t right;
} gc_output_scale;

/* Scales the sums a and b of one output of two rows. Registers: r10 and r11 the scale, r4 the zero
   point. The end of a stands where the M33 would wait for b. */
#define GC_SCALE_PAIR(a, b)      \
  "smmlar " a ", " a ", r10, " a \
  "\n\t"                         \
  "smmlar " b ", " b ", r10, " b \
  "\n\t"                         \
  "adds " a ", " a ", " a        \
  ", asr #31\n\t"                \
  "asrs " a ", " a               \
  ", r11\n\t"                    \
  "adc " a ", " a                \
  ", r4\n\t"                     \
  "adds " b ", " b ", " b        \
  ", asr #31\n\t"                \
  "ssat " a ", #8, " a           \
  "\n\t"                         \
  "asrs " b ", " b               \
  ", r11\n\t"                    \
  "adc " b ", " b                \
  ", r4\n\t"                     \
  "ssat " b ", #8, " b "\n\t"

/* Scales sums (pairs, 2 rows, 4 outputs) until end to out (2 pairs, outputs). scales (4). A function
   without a frame of the compiler, because it needs all registers. */
__attribute__((naked, noinline)) static void gc_scale_pairs(const int32_t* sums GC_UNUSED,
                                                            const int32_t* end GC_UNUSED,
                                                            const gc_output_scale* scales GC_UNUSED,
                                                            int8_t* out GC_UNUSED,
                                                            int32_t outputs GC_UNUSED,
                                                            int32_t zero_point GC_UNUSED) {
  __asm__(
      "push {r4-r11, lr}\n\t"
      "ldrd r5, r4, [sp, #36]\n\t" /* outputs, zero_point */
      "add ip, r3, r5\n\t"         /* the second row of a pair */
      "lsl r5, r5, #1\n\t"
      ".balign 4\n"
      "0:\n\t"
      "ldrd r10, r11, [r2]\n\t"
      "ldr r6, [r0]\n\t"
      "ldr r7, [r0, #16]\n\t"
      "ldr r8, [r0, #4]\n\t"
      "ldr r9, [r0, #20]\n\t" GC_SCALE_PAIR("r6", "r7")
      "ldrd r10, r11, [r2, #8]\n\t" GC_SCALE_PAIR("r8", "r9")
      "strb r6, [r3]\n\t"
      "strb r7, [ip]\n\t"
      "strb r8, [r3, #1]\n\t"
      "strb r9, [ip, #1]\n\t"
      "ldrd r10, r11, [r2, #16]\n\t"
      "ldr r6, [r0, #8]\n\t"
      "ldr r7, [r0, #24]\n\t"
      "ldr r8, [r0, #12]\n\t"
      "ldr r9, [r0, #28]\n\t" GC_SCALE_PAIR("r6", "r7")
      "ldrd r10, r11, [r2, #24]\n\t" GC_SCALE_PAIR("r8", "r9")
      "strb r6, [r3, #2]\n\t"
      "strb r7, [ip, #2]\n\t"
      "strb r8, [r3, #3]\n\t"
      "strb r9, [ip, #3]\n\t"
      "add r0, r0, #32\n\t"
      "add r3, r3, r5\n\t"
      "add ip, ip, r5\n\t"
      "cmp r0, r1\n\t"
      "bne 0b\n\t"
      "pop {r4-r11, pc}\n\t");
}

/* Scales sums (rows, 4) of outputs o to o + count - 1, at most 4, to out (rows, outputs). */
static void gc_scale_rows(const gc_fully_connected* p, int32_t o, int32_t count,
                          const int32_t* sums, int32_t rows, int8_t* out) {
  int32_t r = 0;
  if (count == 4 && rows >= 2) {
    gc_output_scale scales[4];
    GC_UNROLL(4)
    for (int32_t i = 0; i < 4; ++i) {
      const int32_t right = -p->shift[o + i];
      scales[i].doubled = gc_doubled(p->multiplier[o + i]), scales[i].right = right;
    }
    r = rows & ~1;
    gc_scale_pairs(sums, sums + 4 * r, scales, out + o, p->outputs, p->zero_point);
  }
  for (; r < rows; ++r) {
    for (int32_t i = o; i < o + count; ++i)
      out[r * p->outputs + i] =
          gc_output(sums[4 * r + i - o], p->multiplier[i], p->shift[i], p->zero_point);
  }
}

/* Words on the stack for several rows: weights of four outputs, pairs of rows, and their sums. */
enum { GC_ROWS_WORDS = 304 };

/* Returns how many pairs of rows fit into these words. */
static int32_t gc_pairs_in_block(int32_t eights) {
  return (GC_ROWS_WORDS - GC_FOUR_ROWS(eights)) / (GC_TWO_ROWS(eights) + 8);
}

/* Computes all outputs of as many rows as fit into a block; an odd number of rows repeats the last
   one. Everything is widened to halfwords once. */
GC_NOINLINE void gc_several_rows(const gc_fully_connected* p, int32_t rows, const int8_t* in,
                                 int8_t* out) {
  gc_pair buffer[GC_ROWS_WORDS] __attribute__((aligned(8)));
  const int32_t n = p->inputs, outputs = p->outputs, eights = gc_eights(n), pairs = (rows + 1) / 2;
  gc_pair *x = buffer,
          *w = x + pairs * GC_TWO_ROWS(eights); /* (pairs, GC_TWO_ROWS), (GC_FOUR_ROWS) */
  int32_t* sums = w + GC_FOUR_ROWS(eights);     /* (pairs, 2, 4) */
  gc_dot dot = {w, x, w, sums, p->bias, 0, eights, p->weights, n, 0};
  gc_interleave_dsp_2(in, rows, n, 0, x);
  for (int32_t next = 0; next < outputs; next += 4) {
    /* The last four outputs can overlap those before: four rows of weights are faster than fewer. */
    const int32_t o = next + 4 <= outputs || outputs < 4 ? next : outputs - 4,
                  real = outputs < 4 ? outputs : 4;
    dot.bias = p->bias + o, dot.bytes = p->weights + o * n;
    gc_dot_rows(&dot, real);
    gc_scale_rows(p, o, real, sums, rows, out);
  }
}

/* Computes output o of one row: in (inputs), out (outputs). */
GC_NOINLINE void gc_one_output(const gc_fully_connected* p, int32_t o, const int8_t* in,
                               int8_t* out) {
  const int8_t* w = p->weights + o * p->inputs;
  int32_t sum = p->bias[o];
  int32_t i = 0;
  for (; i + 4 <= p->inputs; i += 4) {
    const uint32_t x = gc_load4(in + i), y = gc_load4(w + i);
    sum = gc_smlad(gc_odd(x), gc_odd(y), gc_smlad(gc_even(x), gc_even(y), sum));
  }
  for (; i < p->inputs; ++i) sum += in[i] * w[i];
  out[o] = gc_output(sum, p->multiplier[o], p->shift[o], p->zero_point);
}

/* Scales sums (count) of adjacent outputs to out (count). multiplier and shift (count). */
GC_NOINLINE void gc_scale_row(const int32_t* sums, const int32_t* multiplier, const int8_t* shift,
                              int32_t count, int32_t zero_point, int8_t* out) {
  for (const int32_t* end = sums + count; sums != end;)
    *out++ = gc_output(*sums++, *multiplier++, *shift++, zero_point);
}

/* Computes all outputs of one row: in (inputs), out (outputs). Of a long row, GC_BLOCK inputs are
   widened at a time, again for every GC_SUMS outputs. */
GC_NOINLINE void gc_one_row(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  enum { GC_SUMS = 32 };
  gc_pair x[GC_BLOCK / 2] __attribute__((aligned(8)));
  const int32_t n = p->inputs, whole = p->outputs & ~3;
  if (n <= GC_BLOCK) gc_widen(in, n, x);
  if (n <= GC_BLOCK && n % 8 == 0 && whole > 0) {
    gc_row row = {p->weights,    x,        n,   n / 8,       p->bias,
                  p->multiplier, p->shift, out, out + whole, p->zero_point};
    gc_row_dsp_s8(&row);
  } else {
    for (int32_t first = 0; first < whole; first += GC_SUMS) {
      const int32_t count = whole - first < GC_SUMS ? whole - first : GC_SUMS;
      int32_t sums[GC_SUMS];
      memcpy(sums, p->bias + first, (size_t)count * sizeof(int32_t));
      for (int32_t i = 0; i < n; i += GC_BLOCK) {
        const int32_t depth = n - i < GC_BLOCK ? n - i : GC_BLOCK;
        if (n > GC_BLOCK) gc_widen(in + i, depth, x);
        gc_dot_dsp(p->weights + first * n + i, n, x, depth, sums, count);
      }
      gc_scale_row(sums, p->multiplier + first, p->shift + first, count, p->zero_point,
                   out + first);
    }
  }
  for (int32_t o = whole; o < p->outputs; ++o) gc_one_output(p, o, in, out);
}

void gc_fully_connected_dsp_s8(const gc_fully_connected* p, const int8_t* in, int8_t* out) {
  const int32_t most = 2 * gc_pairs_in_block(gc_eights(p->inputs)), n = p->inputs;
  int32_t rows = p->rows, blocks = most > 0 ? (rows + most - 1) / most : 0;
  int8_t* to = out;
  for (; rows > 1 && blocks > 0;
       --blocks) { /* blocks of about the same size, with an even number of rows */
    const int32_t even = ((rows + blocks - 1) / blocks + 1) & ~1, block = even < rows ? even : rows;
    gc_several_rows(p, block, in, to);
    rows -= block, in += block * n, to += block * p->outputs;
  }
  for (; rows > 0; --rows, in += n, to += p->outputs) gc_one_row(p, in, to);
  if (p->low > -128 || p->high < 127) {
    for (int32_t i = 0; i < p->rows * p->outputs; ++i)
      out[i] = (int8_t)gc_clamp(out[i], p->low, p->high);
  }
}

#endif
