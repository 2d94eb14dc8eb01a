// Runs a kernel of a given shape under the instruction counter, in int8 (span 0) and in int16 (span
// 1): see micro/README.md.
//
//   count_BOARD --count FILE fully_connected ROWS INPUTS OUTPUTS
//   count_BOARD --count FILE lstm BATCH INPUTS UNITS
#include <cstdlib>
#include <cstring>

#include "micro/boards/cortex_m/board.h"
#include "micro/boards/cortex_m/marker.h"
#include "micro/kernels/kernels.h"

namespace {

using groupcomm::board::Print;
using groupcomm::board::SpanBegin;
using groupcomm::board::SpanEnd;

// Limits of all shapes: weights of one matrix, values of one tensor, outputs or units.
constexpr int kWeights = 16384, kValues = 8192, kOutputs = 256;

int8_t weights[4][kWeights], recurrent[4][kWeights], in8[kValues], out8[kValues], hidden8[kValues];
int16_t in16[kValues], out16[kValues], hidden16[kValues], cells[kValues];
int32_t bias[kOutputs], multiplier[kOutputs];
int8_t shift[kOutputs];
uint64_t scratch[kValues];

void FullyConnected(int32_t rows, int32_t inputs, int32_t outputs) {
  gc_fully_connected p = {rows,  inputs, outputs, weights[0], bias, multiplier,
                          shift, 0,      -128,    127,        1};
  SpanBegin<0>();
  gc_fully_connected_s8(&p, in8, out8);
  SpanEnd<0>();
  p.low = -32768;
  p.high = 32767;
  SpanBegin<1>();
  gc_fully_connected_s16(&p, in16, out16);
  SpanEnd<1>();
}

// The scales are those of typical networks.
void SetScales(gc_lstm* p, const int32_t* recurrent_bias, int32_t input_shift,
               int32_t recurrent_shift, int32_t hidden_shift) {
  gc_lstm_gate* gates[] = {&p->input, &p->forget, &p->cell, &p->output};
  for (int i = 0; i < 4; ++i) {
    *gates[i] = {weights[i],
                 recurrent[i],
                 bias,
                 recurrent_bias,
                 {0x5abc0000, input_shift},
                 {0x5abc0000, recurrent_shift}};
  }
  p->hidden = {1 << 30, hidden_shift};
}

void Lstm(int32_t batch, int32_t inputs, int32_t units) {
  gc_lstm p = {};
  p.steps = 1;
  p.batch = batch;
  p.inputs = inputs;
  p.units = units;
  p.update = {1 << 30, -17};
  p.tanh_multiplier = 3;
  p.largest_bias = bias[kOutputs - 1];
  SetScales(&p, bias, 0, -2, -22);
  SpanBegin<0>();
  gc_lstm_s8(&p, in8, hidden8, cells, out8, scratch);
  SpanEnd<0>();
  SetScales(&p, nullptr, -9, -9, -14);
  SpanBegin<1>();
  gc_lstm_s16(&p, in16, hidden16, cells, out16, scratch);
  SpanEnd<1>();
}

}  // namespace

int main(int argc, char** argv) {
  int32_t n[3] = {};
  for (int i = 0; i < 3 && i + 2 < argc; ++i) n[i] = std::atoi(argv[i + 2]);
  if (argc != 5 || n[0] < 1 || n[1] < 1 || n[2] < 1 || n[1] * n[2] > kWeights ||
      n[2] * n[2] > kWeights || n[0] * n[1] > kValues || n[0] * n[2] > kValues || n[2] > kOutputs ||
      GC_LSTM_SCRATCH_BYTES(n[0], n[1], n[2]) > static_cast<int>(sizeof(scratch))) {
    Print("usage: count fully_connected|lstm ROWS INPUTS OUTPUTS, of at most 16,384 weights\n");
    return 2;
  }
  for (int i = 0; i < kValues; ++i) {
    in8[i] = static_cast<int8_t>(i * 37);
    in16[i] = static_cast<int16_t>(i * 7919);
  }
  for (int i = 0; i < kWeights; ++i) {
    for (int g = 0; g < 4; ++g) {
      weights[g][i] = static_cast<int8_t>(i * 31 + g);
      recurrent[g][i] = static_cast<int8_t>(i * 41 + g);
    }
  }
  for (int i = 0; i < kOutputs; ++i) {
    bias[i] = i * 99;
    multiplier[i] = 0x5abc0000;
    shift[i] = -7;
  }
  (std::strcmp(argv[1], "lstm") == 0 ? Lstm : FullyConnected)(n[0], n[1], n[2]);
  return 0;
}
