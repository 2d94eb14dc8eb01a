#include "micro/stream/audio_48k.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <vector>

#include "micro/api/engine_api.h"
#include "micro/stream/stream.h"
#include "micro/stream/tables.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr int kWindow = 256, kHop = 128, kRate = 48000;

// Returns masks of one for the first source and of zero for the second.
class OneEngine final : public Engine {
 public:
  int features() const override { return kWindow / 2 + 1; }
  int masks() const override { return 2 * features(); }
  Status Run(const int8_t*, int8_t* masks) override {
    std::memset(masks, 127, features());
    std::memset(masks + features(), -1, features());
    return fail ? GROUPCOMM_ENGINE_FAILED : GROUPCOMM_OK;
  }
  Status Reset() override { return GROUPCOMM_OK; }

  bool fail = false;
};

struct Separator {
  explicit Separator(int hops = 1) : samples(Audio48k::Samples(kHop, 2, hops)) {
    SignalPath& path = model.signal;
    path.sample_rate = 16000;
    path.window = kWindow;
    path.hop = kHop;
    path.exponent = 0.3f;
    path.pool = 1;
    path.sources = 2;
    path.features = {0.02f, -128};
    path.masks = {1.0f / 128, -1};
    StreamTables(&path, analysis.data(), thresholds.data());
    CHECK_STATUS(CreateOnEngine(model, &engine, memory, sizeof(memory), &state), GROUPCOMM_OK);
    CHECK_STATUS(audio.Init(state, samples.data(), samples.size(), hops), GROUPCOMM_OK);
  }

  std::vector<float> analysis = std::vector<float>(kWindow);
  std::vector<int32_t> thresholds = std::vector<int32_t>(GC_FEATURE_THRESHOLDS);
  gc_model model = {};
  OneEngine engine;
  alignas(16) uint8_t memory[16384];
  groupcomm_state* state = nullptr;
  std::vector<int16_t> samples;
  Audio48k audio;
};

// Returns one second of a tone at -6 dBFS, (kRate).
std::vector<int16_t> Tone(double hertz) {
  std::vector<int16_t> pcm(kRate);
  for (int n = 0; n < kRate; ++n)
    pcm[n] = static_cast<int16_t>(std::lround(16384 * std::sin(2 * kPi * hertz * n / kRate)));
  return pcm;
}

// Processes `mono`, (samples), as the first of `channels` channels, in calls of `frames`. Returns
// the output, (samples).
std::vector<int16_t> Run(Separator* separator, const std::vector<int16_t>& mono, int frames,
                         int channels) {
  std::vector<int16_t> out, pcm(frames * channels);
  for (size_t at = 0; at + frames <= mono.size(); at += frames) {
    for (int n = 0; n < frames; ++n) {
      for (int c = 0; c < channels; ++c) pcm[n * channels + c] = c == 0 ? mono[at + n] : 12345;
    }
    CHECK_STATUS(separator->audio.Process(pcm.data(), frames, channels), GROUPCOMM_OK);
    for (int n = 0; n < frames; ++n) {
      out.push_back(pcm[n * channels]);
      for (int c = 1; c < channels; ++c) CHECK_EQ(pcm[n * channels + c], pcm[n * channels]);
    }
  }
  return out;
}

// Returns the energy of the difference to the input `latency` samples earlier, in dB relative to
// the input.
double Difference(const std::vector<int16_t>& out, const std::vector<int16_t>& in, int latency) {
  double difference = 0, energy = 0;
  for (size_t n = kRate / 4; n < out.size(); ++n) {
    const double x = in[n - latency], e = out[n] - x;
    difference += e * e;
    energy += x * x;
  }
  return 10 * std::log10(difference / energy);
}

// Returns the level in dBFS.
double Level(const std::vector<int16_t>& pcm) {
  double energy = 1e-9;
  for (size_t n = kRate / 4; n < pcm.size(); ++n) energy += double(pcm[n]) * pcm[n];
  return 10 * std::log10(energy / (pcm.size() - kRate / 4.0) / (32768.0 * 32768.0));
}

void SpeechPassesInTime() {
  for (const double hertz : {100.0, 1000.0, 3333.0, 6500.0}) {
    Separator separator;
    const std::vector<int16_t> in = Tone(hertz);
    const int latency = separator.audio.Latency();
    CHECK_EQ(latency, 95 + 3 * kWindow);
    const double difference = Difference(Run(&separator, in, 480, 1), in, latency);
    std::printf("%.0f Hz: %.1f dB\n", hertz, difference);
    CHECK_LE(difference, -38.0);  // 0.1 dB
  }
}

// Frequencies above 8 kHz are removed, and do not alias.
void NothingIsFolded() {
  for (const double hertz : {9000.0, 12000.0, 15000.0, 17000.0, 23000.0}) {
    Separator separator;
    const double level = Level(Run(&separator, Tone(hertz), 480, 1));
    std::printf("%.0f Hz: %.1f dBFS\n", hertz, level);
    CHECK_LE(level, -69.0);  // the input has -9 dBFS
  }
}

