// Runs two fully connected layers and an LSTM step, in int8 (even spans) and int16 (odd spans),
// under the instruction counter: see micro/README.md.
#include "micro/boards/cortex_m/board.h"
#include "micro/boards/cortex_m/marker.h"
#include "micro/kernels/kernels.h"

namespace {

using groupcomm::board::SpanBegin;
using groupcomm::board::SpanEnd;

// Each buffer is larger than any shape below needs.
int8_t weights[4][4096], recurrent[4][4096], in8[4096], out8[4096], hidden8[4096];
int16_t in16[4096], out16[4096], hidden16[4096], cells[4096];
int32_t bias[32], multiplier[32];
int8_t shift[32];
uint64_t scratch[4096];

template <int kSpan>
void FullyConnected(int32_t rows, int32_t inputs, int32_t outputs) {
  gc_fully_connected p = {rows, inputs, outputs, weights[0], bias, multiplier, shift, 0, -128, 127};
  SpanBegin<kSpan>();
  gc_fully_connected_s8(&p, in8, out8);
  SpanEnd<kSpan>();
  p.low = -32768;
  p.high = 32767;
  SpanBegin<kSpan + 1>();
  gc_fully_connected_s16(&p, in16, out16);
  SpanEnd<kSpan + 1>();
}

void Lstm(gc_lstm* p, const int32_t* recurrent_bias, int32_t input_shift, int32_t recurrent_shift,
          int32_t hidden_shift) {
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

}  // namespace

int main() {
  for (int i = 0; i < 4096; ++i) {
    in8[i] = static_cast<int8_t>(i * 37);
    in16[i] = static_cast<int16_t>(i * 7919);
    for (int g = 0; g < 4; ++g) {
      weights[g][i] = static_cast<int8_t>(i * 31 + g);
      recurrent[g][i] = static_cast<int8_t>(i * 41 + g);
    }
  }
  for (int i = 0; i < 32; ++i) {
    bias[i] = i * 99;
    multiplier[i] = 0x5abc0000;
    shift[i] = -7;
  }
  FullyConnected<0>(16, 32, 8);
  FullyConnected<2>(1, 128, 32);
  gc_lstm p = {};
  p.steps = 1;
  p.batch = 16;
  p.inputs = 8;
  p.units = 32;
  p.update = {1 << 30, -17};
  p.tanh_multiplier = 3;
  Lstm(&p, bias, 0, -2, -22);
  SpanBegin<4>();
  gc_lstm_s8(&p, in8, hidden8, cells, out8, scratch);
  SpanEnd<4>();
  Lstm(&p, nullptr, -9, -9, -14);
  SpanBegin<5>();
  gc_lstm_s16(&p, in16, hidden16, cells, out16, scratch);
  SpanEnd<5>();
  return 0;
}
