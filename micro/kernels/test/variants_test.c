/* Compares, for every kernel on random parameters and inputs, the variant of this target with the
   portable one, byte by byte. A checksum compares the outputs of the portable variant with those on
   every other target. tests/micro/test_kernels.py compares the kernels with TFLM. */
#include <string.h>

#include "micro/kernels/kernels.h"
#include "micro/kernels/add/add.h"
#include "micro/kernels/depthwise_convolution/depthwise_convolution.h"
#include "micro/kernels/fully_connected/fully_connected.h"
#include "micro/kernels/lstm/lstm.h"
#include "micro/kernels/mean/mean.h"
#include "micro/kernels/mul/mul.h"
#include "micro/kernels/requantize/requantize.h"
#include "micro/kernels/squared_difference/squared_difference.h"
#include "micro/kernels/svdf/svdf.h"

#ifdef __arm__
#include "micro/boards/cortex_m/board.h"
#else
#include <stdio.h>
#include <stdlib.h>

static void BoardFail(const char* what, int32_t value) {
  fprintf(stderr, "%s: %ld\n", what, (long)value);
  exit(1);
}
#endif

enum { MAX_VALUES = 4096, CASES = 1000 };

static uint32_t state = 1;

/* Returns a random number in low .. high. */
static int32_t draw(int32_t low, int32_t high) {
  state = state * 1664525u + 1013904223u;
  const uint32_t bits = state >> 1 ^ state << 15;
  return (int32_t)(low + bits % ((int64_t)high - low + 1));
}

/* Fills x (count) with random values, with one extreme value, or with both extremes at random. */
static void fill(int8_t* x, int32_t count) {
  const int32_t kind = draw(0, 9);
  const int8_t every = (int8_t)(draw(0, 1) ? 127 : -128);
  for (int32_t i = 0; i < count; ++i)
    x[i] = (int8_t)(kind == 0 ? every : kind == 1 ? (draw(0, 1) ? 127 : -128) : draw(-128, 127));
}

/* fill for int16. */
static void fill16(int16_t* x, int32_t count) {
  const int32_t kind = draw(0, 9);
  const int16_t every = (int16_t)(draw(0, 1) ? 32767 : -32768);
  for (int32_t i = 0; i < count; ++i) {
    x[i] = (int16_t)(kind == 0   ? every
                     : kind == 1 ? (draw(0, 1) ? 32767 : -32768)
                                 : draw(-32768, 32767));
  }
}

/* Fills x (count) with random biases of one magnitude; now and then of any magnitude. */
static void fill_biases(int32_t* x, int32_t count) {
  const int32_t reach = draw(0, 19) == 0 ? INT32_MAX : 1 << draw(1, 18);
  for (int32_t i = 0; i < count; ++i) x[i] = draw(-reach, reach);
}

/* Returns a random multiplier, now and then a power of two: scaled sums are then often ties. */
static int32_t draw_multiplier(void) {
  return draw(0, 29) == 0 ? 0 : draw(0, 2) == 0 ? 1 << 30 : draw(1 << 30, INT32_MAX);
}

static uint32_t checksum = 2166136261u;

static void compare(const char* what, int32_t number, const void* got, const void* expected,
                    int32_t bytes) {
  for (int32_t i = 0; i < bytes; ++i) {
    const uint8_t a = ((const uint8_t*)got)[i], b = ((const uint8_t*)expected)[i];
    if (a != b) BoardFail(what, number); /* the number of the case that differs */
    checksum = (checksum ^ b) * 16777619u;
  }
}

/* compare for int16. It passes the bytes in a fixed order, so that the checksum does not depend on
   the byte order of the target. */
static void compare16(const char* what, int32_t number, const int16_t* got, const int16_t* expected,
                      int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    const int8_t a[2] = {(int8_t)(got[i] >> 8), (int8_t)got[i]},
                 b[2] = {(int8_t)(expected[i] >> 8), (int8_t)expected[i]};
    compare(what, number, a, b, 2);
  }
}

static int16_t in16[MAX_VALUES], other16[MAX_VALUES], out16[MAX_VALUES], expected16[MAX_VALUES];
static int8_t weights[4][MAX_VALUES], recurrent[4][MAX_VALUES], in[MAX_VALUES], other[MAX_VALUES],
    out[MAX_VALUES], expected[MAX_VALUES];
static int32_t biases[4][256], recurrent_biases[4][256], multipliers[256];
static int8_t shifts[256];

