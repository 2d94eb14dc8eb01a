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
    return fail_at == hops ? Status::kEngineFailed : Status::kOk;
  }
  Status Reset() override {
    hops = 0;
    return Status::kOk;
  }

  int hops = 0, fail_at = -1;

 private:
  int features_;
  std::vector<int8_t> masks_;  // (sources, bins)
};

struct alignas(16) Block {
  unsigned char bytes[16];
};

constexpr Quantization kFeatures{0.02f, -128};
constexpr Quantization kMasks{1.0f / 128, -1};  // 127 is a mask of exactly 1, -1 of 0

// Returns a config with its tables, which exist until the program ends.
StreamConfig WithTables(StreamConfig config) {
  static std::list<std::pair<std::vector<float>, std::vector<int32_t>>> tables;
  auto& [analysis, steps] =
      tables.emplace_back(std::vector<float>(config.window), std::vector<int32_t>(kFeatureSteps));
  StreamTables(config, analysis.data(), steps.data());
  config.analysis = analysis.data();
  config.steps = steps.data();
  return config;
}

StreamConfig Config(int window, int hop, int sources) {
  return WithTables(
      {window, hop, sources, 0.3f, kFeatures, kMasks, 0, 0, 1, 0, 0, nullptr, nullptr});
}

// Config with bands: the upper half of the bins is pooled, and each band receives values of its
// neighbours.
StreamConfig Banded(int sources, int bands, int pool, int neighbours, float kept) {
  return WithTables({256,
                     128,
                     sources,
                     0.3f,
                     {0.01f, -120},
                     kMasks,
                     kept,
                     bands,
                     pool,
                     neighbours,
                     0,
                     nullptr,
                     nullptr});
}

// Config that subtracts the running mean.
StreamConfig WithoutDc(StreamConfig config, float dc_kept) {
  config.dc_kept = dc_kept;
  return config;
}

std::vector<Block> Memory(const StreamConfig& config) {
  return std::vector<Block>(StreamBytes(config) / sizeof(Block));
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
std::vector<double> LessRunningMean(const std::vector<int16_t>& pcm, const StreamConfig& config) {
  std::vector<double> less(pcm.begin(), pcm.end());
  if (config.dc_kept == 0) return less;
  double total = 0, weight = 0;
  for (size_t at = 0; at < pcm.size(); at += config.hop) {
    double sum = 0;
    for (int n = 0; n < config.hop; ++n) sum += pcm[at + n];
    total = config.dc_kept * total + sum / config.hop;
    weight = config.dc_kept * weight + 1;
    for (int n = 0; n < config.hop; ++n) less[at + n] -= total / weight;
  }
  return less;
}

// Returns the output, (sources, samples), for pcm, (samples), of whole hops.
std::vector<std::vector<int16_t>> Run(Stream* stream, const StreamConfig& config,
                                      const std::vector<int16_t>& pcm) {
  std::vector<std::vector<int16_t>> result(config.sources, std::vector<int16_t>(pcm.size()));
  std::vector<int16_t> out(config.sources * config.hop);
  for (size_t at = 0; at < pcm.size(); at += config.hop) {
    CHECK_STATUS(StreamProcess(stream, pcm.data() + at, out.data()), Status::kOk);
    for (int s = 0; s < config.sources; ++s) {
      std::memcpy(result[s].data() + at, out.data() + s * config.hop, config.hop * sizeof(int16_t));
    }
  }
  return result;
}

// With masks of one, the output is the input, window - hop samples later, within one unit of int16.
void PerfectReconstruction() {
  for (const StreamConfig& config :
       {Config(256, 128, 1), Config(256, 64, 1), Config(256, 32, 2), Config(512, 256, 3),
        Config(128, 64, 8), Config(32, 16, 1), Config(32, 1, 1), Config(4096, 2048, 1),
        Banded(1, 12, 2, 4, 0.99f), Banded(2, 16, 1, 0, 0), Banded(3, 5, 4, 16, 0.5f)}) {
    FixedEngine engine(StreamInputs(config),
                       std::vector<int8_t>(config.sources * StreamValues(config), 127));
    std::vector<Block> memory = Memory(config);
    Stream* stream;
    CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream),
                 Status::kOk);
    CHECK_LE(StreamBytes(config), StreamMemory(config));
    CHECK_LE(StreamMemory(config), StreamBytes(config) + 448);
    const int latency = StreamLatency(stream);
    CHECK_EQ(latency, config.window - config.hop);
    const std::vector<int16_t> pcm = Sound(64 * 4096 / config.window * config.hop);
    for (const std::vector<int16_t>& out : Run(stream, config, pcm)) {
      for (int i = 0; i < latency; ++i) CHECK_EQ(out[i], 0);
      int worst = 0;
      for (size_t i = latency; i < pcm.size(); ++i)
        worst = std::max(worst, std::abs(out[i] - pcm[i - latency]));
      CHECK_LE(worst, 1);
    }
    StreamDestroy(stream);
  }
}

