#include "micro/stream/stream.h"

#include <cmath>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <list>
#include <utility>
#include <vector>

#include "micro/stream/tables.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Returns the same masks at every hop.
class FixedEngine final : public Engine {
 public:
  FixedEngine(int features, std::vector<int8_t> masks)
      : features_(features), masks_(std::move(masks)) {}

  int features() const override { return features_; }
  int masks() const override { return static_cast<int>(masks_.size()); }
  Status Run(const int8_t*, int8_t* masks) override {
    ++hops;
    std::memcpy(masks, masks_.data(), masks_.size());
    return fail_at == hops ? GROUPCOMM_ENGINE_FAILED : GROUPCOMM_OK;
  }
  Status Reset() override {
    hops = 0;
    return GROUPCOMM_OK;
  }

  int hops = 0, fail_at = -1;

 private:
  int features_;
  std::vector<int8_t> masks_;  // (sources, bins)
};

// Returns the features as the samples of every source.
class EchoEngine final : public Engine {
 public:
  EchoEngine(int features, int sources) : features_(features), sources_(sources) {}

  int features() const override { return features_; }
  int masks() const override { return sources_ * features_; }
  Status Run(const int8_t* features, int8_t* masks) override {
    for (int s = 0; s < sources_; ++s) std::memcpy(masks + s * features_, features, features_);
    return GROUPCOMM_OK;
  }
  Status Reset() override { return GROUPCOMM_OK; }

 private:
  int features_, sources_;
};

struct alignas(16) Block {
  unsigned char bytes[16];
};

constexpr gc_quantization kFeatures{0.02f, -128};
constexpr gc_quantization kMasks{1.0f / 128, -1};  // 127 is a mask of exactly 1, -1 of 0

// Returns a path with its tables, which exist until the program ends.
SignalPath WithTables(SignalPath path) {
  static std::list<std::pair<std::vector<float>, std::vector<int32_t>>> tables;
  auto& [analysis, thresholds] = tables.emplace_back(std::vector<float>(path.window),
                                                     std::vector<int32_t>(GC_FEATURE_THRESHOLDS));
  StreamTables(&path, analysis.data(), thresholds.data());
  return path;
}

SignalPath Path(int window, int hop, int sources) {
  SignalPath path = {};
  path.sample_rate = 16000;
  path.window = window;
  path.hop = hop;
  path.exponent = 0.3f;
  path.pool = 1;
  path.sources = sources;
  path.features = kFeatures;
  path.masks = kMasks;
  return WithTables(path);
}

// A path with bands: the upper half of the bins is pooled, and each band receives values of its
// neighbours.
SignalPath Banded(int sources, int bands, int pool, int neighbours, float level_decay) {
  SignalPath path = Path(256, 128, sources);
  path.features = {0.01f, -120};
  path.level_decay = level_decay;
  path.bands = bands;
  path.pool = pool;
  path.neighbours = neighbours;
  return WithTables(path);
}

// A path that subtracts the running mean.
SignalPath WithoutDc(SignalPath path, float dc_decay) {
  path.dc_decay = dc_decay;
  return path;
}

// The bound of the header of a network.
size_t Bound(const SignalPath& path) {
  const int values = StreamValues(path), row = path.neighbours ? values + 2 * path.neighbours : 0;
  return GROUPCOMM_STATE_BYTES(path.window, path.sources, StreamInputs(path), path.sources * values,
                               row, path.dc_decay > 0 ? path.window / path.hop : 0, 0);
}

std::vector<Block> Memory(const SignalPath& path) {
  return std::vector<Block>(StreamBytes(path) / sizeof(Block));
}

// Returns a sweep with noise that reaches full scale in both directions, (samples).
std::vector<int16_t> Sound(int samples) {
  std::vector<int16_t> pcm(samples);
  uint32_t seed = 1;
  for (int i = 0; i < samples; ++i) {
    seed = seed * 1664525 + 1013904223;
    const double x =
        0.9 * std::sin(2 * kPi * i * (20 + 0.2 * i) / 16000) + 0.4 * (seed / 4294967296.0 - 0.5);
    pcm[i] = static_cast<int16_t>(std::lround(std::fmax(-1, std::fmin(1, x)) * 32767.5 - 0.5));
  }
  pcm[samples / 2] = -32768;
  pcm[samples / 2 + 1] = 32767;
  return pcm;
}