/* See gc_fully_connected.usual_scales. */
static int usual_scales(int32_t outputs) {
  int usual = 1;
  for (int32_t o = 0; o < outputs; ++o) usual = usual && multipliers[o] != 0 && shifts[o] <= 0;
  return usual;
}

static void test_fully_connected(int32_t number) {
  gc_fully_connected p = {.weights = weights[0],
                          .bias = biases[0],
                          .multiplier = multipliers,
                          .shift = shifts,
                          .low = -128,
                          .high = 127};
  p.rows = number % 4 ? draw(1, 9) : 1;
  p.inputs = number % 4 ? draw(1, 60) : draw(100, 130);
  p.outputs = draw(1, number % 4 ? 40 : 20);
  if (number % 3 == 1)
    p.inputs = 8 << draw(0, 3), p.outputs = 4 * draw(1, 8); /* multiples of 8 and 4 */
  if (draw(0, 9) == 0)
    p.inputs = draw(245, 330),
    p.outputs = draw(1, 11); /* around the limit of a block of the DSP variant */
  p.zero_point = draw(-128, 127);
  if (number % 7 == 0) p.low = p.zero_point, p.high = draw(p.low, 127);
  fill(weights[0], p.inputs * p.outputs);
  fill_biases(biases[0], p.outputs);
  const int zeros = draw(0, 9) == 0;
  for (int32_t o = 0; o < p.outputs; ++o) {
    do multipliers[o] = draw_multiplier();
    while (multipliers[o] == 0 && !zeros);
    shifts[o] = (int8_t)(draw(0, 9) == 0 ? draw(-31, zeros ? 10 : 0) : draw(-12, -4));
  }
  p.usual_scales = usual_scales(p.outputs);
  fill(in, p.rows * p.inputs);
  gc_fully_connected_s8(&p, in, out);
  gc_fully_connected_portable_s8(&p, in, expected);
  compare("fully_connected", number, out, expected, p.rows * p.outputs);
}

/* Returns a multiplier whose lower 16 bits are 0. fill_wide_biases fills x (count); with some of
   the biases the sums fit into 32 bits, with others they do not. */
static int32_t draw_wide_multiplier(void) { return draw_multiplier() & 0x7fff0000; }
static void fill_wide_biases(int32_t* x, int32_t count) {
  const int32_t reach = draw(0, 9) == 0 ? INT32_MAX : 1 << draw(1, 30);
  for (int32_t i = 0; i < count; ++i) x[i] = draw(-reach, reach);
}

static void test_fully_connected16(int32_t number) {
  gc_fully_connected p = {.weights = weights[0],
                          .bias = biases[0],
                          .multiplier = multipliers,
                          .shift = shifts,
                          .low = -32768,
                          .high = 32767};
  p.rows = number % 4 ? draw(1, 9) : 1;
  p.inputs = number % 4 ? draw(1, 60) : draw(100, 130);
  p.outputs = draw(1, number % 4 ? 40 : 20);
  if (number % 3 == 1)
    p.inputs = 8 << draw(0, 3), p.outputs = 4 * draw(1, 8); /* multiples of 8 and 4 */
  if (draw(0, 9) == 0)
    p.inputs = draw(245, 330),
    p.outputs = draw(1, 11); /* around the limit of a block of the DSP variant */
  if (number % 7 == 0) p.low = 0, p.high = draw(0, 32767);
  fill(weights[0], p.inputs * p.outputs);
  fill_wide_biases(biases[0], p.outputs);
  const int wide = draw(0, 5) == 0;
  for (int32_t o = 0; o < p.outputs; ++o) {
    multipliers[o] = draw_wide_multiplier();
    shifts[o] = (int8_t)(wide ? draw(-31, 7) : draw(-15, -2));
  }
  fill16(in16, p.rows * p.inputs);
  if (draw(0, 9) == 0) { /* the largest sum just fits into 32 bits, or just exceeds them */
    memset(biases[0], 0, sizeof(biases[0]));
    biases[0][draw(0, p.outputs - 1)] = INT32_MAX - (p.inputs << 22) + draw(-(1 << 22), 1 << 22);
    memset(weights[0], -128, (size_t)(p.inputs * p.outputs));
    for (int32_t i = 0; i < p.rows * p.inputs; ++i) in16[i] = -32768;
  }
  gc_fully_connected_s16(&p, in16, out16);
  gc_fully_connected_portable_s16(&p, in16, expected16);
  compare16("fully_connected of int16", number, out16, expected16, p.rows * p.outputs);
}