void FramesOfAnyLength() {
  const std::vector<int16_t> in = Tone(777);
  Separator one;
  const std::vector<int16_t> expected = Run(&one, in, 480, 1);
  for (const int frames : {3, 48, 51, 360, 480, 1440}) {
    for (const int channels : {1, 2}) {
      Separator separator;
      const std::vector<int16_t> out = Run(&separator, in, frames, channels);
      for (size_t n = 0; n < out.size() && n < expected.size(); ++n) CHECK_EQ(out[n], expected[n]);
    }
  }
}

// As Run, with a thread of its own for the network, which takes `cost(now)` samples of 48 kHz for a
// hop. A hop is in the FIFO at the end of its last frame, and its output replaces it when its time is
// over.
template <typename Cost>
std::vector<int16_t> RunFifo(Separator* separator, const std::vector<int16_t>& in, int frames,
                             Cost cost) {
  std::vector<int16_t> out = in;
  std::deque<int64_t> arrivals;
  int64_t free = 0, seen = 0;
  for (int64_t now = frames; now <= static_cast<int64_t>(in.size()); now += frames) {
    while (!arrivals.empty()) {
      const int64_t end = std::max(free, arrivals.front()) + cost(now);
      if (end > now) break;
      free = end;
      arrivals.pop_front();
      CHECK_TRUE(separator->audio.RunHop());
    }
    CHECK_STATUS(separator->audio.Process(&out[now - frames], frames, 1), GROUPCOMM_OK);
    for (; (seen + 1) * kHop <= now / 3 - separator->audio.Lost(); ++seen) arrivals.push_back(now);
  }
  return out;
}

// The network may take all the time of a hop.
void FifoAllowsFullLoad() {
  static_assert(Audio48k::FifoHops(kHop) == 3 && Audio48k::FifoHops(kHop / 2) == 4);
  const std::vector<int16_t> in = Tone(777);
  Separator without;
  const std::vector<int16_t> expected = Run(&without, in, 480, 1);
  const auto all = [](int64_t) { return 3 * kHop; };
  for (const int frames : {Audio48k::kShortFrame, Audio48k::kLongFrame}) {
    Separator separator(Audio48k::FifoHops(kHop)), less(Audio48k::FifoHops(kHop) - 1);
    const std::vector<int16_t> out = RunFifo(&separator, in, frames, all);
    CHECK_EQ(separator.audio.Lost(), 0u);
    const int later = separator.audio.Latency() - without.audio.Latency();
    CHECK_EQ(later, 3 * 2 * kHop);
    for (size_t n = later; n + frames < out.size(); ++n) CHECK_EQ(out[n], expected[n - later]);
    RunFifo(&less, in, frames, all);
    CHECK_LE(1u, less.audio.Lost());
  }
}

// When the network takes too long for half a second, sound is lost, and the delay stays the same.
void FifoKeepsItsDelay() {
  const std::vector<int16_t> in = Tone(777);
  Separator separator(Audio48k::FifoHops(kHop));
  const std::vector<int16_t> out = RunFifo(
      &separator, in, 480, [](int64_t now) { return now < kRate / 2 ? 5 * kHop : 2 * kHop; });
  CHECK_LE(1u, separator.audio.Lost());
  const int latency = separator.audio.Latency();
  for (size_t n = 3 * kRate / 4; n < out.size(); ++n)
    CHECK_LE(std::abs(out[n] - in[n - latency]), 170);  // 0.1 dB of the low-pass filter
}

void Refusals() {
  Separator separator;
  int16_t pcm[480] = {};
  CHECK_STATUS(separator.audio.Process(pcm, 479, 1), GROUPCOMM_BAD_ARGUMENT);
  CHECK_STATUS(separator.audio.Process(pcm, 480, 0), GROUPCOMM_BAD_ARGUMENT);
  separator.engine.fail = true;
  CHECK_STATUS(separator.audio.Process(pcm, 480, 1), GROUPCOMM_ENGINE_FAILED);
  separator.engine.fail = false;
  CHECK_STATUS(separator.audio.Process(pcm, 480, 1), GROUPCOMM_OK);
  Audio48k audio;
  CHECK_STATUS(audio.Process(pcm, 480, 1), GROUPCOMM_BAD_ARGUMENT);
  CHECK_TRUE(!audio.RunHop());
  std::vector<int16_t>& samples = separator.samples;
  CHECK_STATUS(audio.Init(nullptr, samples.data(), samples.size()), GROUPCOMM_BAD_ARGUMENT);
  CHECK_STATUS(audio.Init(separator.state, samples.data(), samples.size() - 1),
               GROUPCOMM_MEMORY_TOO_SMALL);
  CHECK_STATUS(audio.Init(separator.state, samples.data(), samples.size(), 2),
               GROUPCOMM_MEMORY_TOO_SMALL);
  CHECK_STATUS(audio.Init(separator.state, samples.data(), samples.size(), 0),
               GROUPCOMM_BAD_ARGUMENT);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::SpeechPassesInTime();
  groupcomm::NothingIsFolded();
  groupcomm::FramesOfAnyLength();
  groupcomm::FifoAllowsFullLoad();
  groupcomm::FifoKeepsItsDelay();
  groupcomm::Refusals();
}