// Returns Sound at less than half its level, with a DC offset of 0.1 of full scale, (samples).
std::vector<int16_t> SoundOnDc(int samples) {
  std::vector<int16_t> pcm = Sound(samples);
  for (int16_t& x : pcm) x = static_cast<int16_t>(x * 2 / 5 + 3277);
  return pcm;
}

// Returns pcm, (samples), of whole hops minus the running mean up to the end of each hop: the
// definition in double precision, in units of int16.
std::vector<double> LessRunningMean(const std::vector<int16_t>& pcm, const SignalPath& path) {
  std::vector<double> less(pcm.begin(), pcm.end());
  if (path.dc_decay == 0) return less;
  double total = 0, weight = 0;
  for (size_t at = 0; at < pcm.size(); at += path.hop) {
    double sum = 0;
    for (int n = 0; n < path.hop; ++n) sum += pcm[at + n];
    total = path.dc_decay * total + sum / path.hop;
    weight = path.dc_decay * weight + 1;
    for (int n = 0; n < path.hop; ++n) less[at + n] -= total / weight;
  }
  return less;
}

// Returns the output, (sources, samples), for pcm, (samples), of whole hops.
std::vector<std::vector<int16_t>> Run(Stream* stream, const SignalPath& path,
                                      const std::vector<int16_t>& pcm) {
  std::vector<std::vector<int16_t>> result(path.sources, std::vector<int16_t>(pcm.size()));
  std::vector<int16_t> out(path.sources * path.hop);
  for (size_t at = 0; at < pcm.size(); at += path.hop) {
    CHECK_STATUS(StreamProcess(stream, pcm.data() + at, out.data()), GROUPCOMM_OK);
    for (int s = 0; s < path.sources; ++s) {
      std::memcpy(result[s].data() + at, out.data() + s * path.hop, path.hop * sizeof(int16_t));
    }
  }
  return result;
}

// With masks of one, the output is the input, window - hop samples later, within one unit of int16.
void PerfectReconstruction() {
  for (const SignalPath& path :
       {Path(256, 128, 1), Path(256, 64, 1), Path(256, 32, 2), Path(512, 256, 3), Path(128, 64, 8),
        Path(32, 16, 1), Path(32, 1, 1), Path(4096, 2048, 1), Banded(1, 12, 2, 4, 0.99f),
        Banded(2, 16, 1, 0, 0), Banded(3, 5, 4, 16, 0.5f)}) {
    FixedEngine engine(StreamInputs(path),
                       std::vector<int8_t>(path.sources * StreamValues(path), 127));
    std::vector<Block> memory = Memory(path);
    Stream* stream;
    CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
                 GROUPCOMM_OK);
    CHECK_LE(StreamBytes(path), Bound(path));
    CHECK_LE(Bound(path), StreamBytes(path) + 256);
    const int latency = StreamLatency(stream);
    CHECK_EQ(latency, path.window - path.hop);
    const std::vector<int16_t> pcm = Sound(64 * 4096 / path.window * path.hop);
    for (const std::vector<int16_t>& out : Run(stream, path, pcm)) {
      for (int i = 0; i < latency; ++i) CHECK_EQ(out[i], 0);
      int worst = 0;
      for (size_t i = latency; i < pcm.size(); ++i)
        worst = std::max(worst, std::abs(out[i] - pcm[i - latency]));
      CHECK_LE(worst, 1);
    }
  }
}

// With masks of one, the output is the input minus its running mean. A constant input gives zeros
// from its first hop on.
void SubtractsTheRunningMean() {
  for (const SignalPath& path :
       {WithoutDc(Path(256, 128, 1), 0.92f), WithoutDc(Path(256, 32, 2), 0.996f),
        WithoutDc(Path(32, 1, 1), 0.999f), WithoutDc(Banded(1, 12, 2, 4, 0.99f), 0.984f)}) {
    FixedEngine engine(StreamInputs(path),
                       std::vector<int8_t>(path.sources * StreamValues(path), 127));
    std::vector<Block> memory = Memory(path);
    Stream* stream;
    CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
                 GROUPCOMM_OK);
    CHECK_LE(StreamBytes(path), Bound(path));
    CHECK_LE(Bound(path), StreamBytes(path) + 256);
    const int latency = StreamLatency(stream);
    const std::vector<int16_t> pcm = SoundOnDc(100 * path.hop);
    const std::vector<double> expected = LessRunningMean(pcm, path);
    for (const std::vector<int16_t>& out : Run(stream, path, pcm)) {
      for (int i = 0; i < latency; ++i) CHECK_EQ(out[i], 0);
      double worst = 0;
      for (size_t i = latency; i < pcm.size(); ++i)
        worst = std::max(worst, std::abs(out[i] - expected[i - latency]));
      CHECK_LE(worst, 0.51);
    }
    CHECK_STATUS(StreamReset(stream), GROUPCOMM_OK);
    for (const std::vector<int16_t>& out :
         Run(stream, path, std::vector<int16_t>(50 * path.hop, 3277))) {
      for (const int16_t sample : out) CHECK_EQ(sample, 0);
    }
    for (int i = 0; i < StreamInputs(path); ++i)
      CHECK_EQ(StreamFeatures(stream)[i], path.features.zero_point);
  }
}