static gc_scale draw_scale(int32_t low, int32_t high) {
  gc_scale s;
  s.multiplier = draw_multiplier();
  s.shift = draw(low, high);
  return s;
}

static gc_lstm_gate draw_gate(int32_t i, int32_t inputs, int32_t units, int fast_path) {
  fill(weights[i], units * inputs);
  fill(recurrent[i], units * units);
  fill_biases(biases[i], units);
  fill_biases(recurrent_biases[i], units);
  const int wide = draw(0, 4) == 0;
  gc_lstm_gate g = {weights[i], recurrent[i], biases[i], recurrent_biases[i], {0, 0}, {0, 0}};
  g.input = draw_scale(fast_path ? 0 : wide ? -9 : -4, wide ? 9 : 2);
  g.recurrent = draw_scale(-5, fast_path ? -1 : wide);
  return g;
}

/* See gc_lstm.largest_bias. */
static int32_t largest_bias(const gc_lstm* p) {
  const gc_lstm_gate* const gates[4] = {&p->input, &p->forget, &p->cell, &p->output};
  int64_t most = 0;
  for (int32_t g = 0; g < 4; ++g) {
    for (int32_t u = 0; u < p->units; ++u) {
      const int64_t x = gates[g]->input_bias[u],
                    h = gates[g]->recurrent_bias ? gates[g]->recurrent_bias[u] : 0;
      most = x > most ? x : -x > most ? -x : most;
      most = h > most ? h : -h > most ? -h : most;
    }
  }
  return most > INT32_MAX ? INT32_MAX : (int32_t)most;
}

static int8_t hidden[2][MAX_VALUES];
static int16_t cell[2][MAX_VALUES];
static uint64_t scratch[MAX_VALUES];

static void compare_cells(int32_t number, int32_t count) {
  compare16("lstm's cell state", number, cell[0], cell[1], count);
}

static void test_lstm(int32_t number) {
  /* scales that are typical of networks and select the fast path */
  const int fast_path = number % 2;
  const int row = number % 8 < 2; /* a batch of one row whose length is a multiple of 4 */
  const int32_t steps = draw(1, 3);
  const int32_t batch = row ? 1 : draw(1, 6);
  int32_t inputs = number % 3 == 0 ? 8 : row ? 4 * draw(1, 4) : draw(1, 20);
  int32_t units = number % 3 == 0 ? (row ? 8 : 32) : row ? 4 * draw(1, 8) : draw(1, 34);
  /* rows of one, two or three vectors of Helium, and more; the last of them full or not */
  if (number % 5 == 0) inputs = draw(0, 1) ? 16 : draw(7, 17), units = 24 + 8 * draw(0, 2);
  if (number % 5 == 1 && !row) inputs = draw(1, 60), units = draw(1, 60);
  gc_lstm p = {.steps = steps, .batch = batch, .inputs = inputs, .units = units};
  p.input = draw_gate(0, p.inputs, units, fast_path);
  p.forget = draw_gate(1, p.inputs, units, fast_path);
  p.cell = draw_gate(2, p.inputs, units, fast_path);
  p.output = draw_gate(3, p.inputs, units, fast_path);
  const int32_t power = draw(9, 16); /* of the cell's scale */
  p.update = (gc_scale){draw(0, 5) ? 1 << 30 : draw(1 << 30, INT32_MAX), power - 29};
  p.hidden = draw_scale(-23, -21);
  p.tanh_multiplier = power > 12 ? 3 : 3 << (12 - power);
  p.tanh_shift = power > 12 ? power - 12 : 0;
  p.cell_clip = draw(0, 3) ? 0 : draw(1, 32767);
  p.zero_point = draw(-128, 127);
  p.largest_bias = largest_bias(&p);
  if (GC_LSTM_SCRATCH_BYTES(batch, p.inputs, units) > (int32_t)sizeof(scratch))
    BoardFail("scratch too small", number);
  for (int32_t i = 0; i < batch * units; ++i) {
    cell[0][i] = cell[1][i] = (int16_t)draw(-32768, 32767);
    hidden[0][i] = hidden[1][i] = (int8_t)draw(-128, 127);
  }
  for (int32_t call = 0; call < 4; ++call) {
    fill(in, steps * batch * p.inputs);
    gc_lstm_s8(&p, in, hidden[0], cell[0], out, scratch);
    gc_lstm_portable_s8(&p, in, hidden[1], cell[1], expected);
    compare("lstm", number, out, expected, steps * batch * units);
    compare("lstm's hidden state", number, hidden[0], hidden[1], batch * units);
    compare_cells(number, batch * units);
  }
}

