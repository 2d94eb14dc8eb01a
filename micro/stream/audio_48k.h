// Passes audio of 48 kHz, in frames of any length, through a stream of 16 kHz, in place: it
// decimates by 3, processes hop by hop, and interpolates by 3. The firmware of earbuds uses such
// frames (nRF5340 Audio: 10 or 7.5 ms of interleaved int16). Nothing above 8 kHz remains.
#pragma once

#include <cstddef>
#include <cstdint>

#include "arm_math.h"
#include "micro/engine/engine.h"
#include "micro/include/groupcomm.h"

namespace groupcomm {

class Audio48k {
 public:
  static constexpr int kRatio = 3;
  // of the low-pass filter: within 0.1 dB up to 6.5 kHz, below -60 dB from 9 kHz (audio_48k_test)
  static constexpr int kTaps = 96;
  static constexpr int kBlock = 48;  // samples at 48 kHz that are processed at a time

  // Number of int16 samples of memory that Init needs.
  static constexpr size_t Samples(int hop, int sources) {
    return static_cast<size_t>(1 + sources) * hop;
  }

  Audio48k() = default;
  Audio48k(const Audio48k&) = delete;
  Audio48k& operator=(const Audio48k&) = delete;

  // State and memory must outlive this object.
  Status Init(groupcomm_state* state, int16_t* memory /* (samples) */, size_t samples);

  // Sends the first channel through the stream, and writes its first source to every channel.
  // `frames` is a multiple of 3. When a hop fails, its output is silence.
  Status Process(int16_t* pcm /* (frames, channels) */, int frames, int channels);

  // Delay of the output, in samples at 48 kHz.
  int Latency() const { return kTaps - 1 + kRatio * (groupcomm_latency(state_) + hop_); }

 private:
  groupcomm_state* state_ = nullptr;
  int hop_ = 0;
  int16_t* in_ = nullptr;   // (hop) at 16 kHz
  int16_t* out_ = nullptr;  // (sources, hop) at 16 kHz, the output of the previous hop
  int at_ = 0;              // index into both
  arm_fir_decimate_instance_f32 down_ = {};
  arm_fir_interpolate_instance_f32 up_ = {};
  float low_pass_[kTaps] = {};  // gain 1
  // gain 3: interpolation inserts two zeros after each sample
  float three_low_passes_[kTaps] = {};
  float down_state_[kTaps + kBlock - 1] = {};  // size required by CMSIS-DSP
  float up_state_[kTaps / kRatio + kBlock / kRatio - 1] = {};
};

}  // namespace groupcomm