// The masks of the second source are zero: it is silent, and the first source is complete.
void SourcesAreApart() {
  const SignalPath path = Path(256, 128, 2);
  const int bins = StreamBins(path);
  std::vector<int8_t> masks(2 * bins, 127);
  std::fill(masks.begin() + bins, masks.end(), -1);
  FixedEngine engine(bins, masks);
  std::vector<Block> memory = Memory(path);
  Stream* stream;
  CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
               GROUPCOMM_OK);
  const std::vector<int16_t> pcm = Sound(100 * 128);
  const auto out = Run(stream, path, pcm);
  for (size_t i = 0; i < pcm.size(); ++i) CHECK_EQ(out[1][i], 0);
  for (size_t i = 128; i < pcm.size(); ++i) CHECK_LE(std::abs(out[0][i] - pcm[i - 128]), 1);
  for (int i = 0; i < bins; ++i)
    CHECK_EQ(StreamMasks(stream)[i] + StreamMasks(stream)[bins + i], 126);
}

// In every band, the masks of one source follow those of the other, and a pool has one mask. The
// reference is a sum over bins in double precision.
void MasksOfBands() {
  const SignalPath path = Banded(2, 12, 2, 4, 0.99f);
  const int width = 8, window = path.window, hop = path.hop;
  std::vector<int8_t> masks(2 * 96);  // (bands, sources, width)
  for (size_t i = 0; i < masks.size(); ++i) masks[i] = static_cast<int8_t>(i * 73 % 129 - 1);
  FixedEngine engine(StreamInputs(path), masks);
  std::vector<Block> memory = Memory(path);
  Stream* stream;
  CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
               GROUPCOMM_OK);
  const std::vector<int16_t> pcm = Sound(2 * hop);
  // the second hop is complete: its window and the one before contribute to it
  const auto out = Run(stream, path, pcm);
  for (int source = 0; source < 2; ++source) {
    std::vector<double> expected(hop, 0.0);  // samples of the first hop
    for (int frame = 0; frame < 2; ++frame) {
      std::vector<std::complex<double>> masked(window / 2 + 1);
      for (int bin = 0; bin <= window / 2; ++bin) {
        const int value = bin < 64 ? bin : bin == 128 ? 95 : 64 + (bin - 64) / 2;
        const double mask =
            (masks[(value / width * 2 + source) * width + value % width] + 1) / 128.0;
        for (int n = 0; n < window; ++n) {
          const int at = n + (frame - 1) * hop;
          if (at >= 0)
            masked[bin] +=
                mask * pcm[at] * path.analysis[n] * std::polar(1.0, -2 * kPi * bin * n / window);
        }
      }
      for (int n = 0; n < hop; ++n) {
        const int in_frame = n + (frame == 0 ? hop : 0);
        double sample = masked[0].real() + masked[window / 2].real() * (in_frame % 2 ? -1 : 1);
        for (int bin = 1; bin < window / 2; ++bin)
          sample += 2 * (masked[bin] * std::polar(1.0, 2 * kPi * bin * in_frame / window)).real();
        expected[n] += sample / window * path.analysis[in_frame];
      }
    }
    for (int n = 0; n < hop; ++n)
      CHECK_LE(std::abs(out[source][hop + n] -
                        std::lround(std::fmax(-32768, std::fmin(32767, expected[n])))),
               1);
  }
}

