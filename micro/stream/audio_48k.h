// Audio of 48 kHz in frames of any length through a stream of 16 kHz, in place: down by 3, hop by hop, up by 3. What earbud firmware hands
// around (nRF5340 Audio: 10 or 7.5 ms of interleaved int16). Nothing above 8 kHz is left.
#pragma once

#include <cstddef>
#include <cstdint>

#include "arm_math.h"
#include "micro/stream/stream.h"

namespace groupcomm {

class Audio48k {
 public:
  static constexpr int kRatio = 3;
  static constexpr int kTaps = 96;   // of the low-pass: to 6.5 kHz within 0.1 dB, from 9 kHz on below -60 dB: audio_48k_test
  static constexpr int kBlock = 48;  // samples of 48 kHz that are worked on at once

  // int16 samples of memory.
  static constexpr size_t Samples(int hop, int sources) { return static_cast<size_t>(1 + sources) * hop; }

  Audio48k() = default;
  Audio48k(const Audio48k&) = delete;
  Audio48k& operator=(const Audio48k&) = delete;

  // Stream and memory outlive it; hop and sources are the stream's.
  Status Init(Stream* stream, int hop, int sources, int16_t* memory, size_t samples);

  // The first channel through the stream; its first source to every channel. `frames` is a multiple of 3. When a hop fails, it is silence.
  Status Process(int16_t* pcm /* (frames, channels) */, int frames, int channels);

  // Samples of 48 kHz by which what comes out is behind what went in.
  int Latency() const { return kTaps - 1 + kRatio * (StreamLatency(stream_) + hop_); }

 private:
  Stream* stream_ = nullptr;
  int hop_ = 0, sources_ = 0;
  int16_t* in_ = nullptr;   // (hop) of 16 kHz
  int16_t* out_ = nullptr;  // (sources, hop) of 16 kHz, what the hop before made
  int at_ = 0;              // in both
  arm_fir_decimate_instance_f32 down_ = {};
  arm_fir_interpolate_instance_f32 up_ = {};
  float low_pass_[kTaps] = {};                 // gain 1
  float three_low_passes_[kTaps] = {};         // gain 3: two of three samples are zeros
  float down_state_[kTaps + kBlock - 1] = {};  // as CMSIS-DSP wants it
  float up_state_[kTaps / kRatio + kBlock / kRatio - 1] = {};
};

}  // namespace groupcomm
