// fft PCM: runs CMSIS-DSP's real FFT of 256 points and its inverse on recorded sound under the
// instruction counter: in float32, and in block floating point of 32 and of 16 bits. See
// micro/README.md. Spans: 0 and 1 are float32, forward and inverse; 2 and 3 are 32 bits; 4 and 5
// are 16 bits. Prints one JSON object: the SNR of the sound after both transforms, in hundredths of
// a dB.
#include <cmath>
#include <cstdint>

#include "arm_math.h"
#include "micro/boards/cortex_m/board.h"
#include "micro/boards/cortex_m/marker.h"

using namespace groupcomm::board;  // NOLINT

namespace {

constexpr int kPoints = 256;

double sound;     // energy
double noise[3];  // (formats) energy of the difference between output and input

void Measure(const int16_t* in /* (kPoints) */, const float* out /* (kPoints) */, int kind) {
  for (int n = 0; n < kPoints; ++n)
    noise[kind] += (out[n] - in[n]) * static_cast<double>(out[n] - in[n]);
}

void Float(const int16_t* in /* (kPoints) */) {
  static arm_rfft_fast_instance_f32 fft;
  static float x[kPoints], spectrum[kPoints];
  arm_rfft_fast_init_256_f32(&fft);
  for (int n = 0; n < kPoints; ++n) x[n] = in[n];
  SpanBegin<0>();
  arm_rfft_fast_f32(&fft, x, spectrum, 0);
  SpanEnd<0>();
  SpanBegin<1>();
  arm_rfft_fast_f32(&fft, spectrum, x, 1);
  SpanEnd<1>();
  Measure(in, x, 0);
}

// Shifts x (count) to the left until its largest magnitude uses all bits. Returns the number of
// bits.
template <typename T>
int Normalize(T* x, int count) {
  uint32_t bits = 0;
  for (int n = 0; n < count; ++n) bits |= static_cast<uint32_t>(x[n] ^ x[n] >> 31);
  const int shift = __builtin_clz(bits | 1) - 1 - (32 - 8 * static_cast<int>(sizeof(T)));
  for (int n = 0; n < count; ++n) x[n] = static_cast<T>(static_cast<uint32_t>(x[n]) << shift);
  return shift;
}

template <int kSpan, typename T, typename Instance>
void Fixed(const int16_t* in, int kind, arm_status (*init)(Instance*, uint32_t, uint32_t),
           void (*run)(const Instance*, T*, T*)) {
  static Instance forward, inverse;
  static T x[2 * kPoints], spectrum[2 * kPoints];
  static float back[kPoints];
  init(&forward, 0, 1);
  init(&inverse, 1, 1);
  for (int n = 0; n < kPoints; ++n) x[n] = in[n];
  SpanBegin<kSpan>();
  int shift = Normalize(x, kPoints);
  run(&forward, x, spectrum);
  SpanEnd<kSpan>();
  SpanBegin<kSpan + 1>();
  shift += Normalize(spectrum, kPoints + 2);
  run(&inverse, spectrum, x);
  SpanEnd<kSpan + 1>();
  // the two transforms together divide by 256
  for (int n = 0; n < kPoints; ++n) back[n] = std::ldexp(static_cast<float>(x[n]), 8 - shift);
  Measure(in, back, kind);
}

}  // namespace

int main(int argc, char** argv) {
  File pcm;
  if (argc != 2 || !pcm.Open(argv[1], File::Mode::kRead)) BoardFail("usage: fft PCM", argc);
  int frames = 0;
  for (int16_t in[kPoints]; pcm.Read(in, sizeof(in)) == sizeof(in); ++frames) {
    for (int n = 0; n < kPoints; ++n) sound += in[n] * static_cast<double>(in[n]);
    Float(in);
    Fixed<2, q31_t, arm_rfft_instance_q31>(in, 1, arm_rfft_init_256_q31, arm_rfft_q31);
    Fixed<4, q15_t, arm_rfft_instance_q15>(in, 2, arm_rfft_init_256_q15, arm_rfft_q15);
  }
  Print("{\"frames\": ");
  Print(frames);
  const char* names[] = {", \"float32\": ", ", \"of_32_bits\": ", ", \"of_16_bits\": "};
  for (int kind = 0; kind < 3; ++kind) {
    Print(names[kind]);
    Print(static_cast<int64_t>(1000 * std::log10(sound / noise[kind])));
  }
  Print("}\n");
  return 0;
}