// Samples beyond the range of int16 saturate at both ends.
void Saturates() {
  SignalPath path = Path(256, 128, 1);
  path.masks = {4.0f / 128, -1};  // 127 is a mask of 4
  FixedEngine engine(129, std::vector<int8_t>(129, 127));
  std::vector<Block> memory = Memory(path);
  Stream* stream;
  CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
               GROUPCOMM_OK);
  const std::vector<int16_t> pcm = Sound(20 * 128);
  const std::vector<int16_t> out = Run(stream, path, pcm)[0];
  int low = 0, high = 0;
  for (size_t i = 128; i < pcm.size(); ++i) {
    const int expected = std::max(-32768, std::min(32767, 4 * pcm[i - 128]));
    CHECK_LE(std::abs(out[i] - expected), 4);
    low += out[i] == -32768;
    high += out[i] == 32767;
  }
  CHECK_LE(100, low);
  CHECK_LE(100, high);
}

// A stream gives the same output after a reset as when it was new, bit for bit.
void ResetStartsAnew(const SignalPath& path) {
  FixedEngine engine(StreamBins(path), std::vector<int8_t>(StreamBins(path), 93));
  std::vector<Block> memory = Memory(path);
  Stream* stream;
  CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
               GROUPCOMM_OK);
  const std::vector<int16_t> pcm = Sound(50 * 64);
  const auto first = Run(stream, path, pcm);
  CHECK_EQ(engine.hops, 50);
  // without a reset, the first frame still contains the old sound
  CHECK_TRUE(Run(stream, path, pcm) != first);
  CHECK_STATUS(StreamReset(stream), GROUPCOMM_OK);
  CHECK_EQ(engine.hops, 0);
  CHECK_TRUE(Run(stream, path, pcm) == first);
}

// Features equal the definition, computed here in double precision. Only a value close to a
// threshold may differ, by one.
void FeaturesByDefinition(SignalPath path, float exponent, const gc_quantization& quantization) {
  path.exponent = exponent;
  path.features = quantization;
  path = WithTables(path);
  const int window = path.window, bins = StreamBins(path), bands = std::max(1, path.bands);
  const int values = StreamValues(path), width = values / bands, seen = width + 2 * path.neighbours;
  FixedEngine engine(StreamInputs(path), std::vector<int8_t>(values, 0));
  std::vector<Block> memory = Memory(path);
  Stream* stream;
  CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
               GROUPCOMM_OK);
  std::vector<int16_t> pcm = path.dc_decay ? SoundOnDc(40 * path.hop) : Sound(40 * path.hop),
                       out(path.hop);
  // a power of 0 gives a feature of 0
  std::fill(pcm.end() - 3 * path.hop, pcm.end(), int16_t{0});
  const std::vector<double> analysed = LessRunningMean(pcm, path);
  std::vector<double> padded(window - path.hop, 0.0);
  padded.insert(padded.end(), analysed.begin(), analysed.end());
  int different = 0;
  double level = 0, frames = 0;
  for (int hop = 0; hop < 40; ++hop) {
    CHECK_STATUS(StreamProcess(stream, pcm.data() + hop * path.hop, out.data()), GROUPCOMM_OK);
    std::vector<double> powers(bins);
    for (int bin = 0; bin < bins; ++bin) {
      std::complex<double> sum = 0;
      for (int n = 0; n < window; ++n) {
        const double analysis = std::sqrt(0.5 - 0.5 * std::cos(2 * kPi * n / window));
        sum += padded[hop * path.hop + n] / 32768.0 * analysis *
               std::polar(1.0, -2 * kPi * bin * n / window);
      }
      powers[bin] = std::norm(sum);
    }
    double gain = 1;
    if (path.level_decay > 0) {
      double mean = 0;
      for (double power : powers) mean += power / bins;
      level = path.level_decay * level + mean;
      frames = path.level_decay * frames + 1;
      gain = 1 / (level / frames + 1e-6);
    }
    for (int i = 0; i < StreamInputs(path); ++i) {
      const int value = i / seen * width + i % seen - path.neighbours;
      double power = 0;
      if (value >= 0 && value < values) {
        const int first = path.bands == 0 || value < 64 ? value : 64 + (value - 64) * path.pool;
        const int count = path.bands == 0 || value < 64 ? 1 : path.pool;
        for (int bin = first; bin < first + count; ++bin) power += powers[bin] / count;
      }
      const double q = std::rint(std::pow(power * gain, exponent / 2.0) / quantization.scale) +
                       quantization.zero_point;
      const int expected = static_cast<int>(std::fmax(-128, std::fmin(127, q)));
      const int difference = std::abs(StreamFeatures(stream)[i] - expected);
      CHECK_LE(difference, 1);
      different += difference;
    }
  }
  CHECK_LE(different, 40 * StreamInputs(path) / 1000);
}

