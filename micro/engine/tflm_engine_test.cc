// Tests the engine on the official TFLM with the committed bundle.
#include "micro/engine/tflm_engine.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "micro/boards/host/bundle.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

host::Bundle Load() {
  host::Bundle bundle;
  std::string error;
  if (!host::LoadBundle("convert/bundles/enhance", &bundle, &error)) CHECK_EQ(error, "");
  return bundle;
}

// Returns the masks of the golden features, (hops, outputs).
std::vector<uint8_t> Run(TflmEngine* engine, const host::Bundle& bundle) {
  std::vector<uint8_t> masks(bundle.golden.masks.size());
  for (int hop = 0; hop < bundle.golden.hops; ++hop) {
    const auto* in =
        reinterpret_cast<const int8_t*>(bundle.golden.features.data()) + hop * engine->features();
    CHECK_STATUS(engine->Run(in, reinterpret_cast<int8_t*>(masks.data()) + hop * engine->masks()),
                 GROUPCOMM_OK);
  }
  return masks;
}

// Every hop gives the bytes of the official TFLM from Python, also after a reset.
void GoldenBytes() {
  const host::Bundle bundle = Load();
  std::string error;
  const auto one = std::make_unique<host::BundleEngine>();
  if (!one->Init(bundle, &error)) CHECK_EQ(error, "");
  CHECK_TRUE(Run(one->engine(), bundle) == bundle.golden.masks);
  // the state persists: a stateless engine would pass the other checks
  CHECK_TRUE(Run(one->engine(), bundle) != bundle.golden.masks);
  CHECK_STATUS(one->engine()->Reset(), GROUPCOMM_OK);
  CHECK_TRUE(Run(one->engine(), bundle) == bundle.golden.masks);
  CHECK_LE(one->engine()->arena_used(), bundle.arena_bytes);
}

// Two engines at the same time share nothing.
void TwoEngines() {
  const host::Bundle bundle = Load();
  std::string error;
  const auto a = std::make_unique<host::BundleEngine>(), b = std::make_unique<host::BundleEngine>();
  if (!a->Init(bundle, &error) || !b->Init(bundle, &error)) CHECK_EQ(error, "");
  std::vector<int8_t> from_a(a->engine()->masks()), from_b(b->engine()->masks());
  for (int hop = 0; hop < 50; ++hop) {
    const auto* in = reinterpret_cast<const int8_t*>(bundle.golden.features.data()) +
                     hop * a->engine()->features();
    CHECK_STATUS(a->engine()->Run(in, from_a.data()), GROUPCOMM_OK);
    CHECK_STATUS(b->engine()->Run(in, from_b.data()), GROUPCOMM_OK);
    CHECK_TRUE(from_a == from_b);
    CHECK_EQ(
        std::memcmp(from_a.data(), bundle.golden.masks.data() + hop * from_a.size(), from_a.size()),
        0);
  }
}

void Refuses(const host::Bundle& bundle, const std::string& words) {
  std::string error;
  const auto engine = std::make_unique<host::BundleEngine>();
  CHECK_TRUE(!engine->Init(bundle, &error));
  CHECK_CONTAINS(error, words);
  CHECK_TRUE(error.find_first_of("\r\n") == std::string::npos);
}

void Errors() {
  host::Bundle bundle = Load();
  bundle.operators.push_back("GELU");
  Refuses(bundle, "operator GELU is not in this build");
  bundle = Load();
  for (size_t i = 0; i < bundle.operators.size(); ++i) {
    host::Bundle lacking = bundle;
    lacking.operators.erase(lacking.operators.begin() + i);
    Refuses(lacking, "operator " + bundle.operators[i] + ", which the bundle does not name");
  }
  bundle.network.outputs += 1;
  Refuses(bundle, "masks: 2 dimensions [1, ");
  bundle = Load();
  bundle.network.inputs *= 2;
  Refuses(bundle, "features: 2 dimensions [1, ");
  bundle = Load();
  bundle.network.signal.features.scale *= 2;
  Refuses(bundle, "features: the model's scale");
}

// Every arena that is too small is an error, although some of them crash TFLM itself.
void Arenas() {
  const host::Bundle bundle = Load();
  int seen[3] = {};
  size_t bytes = 1;
  for (; bytes < bundle.arena_bytes; bytes += 2039) {
    const host::Fit fit = host::TryArena(bundle, bytes);
    ++seen[static_cast<int>(fit)];
    if (fit == host::Fit::kFits) break;
    host::Bundle small = bundle;
    small.arena_bytes = bytes;
    Refuses(small, "arena of " + std::to_string(bytes) + " bytes");
  }
  CHECK_TRUE(seen[static_cast<int>(host::Fit::kRefused)] > 3);
  std::printf("%d arenas are refused, %d crash TFLM, %zu bytes suffice\n", seen[1], seen[2], bytes);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::GoldenBytes();
  groupcomm::TwoEngines();
  groupcomm::Errors();
  groupcomm::Arenas();
}