static int16_t hidden16[2][MAX_VALUES];

static gc_lstm_gate draw_gate16(int32_t i, int32_t inputs, int32_t units) {
  fill(weights[i], units * inputs);
  fill(recurrent[i], units * units);
  fill_wide_biases(biases[i], units);
  const int wide = draw(0, 9) == 0;
  gc_lstm_gate g = {weights[i],
                    recurrent[i],
                    biases[i],
                    0,
                    {draw_wide_multiplier(), 0},
                    {draw_wide_multiplier(), 0}};
  g.input.shift = wide ? draw(-20, 4) : draw(-12, -2);
  g.recurrent.shift = wide ? draw(-20, 4) : draw(-12, -2);
  return g;
}

static void test_lstm16(int32_t number) {
  const int32_t steps = draw(1, 3), batch = draw(1, 6), inputs = number % 3 ? draw(1, 20) : 8,
                units = number % 3 ? draw(1, number % 5 ? 34 : 60) : 32;
  gc_lstm p = {.steps = steps, .batch = batch, .inputs = inputs, .units = units};
  p.input = draw_gate16(0, inputs, units);
  p.forget = draw_gate16(1, inputs, units);
  p.cell = draw_gate16(2, inputs, units);
  p.output = draw_gate16(3, inputs, units);
  const int32_t power = draw(9, 16); /* of the cell's scale */
  p.update = (gc_scale){draw(0, 5) ? 1 << 30 : draw(1 << 30, INT32_MAX), power - 29};
  p.hidden = draw(0, 1) ? draw_scale(-16, -13) : (gc_scale){1 << 30, -14};
  p.tanh_multiplier = power > 12 ? 3 : 3 << (12 - power);
  p.tanh_shift = power > 12 ? power - 12 : 0;
  p.cell_clip = draw(0, 3) ? 0 : draw(1, 32767);
  p.largest_bias = largest_bias(&p);
  for (int32_t i = 0; i < batch * units; ++i) {
    cell[0][i] = cell[1][i] = (int16_t)draw(-32768, 32767);
    hidden16[0][i] = hidden16[1][i] = (int16_t)draw(-32768, 32767);
  }
  for (int32_t call = 0; call < 4; ++call) {
    fill16(in16, steps * batch * inputs);
    gc_lstm_s16(&p, in16, hidden16[0], cell[0], out16, scratch);
    gc_lstm_portable_s16(&p, in16, hidden16[1], cell[1], expected16);
    compare16("lstm of int16", number, out16, expected16, steps * batch * units);
    compare16("hidden state of int16", number, hidden16[0], hidden16[1], batch * units);
    compare_cells(number, batch * units);
  }
}

/* Tests every argument of both activations of a gate, and of tanh of the cell. All weights are 0
   except one input weight of each unit. That input increases from row to row, and the biases
   increase from unit to unit. */
