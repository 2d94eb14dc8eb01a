// Passes audio of 48 kHz, in frames of any length, through a stream of 16 kHz, in place: it
// decimates by 3, processes hop by hop, and interpolates by 3. The firmware of earbuds uses such
// frames (nRF Audio: 10 or 7.5 ms of interleaved int16). Nothing above 8 kHz remains.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric>

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
  static constexpr int kLongFrame = 480, kShortFrame = 360;  // 10 and 7.5 ms

  // Hops in the FIFO of a network that has a thread of its own: two, and those by which a frame
  // delays its samples. A hop then always has as long as the next one takes to arrive.
  static constexpr int FifoHops(int hop) {
    const int longest = Delay(kLongFrame, hop), other = Delay(kShortFrame, hop);
    return 2 + ((longest > other ? longest : other) + hop - 1) / hop;
  }

  // Number of int16 samples of memory that Init needs.
  static constexpr size_t Samples(int hop, int sources, int hops = 1) {
    return static_cast<size_t>(hops + sources) * hop;
  }

  Audio48k() = default;
  Audio48k(const Audio48k&) = delete;
  Audio48k& operator=(const Audio48k&) = delete;

  // State and memory must outlive this object. With one hop, Process runs the network. With more,
  // they are a FIFO, and another thread calls RunHop.
  Status Init(groupcomm_state* state, int16_t* memory /* (samples) */, size_t samples,
              int hops = 1);

  // Sends the first channel through the stream, and writes its first source to every channel.
  // `frames` is a multiple of 3. When a hop fails, its output is silence; the call, or with a FIFO a
  // later one, returns why.
  Status Process(int16_t* pcm /* (frames, channels) */, int frames, int channels);

  // Runs the network on the oldest hop in the FIFO. Returns whether there was one.
  bool RunHop();

  // Samples at 16 kHz that are lost because the FIFO was full. Each is silence in the output, so that
  // the delay stays the same.
  uint32_t Lost() const { return lost_; }

  // Delay of the output, in samples at 48 kHz.
  int Latency() const { return kTaps - 1 + kRatio * (groupcomm_latency(state_) + length_); }

 private:
  // The longest time from the end of a hop to that of the frame with its last sample, at 16 kHz.
  static constexpr int Delay(int frame, int hop) {
    return frame / kRatio - std::gcd(frame / kRatio, hop);
  }

  // Puts a sample into the ring buffer and returns the one in its place.
  int16_t Exchange(int16_t in);

  groupcomm_state* state_ = nullptr;
  int hop_ = 0;
  // (length) at 16 kHz, a ring buffer: a hop of the output replaces that of the input, and a sample
  // of the input replaces that of the output which Process takes.
  int16_t* ring_ = nullptr;
  int length_ = 0;
  int16_t* out_ = nullptr;             // (sources, hop) at 16 kHz
  int at_ = 0;                         // index of the next sample; only Process uses it
  int run_at_ = 0;                     // index of the next hop; only RunHop uses it
  std::atomic<uint32_t> written_ = 0;  // samples of the input so far; only Process changes it
  std::atomic<uint32_t> done_ = 0;     // those of the output; only RunHop changes it
  std::atomic<Status> failure_ = GROUPCOMM_OK;  // of a hop, until Process returns it
  uint32_t lost_ = 0;
  arm_fir_decimate_instance_f32 down_ = {};
  arm_fir_interpolate_instance_f32 up_ = {};
  float low_pass_[kTaps] = {};  // gain 1
  // gain 3: interpolation inserts two zeros after each sample
  float three_low_passes_[kTaps] = {};
  float down_state_[kTaps + kBlock - 1] = {};  // size required by CMSIS-DSP
  float up_state_[kTaps / kRatio + kBlock / kRatio - 1] = {};
};

}  // namespace groupcomm