// With waveform, the features are the samples of a frame, less the running mean and divided by the
// running RMS, and the samples of a source are multiplied by it. The reference is in double
// precision. With the input alone, the output is the input less its running mean.
void Waveform(int window, int hop, int sources, float level_decay, gc_quantization features) {
  SignalPath path = WithoutDc(Path(window, hop, sources), 0.98f);
  path.waveform = 1;
  path.level_decay = level_decay;
  path.features = features;
  path.masks = {features.scale * static_cast<float>(hop) / static_cast<float>(window),
                features.zero_point};
  path = WithTables(path);
  path.feature_thresholds = nullptr;
  EchoEngine engine(window, sources);
  std::vector<Block> memory = Memory(path);
  Stream* stream;
  CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
               GROUPCOMM_OK);
  CHECK_LE(StreamBytes(path), Bound(path));
  const int latency = StreamLatency(stream), hops = 200;
  const std::vector<int16_t> pcm = SoundOnDc(hops * hop);
  std::vector<double> samples(latency), expected(hops * hop + window);
  const std::vector<double> less = LessRunningMean(pcm, path);
  for (const double x : less) samples.push_back(x / 32768);
  std::vector<int16_t> out(sources * hop);
  double level = 0, weight = 0;
  int different = 0;
  for (int at = 0; at < hops * hop; at += hop) {
    CHECK_STATUS(StreamProcess(stream, pcm.data() + at, out.data()), GROUPCOMM_OK);
    double power = 0;
    for (int n = 0; n < window; ++n) power += samples[at + n] * samples[at + n];
    level = level_decay * level + power / window;
    weight = level_decay * weight + 1;
    const double rms = level_decay > 0 ? std::sqrt(level / weight + 1e-8) : 1;
    for (int n = 0; n < window; ++n) {
      const double q = std::rint(samples[at + n] / rms / features.scale) + features.zero_point;
      const int8_t given = StreamFeatures(stream)[n];
      const int difference = std::abs(given - static_cast<int>(std::fmax(-128, std::fmin(127, q))));
      CHECK_LE(difference, 1);
      different += difference;
      expected[at + n] += (given - path.masks.zero_point) * path.masks.scale * rms;
    }
    for (int s = 0; s < sources; ++s) {
      for (int n = 0; n < hop; ++n) {
        const double x = std::fmax(-32768, std::fmin(32767, expected[at + n] * 32768));
        CHECK_LE(std::abs(out[s * hop + n] - x), 0.51);
      }
    }
  }
  CHECK_LE(different, hops * window / 1000);

  CHECK_STATUS(StreamReset(stream), GROUPCOMM_OK);
  StreamSetLowestGain(stream, 1);
  for (const std::vector<int16_t>& source : Run(stream, path, pcm)) {
    for (size_t i = latency; i < pcm.size(); ++i)
      CHECK_LE(std::abs(source[i] - less[i - latency]), 0.51);
  }
}