static void test_activations(int32_t inputs, int32_t units) {
  enum { LOGISTIC, TANH, CELL, BATCH = 8 };
  memset(weights, 0, sizeof(weights));
  memset(recurrent, 0, sizeof(recurrent));
  memset(in, 0, sizeof(in));
  memset(biases, 0, sizeof(biases));
  memset(recurrent_biases, 0, sizeof(recurrent_biases));
  const gc_scale one = {1 << 30, 1}, half = {1 << 30, -1};
  const gc_lstm_gate zero = {weights[0], recurrent[0], biases[0], recurrent_biases[0], one, half};
  gc_lstm_gate most = zero, every = zero;
  most.input_bias = biases[1], every.input_bias = biases[2], every.input_weights = weights[2];
  for (int32_t u = 0; u < units; ++u) weights[2][u * inputs] = 1, biases[1][u] = 32767;
  for (int32_t b = 0; b < BATCH; ++b) in[b * inputs] = (int8_t)(b * units - 128);
  /* nine scales of the cell, tested with one shape only: they do not depend on it */
  const int32_t kinds = CELL + (units == 8 ? 9 : 1);
  for (int32_t kind = 0; kind < kinds; ++kind) {
    gc_lstm p = {.steps = 1,
                 .batch = BATCH,
                 .inputs = inputs,
                 .units = units,
                 .input = zero,
                 .forget = zero,
                 .cell = zero,
                 .output = most};
    p.update = (gc_scale){1 << 30, -18};
    p.tanh_multiplier = kind >= CELL ? 3 << (kind - CELL) : 6;
    /* the lowest cell value times the gate gives -logistic; nothing is added */
    if (kind == LOGISTIC) p.forget = every;
    if (kind == TANH)
      p.input = most, p.cell = every,
      p.update = (gc_scale){1074102393, -14}; /* 2^45 over the highest logistic */
    if (kind >= CELL) p.forget = most;
    for (int32_t base = -32768; base < 32768; base += BATCH * units) {
      for (int32_t u = 0; u < units; ++u) biases[2][u] = base + u + 128;
      for (int32_t i = 0; i < BATCH * units; ++i) {
        cell[0][i] = cell[1][i] = (int16_t)(kind == LOGISTIC ? -32768
                                            : kind == TANH   ? 0
                                                             : base + i);
        hidden[0][i] = hidden[1][i] = 0;
      }
      p.largest_bias = largest_bias(&p);
      p.tanh_shift = kind == CELL && draw(0, 1) ? draw(1, 4) : 0;
      p.hidden = draw_scale(-23, -21);
      gc_lstm_s8(&p, in, hidden[0], cell[0], out, scratch);
      gc_lstm_portable_s8(&p, in, hidden[1], cell[1], expected);
      compare("lstm of every argument", base, out, expected, BATCH * units);
      compare_cells(base, BATCH * units);
    }
  }
}

static void test_add_and_mul(int32_t number) {
  const int32_t rows = number % 4 == 1 ? 1 : draw(1, 16);
  const int32_t columns = number % 4 == 1 ? 8 * draw(1, 5) : number % 4 == 2 ? 8 : draw(1, 40);
  const int32_t kind = draw(0, 3); /* 1: broadcast a row; 2: broadcast a column; 0, 3: full shape */
  gc_operand whole = {columns, 1, 0}, part = {kind == 1   ? 0
                                              : kind == 2 ? 1
                                                          : columns,
                                              kind != 2, 0};
  whole.zero_point = draw(-128, 127);
  part.zero_point = draw(-128, 127);
  /* one scale is exactly 1/2 in most cases */
  const gc_scale half = draw(0, 9) ? (gc_scale){1 << 30, 0} : draw_scale(-6, 0),
                 scale = draw_scale(-6, 0);
  gc_add p = {.rows = rows, .columns = columns, .low = -128, .high = 127};
  p.zero_point = draw(-128, 127);
  const int swap = draw(0, 1);
  const int swap_scales = draw(0, 1);
  p.a = swap ? part : whole, p.b = swap ? whole : part;
  p.a_scale = swap_scales ? half : scale, p.b_scale = swap_scales ? scale : half;
  p.scale = draw_scale(-22, -16);
  if (number % 5 == 0) p.low = p.zero_point, p.high = draw(p.low, 127);
  fill(in, rows * columns);
  fill(other, rows * columns);
  gc_add_s8(&p, in, other, out);
  gc_add_portable_s8(&p, in, other, expected);
  compare("add", number, out, expected, rows * columns);
  gc_mul q = {rows, columns, p.a, p.b, p.scale, p.zero_point, p.low, p.high};
  q.scale.shift = draw(-12, number % 6 ? 1 : 16);
  gc_mul_s8(&q, in, other, out);
  gc_mul_portable_s8(&q, in, other, expected);
  compare("mul", number, out, expected, rows * columns);
}

