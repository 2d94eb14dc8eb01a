#include "micro/stream/stream.h"

#include <cmath>
#include <cstring>
#include <new>

#include "arm_math.h"

namespace groupcomm {
namespace {

constexpr float kPcmScale = 32768.0f;  // int16 PCM of this value is a sample of 1.0
constexpr int kMaxSources = 8;
constexpr int kSteps = 255;  // between the 256 values of a feature
constexpr size_t kAlignment = 16;

constexpr size_t Align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

#ifdef GROUPCOMM_WINDOW
#define FFT_INIT_OF(window) arm_rfft_fast_init_##window##_f32
#define FFT_INIT(window) FFT_INIT_OF(window)
constexpr bool HasWindow(int window) { return window == GROUPCOMM_WINDOW; }
arm_status InitFft(arm_rfft_fast_instance_f32* fft, int) { return FFT_INIT(GROUPCOMM_WINDOW)(fft); }
#else
constexpr bool HasWindow(int) { return true; }
arm_status InitFft(arm_rfft_fast_instance_f32* fft, int window) { return arm_rfft_fast_init_f32(fft, static_cast<uint16_t>(window)); }
#endif

bool Valid(const Quantization& q) {
  return std::isfinite(q.scale) && q.scale > 0 && q.zero_point >= -128 && q.zero_point <= 127;
}

bool Valid(const StreamConfig& c) {
  // The limits of the window are those of CMSIS-DSP's FFT.
  if (c.window < 32 || c.window > 4096 || (c.window & (c.window - 1)) != 0 || !HasWindow(c.window)) return false;
  if (c.hop < 1 || (c.window / 2) % c.hop != 0) return false;
  if (c.sources < 1 || c.sources > kMaxSources) return false;
  return std::isfinite(c.exponent) && c.exponent > 0 && Valid(c.features) && Valid(c.masks);
}

int16_t ToPcm(float sample) {
  const float scaled = sample * kPcmScale;
  if (scaled >= 32767.0f) return 32767;
  if (scaled <= -32768.0f) return -32768;
  // rint, which is a call on a Cortex-M4: among floats this large the step is 1, so the sum is rounded to a whole number.
  constexpr float kWhole = 1.5f * (1 << 23);
  const float rounded = scaled + kWhole;
  return static_cast<int16_t>(rounded - kWhole);
}

// Floats that are not negative have the order of their bits, and those a core without much of an FPU compares faster.
int32_t Bits(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

// The bits of the smallest float that is not below x.
int32_t BitsUp(double x) {
  const float near = static_cast<float>(x);
  return Bits(near) + (near < x);
}

}  // namespace

class Stream {
 public:
  // Walks through the caller's memory. With a null base it only counts.
  struct Layout {
    explicit Layout(void* base) : base(static_cast<uint8_t*>(base)) {}

    template <typename T>
    T* Take(size_t count) {
      T* taken = base ? reinterpret_cast<T*>(base + used) : nullptr;
      used += Align(count * sizeof(T));
      return taken;
    }

    uint8_t* base;
    size_t used = 0;
  };

  Stream(const StreamConfig& config, Engine* engine) : config_(config), engine_(engine) {}

  void Place(Layout* layout) {
    const size_t window = config_.window, bins = StreamBins(config_), sources = config_.sources;
    analysis_ = layout->Take<float>(window);
    history_ = layout->Take<int16_t>(window);
    frame_ = layout->Take<float>(window);
    spectrum_ = layout->Take<float>(window);
    time_ = layout->Take<float>(window);
    overlap_ = layout->Take<float>(sources * window);
    steps_ = layout->Take<int32_t>(kSteps);
    features_ = layout->Take<int8_t>(bins);
    masks_ = layout->Take<int8_t>(sources * bins);
  }

  Status Init() {
    if (InitFft(&fft_, config_.window) != ARM_MATH_SUCCESS) return Status::kBadConfig;
    // In double, like Python, and rounded once. A board computes it once, at start.
    const double pi = 3.14159265358979323846;
    for (int n = 0; n < config_.window; ++n) {
      analysis_[n] = static_cast<float>(std::sqrt(0.5 - 0.5 * std::cos(2 * pi * n / config_.window)));
    }
    // A power of two: as exact as the division, and much faster on a board.
    one_overlap_ = 2.0f * config_.hop / config_.window;
    for (int i = 0; i < kSteps; ++i) {
      // From here the feature is i - 127 or more: its real value rounds to this many scales, or more.
      const int scales = i - 127 - config_.features.zero_point;
      const double feature = (scales - 0.5) * config_.features.scale;
      steps_[i] = scales <= 0 ? 0 : BitsUp(std::pow(feature, 2.0 / config_.exponent));
    }
    return Reset();
  }

  Status Reset() {
    std::memset(history_, 0, config_.window * sizeof(int16_t));
    std::memset(overlap_, 0, config_.sources * config_.window * sizeof(float));
    std::memset(features_, 0, StreamBins(config_));
    std::memset(masks_, 0, config_.sources * StreamBins(config_));
    return engine_->Reset();
  }

  Status Process(const int16_t* in, int16_t* out) {
    Analyse(in);
    const Status status = engine_->Run(features_, masks_);
    if (status != Status::kOk) {
      std::memset(out, 0, config_.sources * config_.hop * sizeof(int16_t));
      return Status::kEngineFailed;
    }
    for (int source = 0; source < config_.sources; ++source) {
      Synthesize(masks_ + source * StreamBins(config_), overlap_ + source * config_.window, out + source * config_.hop);
    }
    return Status::kOk;
  }

