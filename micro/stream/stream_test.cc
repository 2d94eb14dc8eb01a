#include "micro/stream/stream.h"

#include <cmath>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "micro/testing/check.h"

namespace groupcomm {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Gives the same masks at every hop.
class FixedEngine final : public Engine {
 public:
  FixedEngine(int features, std::vector<int8_t> masks) : features_(features), masks_(std::move(masks)) {}

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

StreamConfig Config(int window, int hop, int sources) { return {window, hop, sources, 0.3f, kFeatures, kMasks}; }

std::vector<Block> Memory(const StreamConfig& config) { return std::vector<Block>(StreamBytes(config) / sizeof(Block)); }

// A sweep with noise that reaches full scale in both directions.
std::vector<int16_t> Sound(int samples) {
  std::vector<int16_t> pcm(samples);
  uint32_t seed = 1;
  for (int i = 0; i < samples; ++i) {
    seed = seed * 1664525 + 1013904223;
    const double x = 0.9 * std::sin(2 * kPi * i * (20 + 0.2 * i) / 16000) + 0.4 * (seed / 4294967296.0 - 0.5);
    pcm[i] = static_cast<int16_t>(std::lround(std::fmax(-1, std::fmin(1, x)) * 32767.5 - 0.5));
  }
  pcm[samples / 2] = -32768;
  pcm[samples / 2 + 1] = 32767;
  return pcm;
}

// (sources, samples) for whole hops of pcm
std::vector<std::vector<int16_t>> Run(Stream* stream, const StreamConfig& config, const std::vector<int16_t>& pcm) {
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

// Masks of one give the input back, window - hop samples later, within one step of int16.
void PerfectReconstruction() {
  for (const StreamConfig& config : {Config(256, 128, 1), Config(256, 64, 1), Config(256, 32, 2), Config(512, 256, 3),
                                     Config(128, 64, 8), Config(32, 16, 1), Config(32, 1, 1), Config(4096, 2048, 1)}) {
    const int bins = StreamBins(config);
    FixedEngine engine(bins, std::vector<int8_t>(config.sources * bins, 127));
    std::vector<Block> memory = Memory(config);
    Stream* stream;
    CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream), Status::kOk);
    const int latency = StreamLatency(stream);
    CHECK_EQ(latency, config.window - config.hop);
    const std::vector<int16_t> pcm = Sound(64 * 4096 / config.window * config.hop);
    for (const std::vector<int16_t>& out : Run(stream, config, pcm)) {
      for (int i = 0; i < latency; ++i) CHECK_EQ(out[i], 0);
      int worst = 0;
      for (size_t i = latency; i < pcm.size(); ++i) worst = std::max(worst, std::abs(out[i] - pcm[i - latency]));
      CHECK_LE(worst, 1);
    }
    StreamDestroy(stream);
  }
}

// The second source's masks are zero: it is silent, and the first is whole.
void SourcesAreApart() {
  const StreamConfig config = Config(256, 128, 2);
  const int bins = StreamBins(config);
  std::vector<int8_t> masks(2 * bins, 127);
  std::fill(masks.begin() + bins, masks.end(), -1);
  FixedEngine engine(bins, masks);
  std::vector<Block> memory = Memory(config);
  Stream* stream;
  CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream), Status::kOk);
  const std::vector<int16_t> pcm = Sound(100 * 128);
  const auto out = Run(stream, config, pcm);
  for (size_t i = 0; i < pcm.size(); ++i) CHECK_EQ(out[1][i], 0);
  for (size_t i = 128; i < pcm.size(); ++i) CHECK_LE(std::abs(out[0][i] - pcm[i - 128]), 1);
  for (int i = 0; i < bins; ++i) CHECK_EQ(StreamMasks(stream)[i] + StreamMasks(stream)[bins + i], 126);
}

// A stream that was reset is a new stream, bit for bit.
void ResetStartsAnew() {
  const StreamConfig config = Config(256, 64, 1);
  FixedEngine engine(StreamBins(config), std::vector<int8_t>(StreamBins(config), 93));
  std::vector<Block> memory = Memory(config);
  Stream* stream;
  CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream), Status::kOk);
  const std::vector<int16_t> pcm = Sound(50 * 64);
  const auto first = Run(stream, config, pcm);
  CHECK_EQ(engine.hops, 50);
  CHECK_TRUE(Run(stream, config, pcm) != first);  // without a reset, the first frame still holds the old sound
  CHECK_STATUS(StreamReset(stream), Status::kOk);
  CHECK_EQ(engine.hops, 0);
  CHECK_TRUE(Run(stream, config, pcm) == first);
}