static void test_elements16(int32_t number) {
  const int32_t rows = number % 4 == 1 ? 1 : draw(1, 16), columns = draw(1, 40);
  const int32_t kind = draw(0, 3); /* 1: broadcast a row; 2: broadcast a column; 0, 3: full shape */
  const gc_operand whole = {columns, 1, 0}, part = {kind == 1   ? 0
                                                    : kind == 2 ? 1
                                                                : columns,
                                                    kind != 2, 0};
  const int swap = draw(0, 1);
  gc_add p = {.rows = rows,
              .columns = columns,
              .low = number % 5 ? -32768 : 0,
              .high = number % 5 ? 32767 : draw(0, 32767)};
  p.a = swap ? part : whole, p.b = swap ? whole : part;
  p.a_scale = draw_scale(-6, 0), p.b_scale = draw_scale(-6, 0), p.scale = draw_scale(-17, 0);
  fill16(in16, rows * columns);
  fill16(other16, rows * columns);
  gc_add_s16(&p, in16, other16, out16);
  gc_add_portable_s16(&p, in16, other16, expected16);
  compare16("add of int16", number, out16, expected16, rows * columns);
  const gc_mul q = {rows, columns, p.a, p.b, draw_scale(-18, 1), 0, p.low, p.high};
  gc_mul_s16(&q, in16, other16, out16);
  gc_mul_portable_s16(&q, in16, other16, expected16);
  compare16("mul of int16", number, out16, expected16, rows * columns);

  gc_mean m = {
      .outer = draw(1, 3), .count = draw(1, 40), .inner = draw(1, 24), .scale = draw_scale(-8, 0)};
  fill16(in16, m.outer * m.count * m.inner);
  gc_mean_s16(&m, in16, out16);
  gc_mean_portable_s16(&m, in16, expected16);
  compare16("mean of int16", number, out16, expected16, m.outer * m.inner);

  const gc_logistic c = {draw(1, 300), draw(1, 32767), draw(0, 16)};
  fill16(in16, c.count);
  gc_logistic_s16(&c, in16, out16);
  compare16("logistic of int16", number, out16, out16, c.count); /* has one variant */
  gc_tanh_s16(&c, in16, out16);
  compare16("tanh of int16", number, out16, out16, c.count);
}

static void test_requantize(int32_t number) {
  gc_requantize p = {.count = draw(0, 300),
                     .input_zero_point = draw(-128, 127),
                     .scale = draw_scale(-20, number % 2 ? 0 : 16)};
  p.zero_point = draw(-128, 127);
  p.low = number % 3 ? -128 : p.zero_point, p.high = number % 3 ? 127 : draw(p.zero_point, 127);
  fill(in, p.count);
  memset(out, 0, 301);
  memset(expected, 0, 301);
  gc_requantize_s8(&p, in, out);
  gc_requantize_portable_s8(&p, in, expected);
  compare("requantize", number, out, expected, p.count + 1);
  fill16(in16, p.count);
  gc_requantize_s16_s8(&p, in16, out);
  gc_requantize_portable_s16_s8(&p, in16, expected);
  compare("requantize from int16", number, out, expected, p.count + 1);
  if (number % 3) p.low = -32768, p.high = 32767;
  memset(out16, 0, 602);
  memset(expected16, 0, 602);
  gc_requantize_s16(&p, in16, out16);
  gc_requantize_portable_s16(&p, in16, expected16);
  compare16("requantize of int16", number, out16, expected16, p.count + 1);
  gc_requantize_s8_s16(&p, in, out16);
  gc_requantize_portable_s8_s16(&p, in, expected16);
  compare16("requantize to int16", number, out16, expected16, p.count + 1);
}

static void test_lookup(int32_t number) {
  const int32_t count = draw(0, 300);
  fill(weights[0], 256);
  fill(in, count);
  memset(out, 0, 301);
  memset(expected, 0, 301);
  gc_lookup_s8(weights[0], count, in, out);
  for (int32_t i = 0; i < count; ++i) expected[i] = weights[0][(uint8_t)in[i]];
  compare("lookup", number, out, expected, count + 1);
}

static void test_copy(int32_t number) {
  const int32_t rows = draw(1, 6), columns = draw(1, 70);
  const int32_t stride = columns + draw(0, 5), in_stride = draw(0, 1) ? stride : -stride;
  fill(in, rows * stride);
  memset(out, 0, (size_t)(rows * stride));
  memset(expected, 0, (size_t)(rows * stride));
  const int8_t* from = in_stride < 0 ? in + (rows - 1) * stride : in;
  gc_copy_s8(rows, columns, from, in_stride, out, stride);
  for (int32_t i = 0; i < rows * columns; ++i)
    expected[i / columns * stride + i % columns] = from[i / columns * in_stride + i % columns];
  compare("copy", number, out, expected, rows * stride);
}