  const StreamConfig& config() const { return config_; }
  const int8_t* features() const { return features_; }
  const int8_t* masks() const { return masks_; }

 private:
  // in (hop) -> spectrum_, features_
  void Analyse(const int16_t* in) {
    const int window = config_.window, hop = config_.hop, last = window / 2;
    std::memmove(history_, history_ + hop, (window - hop) * sizeof(int16_t));
    std::memcpy(history_ + window - hop, in, hop * sizeof(int16_t));
    for (int n = 0; n < window; ++n) frame_[n] = history_[n] / kPcmScale * analysis_[n];
    arm_rfft_fast_f32(&fft_, frame_, spectrum_, 0);  // overwrites frame_
    features_[0] = Feature(spectrum_[0], 0);
    features_[last] = Feature(spectrum_[1], 0);
    for (int bin = 1; bin < last; ++bin) features_[bin] = Feature(spectrum_[2 * bin], spectrum_[2 * bin + 1]);
  }

  // The quantized |X| ** exponent: how many steps the power has reached. A step is as exact as its float, and no bin takes a power.
  int8_t Feature(float re, float im) const {
    const int32_t power = Bits(re * re + im * im);
    const int32_t* reached = steps_;
#pragma GCC unroll 8
    for (int half = (kSteps + 1) / 2; half > 0; half /= 2) {
      if (power >= reached[half - 1]) reached += half;
    }
    return static_cast<int8_t>(reached - steps_ - 128);
  }

  float Mask(int8_t q) const { return static_cast<float>(q - config_.masks.zero_point) * config_.masks.scale; }

  // spectrum_, masks (bins), overlap (window) -> overlap, out (hop)
  void Synthesize(const int8_t* masks, float* overlap, int16_t* out) {
    const int window = config_.window, hop = config_.hop, last = window / 2;
    frame_[0] = Mask(masks[0]) * spectrum_[0];
    frame_[1] = Mask(masks[last]) * spectrum_[1];
    for (int bin = 1; bin < last; ++bin) {
      const float mask = Mask(masks[bin]);
      frame_[2 * bin] = mask * spectrum_[2 * bin];
      frame_[2 * bin + 1] = mask * spectrum_[2 * bin + 1];
    }
    arm_rfft_fast_f32(&fft_, frame_, time_, 1);
    // The synthesis window is the analysis window over the constant to which its square overlaps.
    const float one_overlap = one_overlap_;
    for (int n = 0; n < window; ++n) overlap[n] += time_[n] * (analysis_[n] * one_overlap);
    for (int n = 0; n < hop; ++n) out[n] = ToPcm(overlap[n]);
    std::memmove(overlap, overlap + hop, (window - hop) * sizeof(float));
    std::memset(overlap + window - hop, 0, hop * sizeof(float));
  }

  StreamConfig config_;
  Engine* engine_;
  arm_rfft_fast_instance_f32 fft_;
  float one_overlap_ = 0;

  // In the caller's memory. A spectrum is in CMSIS-DSP's packing: re of bin 0, re of the last bin, then re, im of bins 1, 2, ...
  float* analysis_ = nullptr;   // (window) periodic square-root Hann
  int16_t* history_ = nullptr;  // (window) the newest samples, oldest first
  float* frame_ = nullptr;      // (window) windowed samples, then the masked spectrum
  float* spectrum_ = nullptr;   // (window) of the mixture
  float* time_ = nullptr;       // (window) of one source
  float* overlap_ = nullptr;    // (sources, window) sum of the frames so far, from the next sample to leave
  int32_t* steps_ = nullptr;    // (kSteps) the power at which a feature takes its next value, as the bits of a float, ascending
  int8_t* features_ = nullptr;  // (bins)
  int8_t* masks_ = nullptr;     // (sources, bins)
};

size_t StreamBytes(const StreamConfig& config) {
  if (!Valid(config)) return 0;
  Stream stream(config, nullptr);
  Stream::Layout layout(nullptr);
  layout.Take<Stream>(1);
  stream.Place(&layout);
  return layout.used;
}

Status StreamCreate(const StreamConfig& config, Engine* engine, void* memory, size_t bytes, Stream** stream) {
  *stream = nullptr;
  const size_t needed = StreamBytes(config);
  if (needed == 0) return Status::kBadConfig;
  if (memory == nullptr || reinterpret_cast<uintptr_t>(memory) % kAlignment != 0 || bytes < needed) return Status::kBadMemory;
  const int bins = StreamBins(config);
  if (engine->features() != bins || engine->masks() != config.sources * bins) return Status::kEngineMismatch;
  Stream::Layout layout(memory);
  Stream* made = new (layout.Take<Stream>(1)) Stream(config, engine);
  made->Place(&layout);
  const Status status = made->Init();
  if (status == Status::kOk) *stream = made;
  return status;
}

Status StreamProcess(Stream* stream, const int16_t* in, int16_t* out) { return stream->Process(in, out); }

Status StreamReset(Stream* stream) { return stream->Reset(); }

int StreamLatency(const Stream* stream) { return stream->config().window - stream->config().hop; }

void StreamDestroy(Stream* stream) {
  if (stream != nullptr) stream->~Stream();
}

const int8_t* StreamFeatures(const Stream* stream) { return stream->features(); }

const int8_t* StreamMasks(const Stream* stream) { return stream->masks(); }

}  // namespace groupcomm
