#include "micro/stream/audio_48k.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "micro/contract/static_model.h"

namespace groupcomm {
namespace {

constexpr float kPi = 3.14159265358979f;
// middle of the transition band of the low-pass filter, in cycles per sample
constexpr float kCut = 7500.0f / 48000.0f;
constexpr float kBeta = 6.0f;  // of the Kaiser window of the filter

// The modified Bessel function of the first kind, order 0, by its power series.
float Bessel(float x) {
  float sum = 1, term = 1;
  for (int k = 1; k < 24; ++k) {
    term *= x / 2 / static_cast<float>(k);
    sum += term * term;
  }
  return sum;
}

int16_t ToPcm(float x) {
  return static_cast<int16_t>(std::min(32767.0f, std::max(-32768.0f, std::floor(x + 0.5f))));
}

}  // namespace

Status Audio48k::Init(groupcomm_state* state, int16_t* memory, size_t samples, int hops) {
  if (state == nullptr || memory == nullptr || hops < 1) return GROUPCOMM_BAD_ARGUMENT;
  const gc_signal_path& path = groupcomm_model(state)->signal;
  const int hop = path.hop, sources = path.sources;
  if (samples < Samples(hop, sources, hops)) return GROUPCOMM_MEMORY_TOO_SMALL;
  state_ = state, hop_ = hop;
  ring_ = memory, length_ = hops * hop, out_ = ring_ + length_;
  at_ = run_at_ = 0, lost_ = 0;
  written_ = done_ = 0;
  failure_ = GROUPCOMM_OK;
  std::memset(memory, 0, Samples(hop, sources, hops) * sizeof(int16_t));
  float sum = 0;
  for (int n = 0; n < kTaps; ++n) {
    const float at = static_cast<float>(n) - (kTaps - 1) / 2.0f, r = 2 * at / (kTaps - 1);
    low_pass_[n] =
        std::sin(2 * kPi * kCut * at) / (kPi * at) * Bessel(kBeta * std::sqrt(1 - r * r));
    sum += low_pass_[n];
  }
  for (int n = 0; n < kTaps; ++n) {
    low_pass_[n] /= sum;
    three_low_passes_[n] = kRatio * low_pass_[n];
  }
  const bool ok = arm_fir_decimate_init_f32(&down_, kTaps, kRatio, low_pass_, down_state_,
                                            kBlock) == ARM_MATH_SUCCESS &&
                  arm_fir_interpolate_init_f32(&up_, kRatio, kTaps, three_low_passes_, up_state_,
                                               kBlock / kRatio) == ARM_MATH_SUCCESS;
  return ok ? groupcomm_reset(state) : GROUPCOMM_BAD_CONFIG;
}

Status Audio48k::Process(int16_t* pcm, int frames, int channels) {
  if (state_ == nullptr || frames % kRatio != 0 || channels < 1) return GROUPCOMM_BAD_ARGUMENT;
  float fast[kBlock], slow[kBlock / kRatio];  // at 48 kHz, at 16 kHz
  for (int done = 0; done < frames; done += kBlock) {
    const int block = std::min(kBlock, frames - done), some = block / kRatio;
    int16_t* here = pcm + static_cast<ptrdiff_t>(done) * channels;  // (block, channels)
    for (int n = 0; n < block; ++n) fast[n] = here[n * channels];
    arm_fir_decimate_f32(&down_, fast, slow, block);
    for (int n = 0; n < some; ++n) slow[n] = Exchange(ToPcm(slow[n]));
    arm_fir_interpolate_f32(&up_, slow, fast, some);
    for (int n = 0; n < block; ++n) std::fill_n(here + n * channels, channels, ToPcm(fast[n]));
  }
  return failure_.exchange(GROUPCOMM_OK);
}

int16_t Audio48k::Exchange(int16_t in) {
  const uint32_t written = written_.load(std::memory_order_relaxed);
  if (written - done_.load(std::memory_order_acquire) == static_cast<uint32_t>(length_)) {
    ++lost_;
    return 0;
  }
  const int16_t out = ring_[at_];
  ring_[at_] = in;
  at_ = at_ + 1 == length_ ? 0 : at_ + 1;
  written_.store(written + 1, std::memory_order_release);
  if (length_ == hop_) RunHop();
  return out;
}

bool Audio48k::RunHop() {
  const uint32_t done = done_.load(std::memory_order_relaxed);
  if (state_ == nullptr ||
      written_.load(std::memory_order_acquire) - done < static_cast<uint32_t>(hop_))
    return false;
  const Status status = groupcomm_process(state_, ring_ + run_at_, out_);
  if (status != GROUPCOMM_OK) failure_ = status;
  std::memcpy(ring_ + run_at_, out_, hop_ * sizeof(int16_t));
  run_at_ = run_at_ + hop_ == length_ ? 0 : run_at_ + hop_;
  done_.store(done + hop_, std::memory_order_release);
  return true;
}

}  // namespace groupcomm