// With masks of one, the output is the input minus its running mean. A constant input gives zeros
// from its first hop on.
void SubtractsTheRunningMean() {
  for (const StreamConfig& config :
       {WithoutDc(Config(256, 128, 1), 0.92f), WithoutDc(Config(256, 32, 2), 0.996f),
        WithoutDc(Config(32, 1, 1), 0.999f), WithoutDc(Banded(1, 12, 2, 4, 0.99f), 0.984f)}) {
    FixedEngine engine(StreamInputs(config),
                       std::vector<int8_t>(config.sources * StreamValues(config), 127));
    std::vector<Block> memory = Memory(config);
    Stream* stream;
    CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream),
                 Status::kOk);
    CHECK_LE(StreamBytes(config), StreamMemory(config));
    CHECK_LE(StreamMemory(config), StreamBytes(config) + 448);
    const int latency = StreamLatency(stream);
    const std::vector<int16_t> pcm = SoundOnDc(100 * config.hop);
    const std::vector<double> expected = LessRunningMean(pcm, config);
    for (const std::vector<int16_t>& out : Run(stream, config, pcm)) {
      for (int i = 0; i < latency; ++i) CHECK_EQ(out[i], 0);
      double worst = 0;
      for (size_t i = latency; i < pcm.size(); ++i)
        worst = std::max(worst, std::abs(out[i] - expected[i - latency]));
      CHECK_LE(worst, 0.51);
    }
    CHECK_STATUS(StreamReset(stream), Status::kOk);
    for (const std::vector<int16_t>& out :
         Run(stream, config, std::vector<int16_t>(50 * config.hop, 3277))) {
      for (const int16_t sample : out) CHECK_EQ(sample, 0);
    }
    for (int i = 0; i < StreamInputs(config); ++i)
      CHECK_EQ(StreamFeatures(stream)[i], config.features.zero_point);
    StreamDestroy(stream);
  }
}

// The masks of the second source are zero: it is silent, and the first source is complete.
void SourcesAreApart() {
  const StreamConfig config = Config(256, 128, 2);
  const int bins = StreamBins(config);
  std::vector<int8_t> masks(2 * bins, 127);
  std::fill(masks.begin() + bins, masks.end(), -1);
  FixedEngine engine(bins, masks);
  std::vector<Block> memory = Memory(config);
  Stream* stream;
  CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream),
               Status::kOk);
  const std::vector<int16_t> pcm = Sound(100 * 128);
  const auto out = Run(stream, config, pcm);
  for (size_t i = 0; i < pcm.size(); ++i) CHECK_EQ(out[1][i], 0);
  for (size_t i = 128; i < pcm.size(); ++i) CHECK_LE(std::abs(out[0][i] - pcm[i - 128]), 1);
  for (int i = 0; i < bins; ++i)
    CHECK_EQ(StreamMasks(stream)[i] + StreamMasks(stream)[bins + i], 126);
}