void Errors() {
  const SignalPath good = Path(256, 128, 1);
  FixedEngine engine(129, std::vector<int8_t>(129, 127));
  std::vector<Block> memory = Memory(good);
  Stream* stream;
  std::vector<SignalPath> bad(30, good);
  bad[0].window = 250;
  bad[1].window = 16;
  bad[2].window = 8192;
  bad[3].hop = 0;
  bad[4].hop = 256;
  bad[5].hop = 96;
  bad[6].sources = 0;
  bad[7].sources = 9;
  bad[8].exponent = 0;
  bad[9].exponent = NAN;
  bad[10].features.scale = -1;
  bad[11].masks.scale = INFINITY;
  bad[12].features.zero_point = 128;
  bad[13].masks.zero_point = -129;
  bad[14].level_decay = 1;
  bad[15].level_decay = -0.5f;
  bad[16].level_decay = NAN;
  bad[17].analysis = nullptr;
  bad[18].feature_thresholds = nullptr;
  bad[19].bands = -1;
  bad[20].bands = 7;  // 128 values
  bad[21].pool = 2;   // without bands
  bad[22].neighbours = 1;
  bad[23] = Banded(1, 12, 2, 4, 0.99f);
  bad[23].neighbours = 9;
  bad[24] = bad[23];
  bad[24].pool = 3;  // of 64
  bad[25].dc_decay = 1;
  bad[26].dc_decay = -0.5f;
  bad[27].dc_decay = NAN;
  bad[28].waveform = 2;
  bad[29] = bad[23];
  bad[29].neighbours = 0;
  bad[29].waveform = 1;  // with bands
  for (const SignalPath& path : bad) {
    CHECK_EQ(StreamBytes(path), size_t{0});
    CHECK_STATUS(StreamCreate(path, &engine, memory.data(), memory.size() * 16, &stream),
                 GROUPCOMM_BAD_CONFIG);
    CHECK_TRUE(stream == nullptr);
  }
  const size_t bytes = StreamBytes(good);
  CHECK_STATUS(StreamCreate(good, &engine, memory.data(), bytes - 1, &stream),
               GROUPCOMM_MEMORY_TOO_SMALL);
  CHECK_STATUS(StreamCreate(good, &engine, memory[0].bytes + 4, bytes, &stream),
               GROUPCOMM_MEMORY_NOT_ALIGNED);
  CHECK_STATUS(StreamCreate(good, &engine, nullptr, bytes, &stream), GROUPCOMM_MEMORY_TOO_SMALL);
  FixedEngine narrow(65, std::vector<int8_t>(65)), two(129, std::vector<int8_t>(258));
  CHECK_STATUS(StreamCreate(good, &narrow, memory.data(), bytes, &stream),
               GROUPCOMM_ENGINE_MISMATCH);
  CHECK_STATUS(StreamCreate(good, &two, memory.data(), bytes, &stream), GROUPCOMM_ENGINE_MISMATCH);

  // When the engine fails, the hop is silent and the stream continues.
  CHECK_STATUS(StreamCreate(good, &engine, memory.data(), bytes, &stream), GROUPCOMM_OK);
  engine.fail_at = 3;
  const std::vector<int16_t> pcm = Sound(8 * 128);
  std::vector<int16_t> out(128);
  for (int hop = 1; hop <= 8; ++hop) {
    std::fill(out.begin(), out.end(), int16_t{1});
    const Status status = StreamProcess(stream, pcm.data() + (hop - 1) * 128, out.data());
    CHECK_STATUS(status, hop == 3 ? GROUPCOMM_ENGINE_FAILED : GROUPCOMM_OK);
    if (hop == 3) CHECK_TRUE(out == std::vector<int16_t>(128, 0));
  }
  for (int i = 0; i < 128; ++i) CHECK_LE(std::abs(out[i] - pcm[6 * 128 + i]), 1);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::PerfectReconstruction();
  groupcomm::SourcesAreApart();
  groupcomm::SubtractsTheRunningMean();
  groupcomm::ResetStartsAnew(groupcomm::Path(256, 64, 1));
  groupcomm::ResetStartsAnew(groupcomm::WithoutDc(groupcomm::Path(256, 64, 1), 0.99f));
  groupcomm::MasksOfBands();
  groupcomm::Saturates();
  const groupcomm::SignalPath bins = groupcomm::Path(256, 128, 1);
  groupcomm::FeaturesByDefinition(bins, 0.3f, groupcomm::kFeatures);
  groupcomm::FeaturesByDefinition(bins, 0.5f, {0.03f, 10});
  groupcomm::FeaturesByDefinition(bins, 1.0f, {0.1f, -127});
  groupcomm::FeaturesByDefinition(bins, 2.0f, {4.0f, 0});
  groupcomm::FeaturesByDefinition(bins, 0.3f, {0.02f, 127});
  groupcomm::FeaturesByDefinition(groupcomm::Banded(1, 12, 2, 4, 0.992f), 0.3f, {0.01f, -120});
  groupcomm::FeaturesByDefinition(groupcomm::Banded(1, 16, 1, 0, 0.9f), 0.5f, {0.02f, -128});
  groupcomm::FeaturesByDefinition(groupcomm::Banded(1, 5, 4, 16, 0), 0.3f, {0.01f, 5});
  groupcomm::FeaturesByDefinition(groupcomm::WithoutDc(bins, 0.984f), 0.3f, groupcomm::kFeatures);
  groupcomm::FeaturesByDefinition(
      groupcomm::WithoutDc(groupcomm::Banded(1, 12, 2, 4, 0.992f), 0.92f), 0.3f, {0.01f, -120});
  groupcomm::FeaturesByDefinition(groupcomm::WithoutDc(groupcomm::Path(512, 64, 1), 0.996f), 0.5f,
                                  {0.03f, 10});
  groupcomm::Waveform(64, 32, 1, 0.97f, {0.0625f, 3});
  groupcomm::Waveform(64, 16, 2, 0.9f, {0.03f, -20});
  groupcomm::Waveform(256, 128, 1, 0, {1.0f / 128, 0});
  groupcomm::Errors();
}
