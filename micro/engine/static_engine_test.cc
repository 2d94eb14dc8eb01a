// The network as plain C on this host gives the bytes of the official TFLM. Misuse is an error.
#include "micro/engine/static_engine.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "enhance.h"
#include "micro/boards/host/bundle.h"
#include "micro/boards/host/files.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

alignas(16) uint8_t memory[2][GROUPCOMM_ENHANCE_MEMORY_BYTES];

// Compares with TFLM hop by hop: one stream of 32 s, a reset, and the golden hops. The same C code
// runs for three minutes in //micro/boards/cortex_m:enhance_long_test.
void TflmsBytes(const host::Bundle& bundle) {
  std::string error;
  std::vector<uint8_t> demo;  // (hops, inputs)
  if (!host::ReadFile("micro/boards/host/demo_features.i8", &demo, &error)) CHECK_EQ(error, "");
  const auto tflm = std::make_unique<host::BundleEngine>();
  if (!tflm->Init(bundle, &error)) CHECK_EQ(error, "");
  StaticEngine engine;
  CHECK_STATUS(engine.Init(groupcomm_enhance, memory[0], sizeof(memory[0])), GROUPCOMM_OK);
  CHECK_EQ(engine.features(), tflm->engine()->features());
  CHECK_EQ(engine.masks(), tflm->engine()->masks());
  CHECK_EQ(static_cast<int>(demo.size()), 4001 * engine.features());
  std::vector<int8_t> masks(engine.masks()), expected(engine.masks());  // (sources, bins)
  for (size_t at = 0; at < demo.size(); at += engine.features()) {
    const auto* in = reinterpret_cast<const int8_t*>(demo.data()) + at;
    CHECK_STATUS(engine.Run(in, masks.data()), GROUPCOMM_OK);
    CHECK_STATUS(tflm->engine()->Run(in, expected.data()), GROUPCOMM_OK);
    CHECK_TRUE(masks == expected);
  }
  CHECK_STATUS(engine.Reset(), GROUPCOMM_OK);
  for (int hop = 0; hop < bundle.golden.hops; ++hop) {
    const auto* in =
        reinterpret_cast<const int8_t*>(bundle.golden.features.data()) + hop * engine.features();
    CHECK_STATUS(engine.Run(in, masks.data()), GROUPCOMM_OK);
    CHECK_EQ(
        std::memcmp(masks.data(), bundle.golden.masks.data() + hop * engine.masks(), masks.size()),
        0);
  }
}

// Two engines at the same time share only constants.
void TwoEngines(const host::Bundle& bundle) {
  StaticEngine a, b;
  CHECK_STATUS(a.Init(groupcomm_enhance, memory[0], sizeof(memory[0])), GROUPCOMM_OK);
  CHECK_STATUS(b.Init(groupcomm_enhance, memory[1], sizeof(memory[1])), GROUPCOMM_OK);
  std::vector<int8_t> from_a(a.masks()), from_b(b.masks());  // (sources, bins)
  for (int hop = 0; hop < 50; ++hop) {
    const auto* in =
        reinterpret_cast<const int8_t*>(bundle.golden.features.data()) + hop * a.features();
    CHECK_STATUS(a.Run(in, from_a.data()), GROUPCOMM_OK);
    CHECK_STATUS(b.Run(in, from_b.data()), GROUPCOMM_OK);
    CHECK_TRUE(from_a == from_b);
  }
}

void Refuses() {
  StaticEngine engine;
  int8_t hop[1024] = {};  // (features or masks, whichever is larger)
  CHECK_EQ(engine.features(), 0);
  CHECK_STATUS(engine.Run(hop, hop), GROUPCOMM_ENGINE_FAILED);
  CHECK_STATUS(engine.Reset(), GROUPCOMM_ENGINE_FAILED);
  CHECK_STATUS(engine.Init(groupcomm_enhance, memory[0], sizeof(memory[0]) - 1),
               GROUPCOMM_MEMORY_TOO_SMALL);
  CHECK_STATUS(engine.Init(groupcomm_enhance, memory[0] + 1, sizeof(memory[0])),
               GROUPCOMM_MEMORY_NOT_ALIGNED);
  CHECK_STATUS(engine.Init(groupcomm_enhance, nullptr, sizeof(memory[0])),
               GROUPCOMM_MEMORY_TOO_SMALL);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::host::Bundle bundle;
  std::string error;
  if (!groupcomm::host::LoadBundle("convert/bundles/enhance", &bundle, &error)) CHECK_EQ(error, "");
  groupcomm::TflmsBytes(bundle);
  groupcomm::TwoEngines(bundle);
  groupcomm::Refuses();
}