// In every band, the masks of one source follow those of the other, and a pool has one mask. The
// reference is a sum over bins in double precision.
void MasksOfBands() {
  const StreamConfig config = Banded(2, 12, 2, 4, 0.99f);
  const int width = 8, window = config.window, hop = config.hop;
  std::vector<int8_t> masks(2 * 96);  // (bands, sources, width)
  for (size_t i = 0; i < masks.size(); ++i) masks[i] = static_cast<int8_t>(i * 73 % 129 - 1);
  FixedEngine engine(StreamInputs(config), masks);
  std::vector<Block> memory = Memory(config);
  Stream* stream;
  CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream),
               Status::kOk);
  const std::vector<int16_t> pcm = Sound(2 * hop);
  // the second hop is complete: its window and the one before contribute to it
  const auto out = Run(stream, config, pcm);
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
                mask * pcm[at] * config.analysis[n] * std::polar(1.0, -2 * kPi * bin * n / window);
        }
      }
      for (int n = 0; n < hop; ++n) {
        const int in_frame = n + (frame == 0 ? hop : 0);
        double sample = masked[0].real() + masked[window / 2].real() * (in_frame % 2 ? -1 : 1);
        for (int bin = 1; bin < window / 2; ++bin)
          sample += 2 * (masked[bin] * std::polar(1.0, 2 * kPi * bin * in_frame / window)).real();
        expected[n] += sample / window * config.analysis[in_frame];
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
  StreamConfig config = Config(256, 128, 1);
  config.masks = {4.0f / 128, -1};  // 127 is a mask of 4
  FixedEngine engine(129, std::vector<int8_t>(129, 127));
  std::vector<Block> memory = Memory(config);
  Stream* stream;
  CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream),
               Status::kOk);
  const std::vector<int16_t> pcm = Sound(20 * 128);
  const std::vector<int16_t> out = Run(stream, config, pcm)[0];
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
void ResetStartsAnew(const StreamConfig& config) {
  FixedEngine engine(StreamBins(config), std::vector<int8_t>(StreamBins(config), 93));
  std::vector<Block> memory = Memory(config);
  Stream* stream;
  CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream),
               Status::kOk);
  const std::vector<int16_t> pcm = Sound(50 * 64);
  const auto first = Run(stream, config, pcm);
  CHECK_EQ(engine.hops, 50);
  // without a reset, the first frame still contains the old sound
  CHECK_TRUE(Run(stream, config, pcm) != first);
  CHECK_STATUS(StreamReset(stream), Status::kOk);
  CHECK_EQ(engine.hops, 0);
  CHECK_TRUE(Run(stream, config, pcm) == first);
}

