#include "micro/stream/stream.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "arm_math.h"
#include "micro/contract/bundle_fields.h"

namespace groupcomm {
namespace {

constexpr float kPcmScale = 32768.0f;  // the int16 PCM value of a sample of 1.0
// mean power of a bin; softer sound is not amplified for the network
constexpr float kLevelFloor = 1e-6f;
constexpr float kSampleFloor = 1e-8f;  // the same for the mean square of samples
constexpr size_t kAlignment = 16;

constexpr size_t Align(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

#ifdef GROUPCOMM_WINDOW
#define FFT_INIT_OF(window) arm_rfft_fast_init_##window##_f32
#define FFT_INIT(window) FFT_INIT_OF(window)
#ifndef GROUPCOMM_OTHER_WINDOW
constexpr bool HasWindow(int window) { return window == GROUPCOMM_WINDOW; }
arm_status InitFft(arm_rfft_fast_instance_f32* fft, int) { return FFT_INIT(GROUPCOMM_WINDOW)(fft); }
#else
constexpr bool HasWindow(int window) {
  return window == GROUPCOMM_WINDOW || window == GROUPCOMM_OTHER_WINDOW;
}
arm_status InitFft(arm_rfft_fast_instance_f32* fft, int window) {
  return window == GROUPCOMM_WINDOW ? FFT_INIT(GROUPCOMM_WINDOW)(fft)
                                    : FFT_INIT(GROUPCOMM_OTHER_WINDOW)(fft);
}
#endif
#else
constexpr bool HasWindow(int) { return true; }
arm_status InitFft(arm_rfft_fast_instance_f32* fft, int window) {
  return arm_rfft_fast_init_f32(fft, static_cast<uint16_t>(window));
}
#endif

// The rules of GC_SIGNAL_FIELDS.
bool integer(int32_t x, int32_t low, int32_t high) { return x >= low && x <= high; }
bool power_of_two(int32_t x, int32_t low, int32_t high) {
  return integer(x, low, high) && (x & (x - 1)) == 0 && HasWindow(x);
}
bool positive(float x, int, int) { return std::isfinite(x) && x > 0; }
bool decay(float x, int, int) { return x >= 0 && x < 1; }
bool optional_decay(float x, int, int) { return decay(x, 0, 0); }
bool optional_flag(int32_t x, int, int) { return integer(x, 0, 1); }
bool quantization(const gc_quantization& q, int, int) {
  return positive(q.scale, 0, 0) && integer(q.zero_point, -128, 127);
}

bool Valid(const SignalPath& path) {
#define GROUPCOMM_CHECK(field, rule, object, key, low, high) \
  if (!rule(path.field, low, high)) return false;
#define GROUPCOMM_CHECK_DIVISOR(field, object, key, of, words) \
  if (path.field != 0 && (of) % path.field != 0) return false;
  GC_SIGNAL_FIELDS(GROUPCOMM_CHECK, &path)
  GC_SIGNAL_DIVISORS(GROUPCOMM_CHECK_DIVISOR, &path)
#undef GROUPCOMM_CHECK
#undef GROUPCOMM_CHECK_DIVISOR
  return path.analysis != nullptr && (path.waveform || path.feature_thresholds != nullptr);
}

// Returns x rounded to a whole number, for |x| below 2^22: the sum rounds, because floats of this
// magnitude have a spacing of 1. rint would be a function call on a Cortex-M4.
int32_t Round(float x) {
  constexpr float kWhole = 1.5f * (1 << 23);
  const float rounded = x + kWhole;
  return static_cast<int32_t>(rounded - kWhole);
}

int16_t ToPcm(float sample) {
  const float scaled = sample * kPcmScale;
  if (scaled >= 32767.0f) return 32767;
  if (scaled <= -32768.0f) return -32768;
  return static_cast<int16_t>(Round(scaled));
}

// Non-negative floats have the same order as their bits, and a core with a small FPU compares
// integers faster.
int32_t Bits(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

}  // namespace

class Stream {
 public:
  // Places buffers in the caller's memory. With a null base it only adds up their sizes.
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

  Stream(const SignalPath& path, Engine* engine)
      : path_(path), engine_(engine), thresholds_(path.feature_thresholds) {}

  // Functions that run once are cold: the compiler makes them small.
  [[gnu::cold]] void Place(Layout* layout) {
    const size_t window = path_.window, values = StreamValues(path_), sources = path_.sources;
    history_ = layout->Take<int16_t>(window);
    frame_ = layout->Take<float>(window);
    if (!path_.waveform) {
      spectrum_ = layout->Take<float>(window);
      time_ = layout->Take<float>(window);
    }
    overlap_ = layout->Take<float>(sources * window);
    means_ = path_.dc_decay > 0 ? layout->Take<float>(window / path_.hop) : nullptr;
    features_ = layout->Take<int8_t>(StreamInputs(path_));
    // Without neighbours, the features are the values in order of frequency.
    values_ = path_.neighbours ? layout->Take<int8_t>(values + 2 * path_.neighbours) : features_;
    masks_ = layout->Take<int8_t>(sources * values);
  }

  [[gnu::cold]] Status Init() {
    if (!path_.waveform && InitFft(&fft_, path_.window) != ARM_MATH_SUCCESS)
      return GROUPCOMM_BAD_CONFIG;
    // A power of two, so multiplying by it is as exact as a division, and much faster on a board.
    one_overlap_ = 2.0f * path_.hop / path_.window;
    SetLowestGain(0);
    // silence below the first band and above the last one
    if (path_.bands > 0)
      std::memset(values_, Feature(0), StreamValues(path_) + 2 * path_.neighbours);
    return Reset();
  }

  Status Reset() {
    std::memset(history_, 0, path_.window * sizeof(int16_t));
    std::memset(overlap_, 0, path_.sources * path_.window * sizeof(float));
    std::memset(features_, 0, StreamInputs(path_));
    std::memset(masks_, 0, path_.sources * StreamValues(path_));
    if (means_ != nullptr) std::memset(means_, 0, path_.window / path_.hop * sizeof(float));
    level_ = frames_ = hops_ = 0;
    return engine_->Reset();
  }

  Status Process(const int16_t* in /* (hop) */, int16_t* out /* (sources, hop) */) {
    Analyse(in);
    const Status status = engine_->Run(features_, masks_);
    if (status != GROUPCOMM_OK) {
      std::memset(out, 0, path_.sources * path_.hop * sizeof(int16_t));
      return GROUPCOMM_ENGINE_FAILED;
    }
    for (int source = 0; source < path_.sources; ++source) {
      float* overlap = overlap_ + source * path_.window;
      if (path_.waveform)
        AddFrame(masks_ + source * path_.window, overlap);
      else
        Synthesize(masks_ + source * Width(), overlap);
      Emit(overlap, out + source * path_.hop);
      // The start of the history is as far behind the input as the output is.
      if (bypass_) std::memcpy(out + source * path_.hop, history_, path_.hop * sizeof(int16_t));
    }
    return GROUPCOMM_OK;
  }

  void SetLowestGain(float gain) {
    lowest_gain_ = gain;
    mask_scale_ = (1 - gain) * path_.masks.scale;
  }

  void SetBypass(bool on) { bypass_ = on; }

  const SignalPath& path() const { return path_; }
  const int8_t* features() const { return features_; }
  const int8_t* masks() const { return masks_; }

 private:
  // Updates history_, spectrum_ and features_; with waveform frame_ in place of spectrum_.
  void Analyse(const int16_t* in /* (hop) */) {
    const int window = path_.window, hop = path_.hop, last = window / 2;
    std::memmove(history_, history_ + hop, (window - hop) * sizeof(int16_t));
    std::memcpy(history_ + window - hop, in, hop * sizeof(int16_t));
    const float* analysis = path_.analysis;
    if (means_ == nullptr) {
      for (int n = 0; n < window; ++n) frame_[n] = history_[n] / kPcmScale * analysis[n];
    } else {
      CountMean(in);
      const float* mean = means_;
      for (int n = 0; n < window; ++mean) {
        for (const int end = n + hop; n < end; ++n)
          frame_[n] = (history_[n] / kPcmScale - *mean) * analysis[n];
      }
    }
    if (path_.waveform) return Normalize();
    arm_rfft_fast_f32(&fft_, frame_, spectrum_, 0);  // overwrites frame_
    float* power = frame_;                           // (bins)
    power[0] = spectrum_[0] * spectrum_[0];
    power[last] = spectrum_[1] * spectrum_[1];
    for (int bin = 1; bin < last; ++bin) {
      const float re = spectrum_[2 * bin], im = spectrum_[2 * bin + 1];
      power[bin] = re * re + im * im;
    }
    const float gain = Gain(power);
    const int singles = Singles(), neighbours = path_.neighbours, width = Width();
    int8_t* value = values_ + neighbours;
    for (int bin = 0; bin < singles; ++bin) *value++ = Feature(power[bin] * gain);
    if (path_.bands == 0) return;
    const float mean = gain / static_cast<float>(path_.pool);
    for (int bin = singles; bin < last; bin += path_.pool) {
      float sum = power[bin];
      for (int i = 1; i < path_.pool; ++i) sum += power[bin + i];
      *value++ = Feature(sum * mean);
    }
    if (neighbours == 0) return;
    int8_t* band = features_;
    for (int i = 0; i < path_.bands; ++i, band += width + 2 * neighbours)
      std::memcpy(band, values_ + i * width, width + 2 * neighbours);
  }

  // Updates the running mean up to the end of this hop. It is subtracted from the samples of this
  // hop in every frame that contains them.
  void CountMean(const int16_t* in /* (hop) */) {
    const int hop = path_.hop, last = path_.window / hop - 1;
    int32_t sum = 0;
    for (int n = 0; n < hop; ++n) sum += in[n];
    std::memmove(means_, means_ + 1, last * sizeof(float));
    hops_ = path_.dc_decay * hops_ + 1;
    // Updated by the difference, so that a constant input is met exactly: features amplify the
    // small values that remain in silence.
    means_[last] +=
        (static_cast<float>(sum) / (static_cast<float>(hop) * kPcmScale) - means_[last]) / hops_;
  }

  // Divides the samples of frame_ by their running RMS, and quantizes them to features_.
  void Normalize() {
    const int window = path_.window;
    float sum = 0;
    for (int n = 0; n < window; ++n) sum += frame_[n] * frame_[n];
    rms_ = 1;
    if (path_.level_decay > 0)
      rms_ = std::sqrt(Level(sum / static_cast<float>(window)) + kSampleFloor);
    const float steps = 1 / (rms_ * path_.features.scale);
    const int zero_point = path_.features.zero_point;
    for (int n = 0; n < window; ++n) {
      const float x = std::max(-256.0f, std::min(frame_[n] * steps, 256.0f));
      const int32_t q = Round(x) + zero_point;
      features_[n] = static_cast<int8_t>(std::max<int32_t>(-128, std::min<int32_t>(q, 127)));
    }
  }

  // Adds the power of this frame to the running level, an exponentially weighted mean.
  float Level(float power) {
    level_ = path_.level_decay * level_ + power;
    frames_ = path_.level_decay * frames_ + 1;
    return level_ / frames_;
  }

  // Returns the reciprocal of the running level.
  float Gain(const float* power /* (bins) */) {
    if (path_.level_decay == 0) return 1;
    const int bins = StreamBins(path_);
    float sum = 0;
    for (int bin = 0; bin < bins; ++bin) sum += power[bin];
    return 1 / (Level(sum / static_cast<float>(bins)) + kLevelFloor);
  }

  // Returns the quantized power ** (exponent / 2): the number of thresholds that the power has
  // reached. A threshold is as exact as a float, and no bin needs powf.
  int8_t Feature(float x) const {
    const int32_t power = Bits(x);
    const int32_t *thresholds = thresholds_, *reached = thresholds;
#pragma GCC unroll 8
    for (int half = (GC_FEATURE_THRESHOLDS + 1) / 2; half > 0; half /= 2) {
      if (power >= reached[half - 1]) reached += half;
    }
    return static_cast<int8_t>(reached - thresholds - 128);
  }

  // Number of bins, from the lowest, that are not pooled.
  int Singles() const { return path_.bands ? path_.window / 4 : StreamBins(path_); }

  // A spectrum without bands is one band that contains all bins.
  int Bands() const { return path_.bands ? path_.bands : 1; }
  int Width() const { return StreamValues(path_) / Bands(); }

  float Mask(int8_t q) const {
    return lowest_gain_ + static_cast<float>(q - path_.masks.zero_point) * mask_scale_;
  }

  // Applies the masks of one source to spectrum_, and adds the result to overlap. `masks` points
  // into (bands or 1, sources, width), at this source.
  void Synthesize(const int8_t* masks, float* overlap /* (window) */) {
    const int window = path_.window, last = window / 2;
    const int singles = Singles(), pool = path_.pool, bands = Bands(), width = Width(),
              stride = path_.sources * width;
    float mask = 0;
    for (int band = 0, bin = 0; band < bands; ++band, masks += stride) {
      for (int i = 0; i < width; ++i) {
        mask = Mask(masks[i]);
        const int end = std::min(last, bin + (bin < singles ? 1 : pool));
        for (; bin < end; ++bin) {
          frame_[2 * bin] = mask * spectrum_[2 * bin];
          frame_[2 * bin + 1] = mask * spectrum_[2 * bin + 1];
        }
      }
    }
    // the last bin uses the last mask: its own, or that of the end of the last band
    frame_[1] = mask * spectrum_[1];
    arm_rfft_fast_f32(&fft_, frame_, time_, 1);
    // The synthesis window is the analysis window divided by the constant to which its square
    // overlap-adds.
    const float one_overlap = one_overlap_;
    const float* analysis = path_.analysis;
    for (int n = 0; n < window; ++n) overlap[n] += time_[n] * (analysis[n] * one_overlap);
  }

  // Adds the samples of one source to overlap, and to them a share of the input.
  void AddFrame(const int8_t* samples /* (window) */, float* overlap /* (window) */) {
    const float share = 0.5f * one_overlap_ * lowest_gain_;
    for (int n = 0; n < path_.window; ++n) {
      const float q = static_cast<float>(samples[n] - path_.masks.zero_point);
      overlap[n] += q * mask_scale_ * rms_ + share * frame_[n];
    }
  }

  // Takes the next output samples from overlap.
  void Emit(float* overlap /* (window) */, int16_t* out /* (hop) */) {
    const int window = path_.window, hop = path_.hop;
    for (int n = 0; n < hop; ++n) out[n] = ToPcm(overlap[n]);
    std::memmove(overlap, overlap + hop, (window - hop) * sizeof(float));
    std::memset(overlap + window - hop, 0, hop * sizeof(float));
  }

  const SignalPath& path_;
  Engine* engine_;
  const int32_t* thresholds_;  // (GC_FEATURE_THRESHOLDS) those of the path, once less indirect
  arm_rfft_fast_instance_f32 fft_;
  float one_overlap_ = 0;
  float lowest_gain_ = 0, mask_scale_ = 0;  // see StreamSetLowestGain
  bool bypass_ = false;
  float rms_ = 1;                 // with waveform, that of the newest frame
  float level_ = 0, frames_ = 0;  // exponentially weighted sums of the mean power and of ones
  // exponentially weighted sum of ones, with the decay of the running mean of the samples
  float hops_ = 0;

  // These are in the caller's memory. A spectrum has CMSIS-DSP's packing: re of bin 0, re of the
  // last bin, then re, im of bins 1, 2, ...
  int16_t* history_ = nullptr;  // (window) the newest samples, the oldest first
  // (window) windowed samples, then power (bins), then the masked spectrum
  float* frame_ = nullptr;
  float* spectrum_ = nullptr;  // (window) of the mixture
  float* time_ = nullptr;      // (window) of one source
  // (sources, window) sum of the frames so far, from the next output sample on
  float* overlap_ = nullptr;
  // (window / hop) running mean at each hop of the history, the oldest first; null if not
  // subtracted
  float* means_ = nullptr;
  int8_t* values_ =
      nullptr;  // (neighbours + values + neighbours) features in the order of frequency
  int8_t* features_ = nullptr;  // (bands or 1, neighbours + width + neighbours)
  int8_t* masks_ = nullptr;     // (bands or 1, sources, width)
};

static_assert(sizeof(Stream) <= kStreamObjectBytes, "enlarge it");

[[gnu::cold]] size_t StreamBytes(const SignalPath& path) {
  if (!Valid(path)) return 0;
  Stream stream(path, nullptr);
  Stream::Layout layout(nullptr);
  layout.Take<Stream>(1);
  stream.Place(&layout);
  return layout.used;
}

[[gnu::cold]] Status StreamCreate(const SignalPath& path, Engine* engine, void* memory,
                                  size_t bytes, Stream** stream) {
  *stream = nullptr;
  const size_t needed = StreamBytes(path);
  if (needed == 0) return GROUPCOMM_BAD_CONFIG;
  if (memory == nullptr || bytes < needed) return GROUPCOMM_MEMORY_TOO_SMALL;
  if (reinterpret_cast<uintptr_t>(memory) % kAlignment != 0) return GROUPCOMM_MEMORY_NOT_ALIGNED;
  const int masks = path.sources * StreamValues(path);
  if (engine->features() != StreamInputs(path) || engine->masks() != masks)
    return GROUPCOMM_ENGINE_MISMATCH;
  Stream::Layout layout(memory);
  Stream* made = new (layout.Take<Stream>(1)) Stream(path, engine);
  made->Place(&layout);
  const Status status = made->Init();
  if (status == GROUPCOMM_OK) *stream = made;
  return status;
}

Status StreamProcess(Stream* stream, const int16_t* in, int16_t* out) {
  return stream->Process(in, out);
}

Status StreamReset(Stream* stream) { return stream->Reset(); }

void StreamSetLowestGain(Stream* stream, float gain) { stream->SetLowestGain(gain); }

void StreamSetBypass(Stream* stream, bool on) { stream->SetBypass(on); }

int StreamLatency(const Stream* stream) { return stream->path().window - stream->path().hop; }

const int8_t* StreamFeatures(const Stream* stream) { return stream->features(); }

const int8_t* StreamMasks(const Stream* stream) { return stream->masks(); }

}  // namespace groupcomm