static void test_mean(int32_t number) {
  gc_mean p;
  p.outer = draw(1, 3);
  p.count = draw(1, 40);
  p.inner = number % 2 ? 8 * draw(1, 3) : draw(1, 24);
  /* sums around the limit of 16 bits */
  if (number % 4 == 1) p.outer = 1, p.count = draw(250, 300), p.inner = 8;
  p.zero_point = draw(-128, 127);
  p.bias = -draw(-128, 127) * p.count;
  p.scale.multiplier = draw(1 << 29, INT32_MAX);
  p.scale.shift = draw(-8, 0);
  fill(in, p.outer * p.count * p.inner);
  gc_mean_s8(&p, in, out);
  gc_mean_portable_s8(&p, in, expected);
  compare("mean", number, out, expected, p.outer * p.inner);
}

/* Returns random windows; the input has at most 1,440 values, and there are at most 72 windows. */
static gc_window draw_window(void) {
  gc_window w = {.batches = draw(1, 2), .channels = draw(1, 20), .zero_point = draw(-128, 127)};
  const int is_row = draw(0, 1);
  w.height = is_row ? 1 : draw(1, 3), w.width = draw(1, is_row ? 12 : 3);
  w.in_height = is_row ? 1 : draw(1, 6), w.in_width = draw(1, is_row ? 35 : 6);
  w.out_height = is_row ? 1 : draw(1, 6), w.out_width = draw(1, 6);
  w.stride_height = draw(1, 3), w.stride_width = draw(1, 3);
  w.dilation_height = draw(1, 2), w.dilation_width = draw(1, 2);
  w.top = is_row ? 0 : draw(0, 2), w.left = draw(0, 2);
  w.spread_height = w.spread_width = 1;
  return w;
}

/* Returns element (r, c) of window (y, x) of one input of the batch; c counts channels too. */
static int8_t element(const gc_window* w, const int8_t* input, int32_t y, int32_t x, int32_t r,
                      int32_t c) {
  const int32_t at_y = y * w->stride_height - w->top + r * w->dilation_height,
                at_x = x * w->stride_width - w->left + c / w->channels * w->dilation_width;
  const int32_t row = at_y / w->spread_height, column = at_x / w->spread_width;
  const int is_inside = at_y >= 0 && row < w->in_height && at_y % w->spread_height == 0 &&
                        at_x >= 0 && column < w->in_width && at_x % w->spread_width == 0;
  return is_inside ? input[(row * w->in_width + column) * w->channels + c % w->channels]
                   : (int8_t)w->zero_point;
}

static void test_convolutions(int32_t number) {
  gc_window w = draw_window();
  if (number % 4 == 0) w.spread_height = draw(1, 3), w.spread_width = draw(1, 3);
  const int32_t columns = w.width * w.channels, image = w.in_height * w.in_width * w.channels,
                windows = w.batches * w.out_height * w.out_width;
  gc_fully_connected dots = {.rows = draw(1, 4),
                             .inputs = w.height * columns,
                             .outputs = draw(1, 16),
                             .weights = weights[0],
                             .bias = biases[0],
                             .multiplier = multipliers,
                             .shift = shifts,
                             .zero_point = draw(-128, 127),
                             .low = -128,
                             .high = 127};
  if (number % 3 == 0) dots.low = dots.zero_point, dots.high = draw(dots.low, 127);
  fill(in, w.batches * image);
  fill(weights[0], dots.inputs * dots.outputs);
  fill_biases(biases[0], 64);
  const int zeros = draw(0, 9) == 0;
  for (int32_t o = 0; o < 64; ++o) {
    do multipliers[o] = draw_multiplier();
    while (multipliers[o] == 0 && !zeros);
    shifts[o] = (int8_t)(draw(0, 9) == 0 ? draw(-31, zeros ? 10 : 0) : draw(-12, -4));
  }
  dots.usual_scales = usual_scales(dots.outputs);
  int8_t* row = other;
  int8_t* to = expected;
  gc_fully_connected one = dots;
  one.rows = 1;
  for (int32_t i = 0; i < windows; ++i, to += dots.outputs) {
    const int8_t* input = in + i / (w.out_height * w.out_width) * image;
    for (int32_t k = 0; k < dots.inputs; ++k)
      row[k] = element(&w, input, i / w.out_width % w.out_height, i % w.out_width, k / columns,
                       k % columns);
    gc_fully_connected_portable_s8(&one, row, to);
  }
  const gc_convolution p = {w, dots};
  gc_convolution_s8(&p, in, out, scratch);
  compare("convolution", number, out, expected, windows * dots.outputs);

  w.spread_height = w.spread_width = 1;
  gc_depthwise_convolution d = {w,      w.channels,      weights[0], biases[0], multipliers,
                                shifts, dots.zero_point, dots.low,   dots.high};
  if (number % 8 == 0) d.outputs *= 2;
  fill(weights[0], w.height * w.width * d.outputs);
  gc_depthwise_convolution_s8(&d, in, out, scratch);
  gc_depthwise_windows_s8(&d, in, expected, (int8_t*)scratch, gc_depthwise_one_portable_s8);
  compare("depthwise convolution", number, out, expected, windows * d.outputs);
}

