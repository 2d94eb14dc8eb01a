// The C API on recorded sound: several states in one program, attenuation limit and bypass.
#include "micro/include/groupcomm.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "enhance_fast.h"
#include "enhance_nano.h"
#include "micro/boards/host/files.h"
#include "micro/engine/engine.h"
#include "micro/testing/check.h"
#include "separate.h"

namespace groupcomm {
namespace {

using Pcm = std::vector<int16_t>;

// Returns the noisy speech of a bundle, (samples).
Pcm Sound() {
  std::vector<uint8_t> content;
  std::string error;
  if (!host::ReadFile("convert/bundles/enhance/golden_pcm.i16", &content, &error))
    CHECK_EQ(error, "");
  Pcm pcm(content.size() / sizeof(int16_t));
  std::memcpy(pcm.data(), content.data(), pcm.size() * sizeof(int16_t));
  return pcm;
}

// A state in memory of its own.
class Instance {
 public:
  explicit Instance(const gc_model& model)
      : hop_(model.signal.hop), sources_(model.signal.sources) {
    memory_.resize(groupcomm_bytes(&model));
    CHECK_STATUS(groupcomm_create(&model, memory_.data(), memory_.size(), &state), GROUPCOMM_OK);
  }

  // Processes one hop, and appends (sources, hop) to `out`.
  void Hop(const Pcm& pcm, size_t at) {
    out.resize(out.size() + sources_ * hop_);
    CHECK_STATUS(groupcomm_process(state, pcm.data() + at, &*out.end() - sources_ * hop_),
                 GROUPCOMM_OK);
    const gc_model& model = *groupcomm_model(state);
    masks.insert(masks.end(), groupcomm_masks(state), groupcomm_masks(state) + model.outputs);
  }

  const Pcm& Run(const Pcm& pcm) {
    for (size_t at = 0; at + hop_ <= pcm.size(); at += hop_) Hop(pcm, at);
    return out;
  }

  groupcomm_state* state = nullptr;
  Pcm out;
  std::vector<int8_t> masks;  // (hops, outputs)

 private:
  int hop_, sources_;
  std::vector<uint8_t> memory_;
};

// Three states of two networks, hop after hop in turn, give the same bytes as each alone.
void StatesAreApart(const Pcm& pcm) {
  Instance alone(groupcomm_enhance_nano), other(groupcomm_separate),
      backwards(groupcomm_enhance_nano);
  const Pcm reversed(pcm.rbegin(), pcm.rend());
  alone.Run(pcm), other.Run(pcm), backwards.Run(reversed);
  CHECK_TRUE(alone.out != backwards.out);
  Instance a(groupcomm_enhance_nano), b(groupcomm_separate), c(groupcomm_enhance_nano);
  const int hop = GROUPCOMM_ENHANCE_NANO_HOP;
  CHECK_EQ(hop, GROUPCOMM_SEPARATE_HOP);
  for (size_t at = 0; at + hop <= pcm.size(); at += hop)
    a.Hop(pcm, at), b.Hop(pcm, at), c.Hop(reversed, at);
  CHECK_TRUE(a.out == alone.out && b.out == other.out && c.out == backwards.out);
  CHECK_TRUE(a.masks == alone.masks && b.masks == other.masks && c.masks == backwards.masks);
  CHECK_STATUS(groupcomm_reset(a.state), GROUPCOMM_OK);
  a.out.clear();
  CHECK_TRUE(a.Run(pcm) == alone.out);
}

// Returns the energy, from a second after the start on.
double Energy(const Pcm& pcm) {
  double sum = 0;
  for (size_t n = 16000; n < pcm.size(); ++n) sum += double(pcm[n]) * pcm[n];
  return sum;
}

// Returns the model without DC removal, so that the output can equal the input.
gc_model WithDc(const gc_model& model) {
  gc_model result = model;
  result.signal.dc_decay = 0;
  return result;
}

void AttenuationLimit(const gc_model& model, const Pcm& pcm) {
  Instance free(model), infinite(model), none(model), limited(model);
  free.Run(pcm);
  CHECK_STATUS(groupcomm_set_attenuation_limit(infinite.state, INFINITY), GROUPCOMM_OK);
  CHECK_TRUE(infinite.Run(pcm) == free.out);

  CHECK_STATUS(groupcomm_set_attenuation_limit(none.state, 0), GROUPCOMM_OK);
  none.Run(pcm);
  const int latency = groupcomm_latency(none.state), hop = model.signal.hop,
            sources = model.signal.sources;
  for (size_t n = latency; n < pcm.size(); ++n) {
    for (int s = 0; s < sources; ++s)
      CHECK_LE(std::abs(none.out[(n / hop * sources + s) * hop + n % hop] - pcm[n - latency]), 1);
  }

  // Noise without speech. The network alone would attenuate it more.
  Pcm noise(4 * 16000);
  uint32_t seed = 1;
  for (int16_t& x : noise) x = static_cast<int16_t>((seed = seed * 1664525 + 1013904223) >> 20);
  for (int16_t& x : noise) x -= 2048;
  const auto decibels = [&](Instance* instance) {
    instance->out.clear();
    groupcomm_reset(instance->state);
    return 10 * std::log10(Energy(noise) * sources / Energy(instance->Run(noise)));
  };
  const double most = decibels(&free);
  CHECK_STATUS(groupcomm_set_attenuation_limit(limited.state, 12), GROUPCOMM_OK);
  const double with_limit = decibels(&limited);
  std::printf("%s: noise is attenuated by %.1f dB, with a limit of 12 dB by %.1f dB\n", model.name,
              most, with_limit);
  CHECK_LE(with_limit, 12.1);
  if (most > 15) CHECK_LE(8.0, with_limit);
}

void Bypass(const gc_model& model, const Pcm& pcm) {
  Instance normal(model), bypassed(model);
  const int hop = model.signal.hop, sources = model.signal.sources,
            latency = groupcomm_latency(normal.state);
  const size_t hops = pcm.size() / hop, from = hops / 4, to = hops / 2;
  for (size_t i = 0; i < hops; ++i) {
    if (i == from || i == to) groupcomm_set_bypass(bypassed.state, i == from);
    normal.Hop(pcm, i * hop), bypassed.Hop(pcm, i * hop);
    for (int s = 0; s < sources; ++s) {
      const size_t at = (i * sources + s) * hop;
      for (int n = 0; n < hop; ++n) {
        const bool on = i >= from && i < to;
        CHECK_EQ(bypassed.out[at + n], on ? pcm[i * hop + n - latency] : normal.out[at + n]);
      }
    }
  }
  CHECK_TRUE(bypassed.masks == normal.masks);
}

}  // namespace
}  // namespace groupcomm

int main() {
  using namespace groupcomm;  // NOLINT
  const Pcm pcm = Sound();
  StatesAreApart(pcm);
  for (const gc_model* model :
       {&groupcomm_enhance_nano, &groupcomm_enhance_fast, &groupcomm_separate}) {
    AttenuationLimit(WithDc(*model), pcm);
    Bypass(*model, pcm);
  }
}