// Features are those of the definition, computed here in double: only a value on the edge between two steps may fall to the other.
void FeaturesByDefinition(float exponent, const Quantization& quantization) {
  StreamConfig config = Config(256, 128, 1);
  config.exponent = exponent;
  config.features = quantization;
  const int window = config.window, bins = StreamBins(config);
  FixedEngine engine(bins, std::vector<int8_t>(bins, 0));
  std::vector<Block> memory = Memory(config);
  Stream* stream;
  CHECK_STATUS(StreamCreate(config, &engine, memory.data(), StreamBytes(config), &stream), Status::kOk);
  std::vector<int16_t> pcm = Sound(40 * config.hop);
  std::fill(pcm.end() - 3 * config.hop, pcm.end(), int16_t{0});  // a power of 0 is a feature of 0
  std::vector<int16_t> padded(window - config.hop, 0), out(config.hop);
  padded.insert(padded.end(), pcm.begin(), pcm.end());
  int different = 0;
  for (int hop = 0; hop < 40; ++hop) {
    CHECK_STATUS(StreamProcess(stream, pcm.data() + hop * config.hop, out.data()), Status::kOk);
    for (int bin = 0; bin < bins; ++bin) {
      std::complex<double> sum = 0;
      for (int n = 0; n < window; ++n) {
        const double analysis = std::sqrt(0.5 - 0.5 * std::cos(2 * kPi * n / window));
        sum += padded[hop * config.hop + n] / 32768.0 * analysis * std::polar(1.0, -2 * kPi * bin * n / window);
      }
      const double q = std::rint(std::pow(std::norm(sum), exponent / 2.0) / quantization.scale) + quantization.zero_point;
      const int expected = static_cast<int>(std::fmax(-128, std::fmin(127, q)));
      const int difference = std::abs(StreamFeatures(stream)[bin] - expected);
      CHECK_LE(difference, 1);
      different += difference;
    }
  }
  CHECK_LE(different, 40 * bins / 1000);
}

void Errors() {
  const StreamConfig good = Config(256, 128, 1);
  FixedEngine engine(129, std::vector<int8_t>(129, 127));
  std::vector<Block> memory = Memory(good);
  Stream* stream;
  std::vector<StreamConfig> bad(14, good);
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
  for (const StreamConfig& config : bad) {
    CHECK_EQ(StreamBytes(config), size_t{0});
    CHECK_STATUS(StreamCreate(config, &engine, memory.data(), memory.size() * 16, &stream), Status::kBadConfig);
    CHECK_TRUE(stream == nullptr);
  }
  const size_t bytes = StreamBytes(good);
  CHECK_STATUS(StreamCreate(good, &engine, memory.data(), bytes - 1, &stream), Status::kBadMemory);
  CHECK_STATUS(StreamCreate(good, &engine, memory[0].bytes + 4, bytes, &stream), Status::kBadMemory);
  CHECK_STATUS(StreamCreate(good, &engine, nullptr, bytes, &stream), Status::kBadMemory);
  FixedEngine narrow(65, std::vector<int8_t>(65)), two(129, std::vector<int8_t>(258));
  CHECK_STATUS(StreamCreate(good, &narrow, memory.data(), bytes, &stream), Status::kEngineMismatch);
  CHECK_STATUS(StreamCreate(good, &two, memory.data(), bytes, &stream), Status::kEngineMismatch);

  // A failing engine: silence for this hop, and the stream goes on.
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
  groupcomm::ResetStartsAnew();
  groupcomm::FeaturesByDefinition(0.3f, groupcomm::kFeatures);
  groupcomm::FeaturesByDefinition(0.5f, {0.03f, 10});
  groupcomm::FeaturesByDefinition(1.0f, {0.1f, -127});
  groupcomm::FeaturesByDefinition(2.0f, {4.0f, 0});
  groupcomm::FeaturesByDefinition(0.3f, {0.02f, 127});
  groupcomm::Errors();
}