static void test_squared_difference(int32_t number) {
  const int32_t rows = draw(1, 6), columns = draw(1, 40);
  gc_squared_difference p = {.rows = rows, .columns = columns, .low = -128, .high = 127};
  p.a = (gc_operand){columns, 1, draw(-128, 127)};
  p.b = (gc_operand){draw(0, 1) * columns, draw(0, 1), draw(-128, 127)};
  const gc_scale half = {1 << 30, 0};
  p.a_scale = draw(0, 1) ? half : draw_scale(-6, 0);
  p.b_scale = draw(0, 1) ? half : draw_scale(-6, 0);
  p.scale = draw_scale(-26, number % 6 ? -18 : 3);
  p.zero_point = draw(-128, 127);
  if (number % 5 == 0) p.low = p.zero_point, p.high = draw(p.low, 127);
  fill(in, rows * columns);
  fill(other, rows * columns + columns);
  gc_squared_difference_s8(&p, in, other, out);
  gc_squared_difference_portable_s8(&p, in, other, expected);
  compare("squared difference", number, out, expected, rows * columns);
}

static void test_svdf(int32_t number) {
  gc_svdf p = {.batch = draw(1, 3), .rank = draw(1, 3), .memory = draw(1, 40)};
  p.inputs = number % 50 ? draw(1, 60) : draw(250, 260); /* around the limit of the DSP variant */
  p.filters = p.rank * (number % 50 ? draw(1, 10) : draw(1, 4));
  const int32_t count = p.batch * p.filters * p.memory, outputs = p.batch * p.filters / p.rank;
  p.feature_weights = weights[0], p.feature_bias = biases[0], p.bias = biases[1];
  p.feature = draw_scale(-9, -4), p.scale = draw_scale(-12, -2);
  p.zero_point = draw(-128, 127), p.state_zero_point = draw(0, 1) ? draw(-128, 127) : 0;
  fill(weights[0], p.filters * p.inputs);
  fill(weights[1], p.filters * p.memory);
  fill16(in16, p.filters * p.memory);
  fill_biases(biases[0], p.filters);
  fill_biases(biases[1], outputs);
  for (int32_t i = 0; i < count; ++i) {
    hidden[0][i] = hidden[1][i] = (int8_t)draw(-128, 127);
    hidden16[0][i] = hidden16[1][i] = (int16_t)draw(-32768, 32767);
  }
  for (int32_t call = 0; call < 3; ++call) {
    fill(in, p.batch * p.inputs);
    p.time_weights = weights[1];
    gc_svdf_s8(&p, in, hidden[0], out);
    gc_svdf_portable_s8(&p, in, hidden[1], expected);
    compare("svdf", number, out, expected, outputs);
    compare("state of svdf", number, hidden[0], hidden[1], count);
    p.time_weights = in16;
    gc_svdf_s8_s16(&p, in, hidden16[0], out);
    gc_svdf_portable_s8_s16(&p, in, hidden16[1], expected);
    compare("svdf of int16", number, out, expected, outputs);
    compare16("state of svdf of int16", number, hidden16[0], hidden16[1], count);
  }
}

int main(void) {
  for (int32_t i = 0; i < CASES; ++i) {
    test_fully_connected(i);
    test_lstm(i);
    test_add_and_mul(i);
    test_mean(i);
    test_lookup(i);
  }
  test_activations(8, 32);
  test_activations(1, 8);
  for (int32_t i = 0; i < CASES; ++i) {
    test_fully_connected16(i);
    test_lstm16(i);
    test_elements16(i);
    test_requantize(i);
    test_convolutions(i);
    test_copy(i);
    test_squared_difference(i);
    test_svdf(i);
  }
  const uint32_t golden = 0x323d6b4eu; /* GCC 12 on x86-64 */
  if (checksum != golden) BoardFail("checksum of all outputs", (int32_t)checksum);
  return 0;
}