// Features equal the definition, computed here in double precision. Only a value close to a
// threshold may differ, by one.
void FeaturesByDefinition(StreamConfig config, float exponent, const Quantization& quantization) {
  config.exponent = exponent;
  config.features = quantization;
  config = WithTables(config);
  const int window = config.window, bins = StreamBins(config), bands = std::max(1, config.bands);
  const int values = StreamValues(config), width = values / bands,
            seen = width + 2 * config.neighbours;
  FixedEngine engine(StreamInputs(config), std::vector<int8_t>(values, 0));
  std::vector<Block> memory = Memory(config);
  Stream* stream;
  CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream),
               Status::kOk);
  std::vector<int16_t> pcm = config.dc_kept ? SoundOnDc(40 * config.hop) : Sound(40 * config.hop),
                       out(config.hop);
  // a power of 0 gives a feature of 0
  std::fill(pcm.end() - 3 * config.hop, pcm.end(), int16_t{0});
  const std::vector<double> analysed = LessRunningMean(pcm, config);
  std::vector<double> padded(window - config.hop, 0.0);
  padded.insert(padded.end(), analysed.begin(), analysed.end());
  int different = 0;
  double level = 0, frames = 0;
  for (int hop = 0; hop < 40; ++hop) {
    CHECK_STATUS(StreamProcess(stream, pcm.data() + hop * config.hop, out.data()), Status::kOk);
    std::vector<double> powers(bins);
    for (int bin = 0; bin < bins; ++bin) {
      std::complex<double> sum = 0;
      for (int n = 0; n < window; ++n) {
        const double analysis = std::sqrt(0.5 - 0.5 * std::cos(2 * kPi * n / window));
        sum += padded[hop * config.hop + n] / 32768.0 * analysis *
               std::polar(1.0, -2 * kPi * bin * n / window);
      }
      powers[bin] = std::norm(sum);
    }
    double gain = 1;
    if (config.kept > 0) {
      double mean = 0;
      for (double power : powers) mean += power / bins;
      level = config.kept * level + mean;
      frames = config.kept * frames + 1;
      gain = 1 / (level / frames + 1e-6);
    }
    for (int i = 0; i < StreamInputs(config); ++i) {
      const int value = i / seen * width + i % seen - config.neighbours;
      double power = 0;
      if (value >= 0 && value < values) {
        const int first = config.bands == 0 || value < 64 ? value : 64 + (value - 64) * config.pool;
        const int count = config.bands == 0 || value < 64 ? 1 : config.pool;
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
  CHECK_LE(different, 40 * StreamInputs(config) / 1000);
}

void Errors() {
  const StreamConfig good = Config(256, 128, 1);
  FixedEngine engine(129, std::vector<int8_t>(129, 127));
  std::vector<Block> memory = Memory(good);
  Stream* stream;
  std::vector<StreamConfig> bad(28, good);
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
  bad[14].kept = 1;
  bad[15].kept = -0.5f;
  bad[16].kept = NAN;
  bad[17].analysis = nullptr;
  bad[18].steps = nullptr;
  bad[19].bands = -1;
  bad[20].bands = 7;  // 128 values
  bad[21].pool = 2;   // without bands
  bad[22].neighbours = 1;
  bad[23] = Banded(1, 12, 2, 4, 0.99f);
  bad[23].neighbours = 9;
  bad[24] = bad[23];
  bad[24].pool = 3;  // of 64
  bad[25].dc_kept = 1;
  bad[26].dc_kept = -0.5f;
  bad[27].dc_kept = NAN;
  for (const StreamConfig& config : bad) {
    CHECK_EQ(StreamBytes(config), size_t{0});
    CHECK_STATUS(StreamCreate(config, &engine, memory.data(), memory.size() * 16, &stream),
                 Status::kBadConfig);
    CHECK_TRUE(stream == nullptr);
  }
  const size_t bytes = StreamBytes(good);
  CHECK_STATUS(StreamCreate(good, &engine, memory.data(), bytes - 1, &stream), Status::kBadMemory);
  CHECK_STATUS(StreamCreate(good, &engine, memory[0].bytes + 4, bytes, &stream),
               Status::kBadMemory);
  CHECK_STATUS(StreamCreate(good, &engine, nullptr, bytes, &stream), Status::kBadMemory);
  FixedEngine narrow(65, std::vector<int8_t>(65)), two(129, std::vector<int8_t>(258));
  CHECK_STATUS(StreamCreate(good, &narrow, memory.data(), bytes, &stream), Status::kEngineMismatch);
  CHECK_STATUS(StreamCreate(good, &two, memory.data(), bytes, &stream), Status::kEngineMismatch);

  // When the engine fails, the hop is silent and the stream continues.
  CHECK_STATUS(StreamCreate(good, &engine, memory.data(), bytes, &stream), Status::kOk);
  engine.fail_at = 3;
  const std::vector<int16_t> pcm = Sound(8 * 128);
  std::vector<int16_t> out(128);
  for (int hop = 1; hop <= 8; ++hop) {
    std::fill(out.begin(), out.end(), int16_t{1});
    const Status status = StreamProcess(stream, pcm.data() + (hop - 1) * 128, out.data());
    CHECK_STATUS(status, hop == 3 ? Status::kEngineFailed : Status::kOk);
    if (hop == 3) CHECK_TRUE(out == std::vector<int16_t>(128, 0));
  }
  for (int i = 0; i < 128; ++i) CHECK_LE(std::abs(out[i] - pcm[6 * 128 + i]), 1);
  StreamDestroy(stream);
  StreamDestroy(nullptr);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::PerfectReconstruction();
  groupcomm::SourcesAreApart();
  groupcomm::SubtractsTheRunningMean();
  groupcomm::ResetStartsAnew(groupcomm::Config(256, 64, 1));
  groupcomm::ResetStartsAnew(groupcomm::WithoutDc(groupcomm::Config(256, 64, 1), 0.99f));
  groupcomm::MasksOfBands();
  groupcomm::Saturates();
  const groupcomm::StreamConfig bins = groupcomm::Config(256, 128, 1);
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
  groupcomm::FeaturesByDefinition(groupcomm::WithoutDc(groupcomm::Config(512, 64, 1), 0.996f), 0.5f,
                                  {0.03f, 10});
  groupcomm::Errors();
}
