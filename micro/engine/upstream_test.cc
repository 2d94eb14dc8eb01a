// The engine on headers of upstream's shape, with an interpreter that runs no network. It tests
// that the sources compile with them, and errors that a real model does not cause easily.
#include <cstring>
#include <memory>

#include "micro/engine/tflm_engine.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

tflm::FakeModel Model() { return {{}, {'T', 'F', 'L', '3'}, {9, 14}, 9, {1, 3}, 0.5f, -3}; }

struct Setup {
  alignas(16) tflm::FakeModel model = Model();
  alignas(16) uint8_t arena[256];
  const char* operators[2] = {"FULLY_CONNECTED", "LOGISTIC"};
  gc_model network = {};
  TflmConfig config = {};

  Setup() {
    network.inputs = network.outputs = 3;
    network.signal.features = network.signal.masks = {0.5f, -3};
    config.network = &network;
    config.model = reinterpret_cast<const uint8_t*>(&model);
    config.model_bytes = sizeof(model);
    config.operators = operators;
    config.operator_count = 2;
    config.arena = arena;
    config.arena_bytes = sizeof(arena);
    config.kernels = TflmKernels;
  }
};

void Runs() {
  Setup s;
  auto engine = std::make_unique<TflmEngine>();
  const int8_t in[3] = {1, 2, 3};
  int8_t out[3];
  CHECK_STATUS(engine->Run(in, out), GROUPCOMM_ENGINE_FAILED);  // before Init
  CHECK_STATUS(engine->Reset(), GROUPCOMM_ENGINE_FAILED);
  CHECK_STATUS(engine->Init(s.config), GROUPCOMM_OK);
  CHECK_EQ(std::string(engine->error()), "");
  CHECK_EQ(engine->features() + engine->masks(), 6);
  CHECK_STATUS(engine->Run(in, out), GROUPCOMM_OK);
  CHECK_STATUS(engine->Run(in, out), GROUPCOMM_OK);
  CHECK_EQ(out[2], 4);
  CHECK_STATUS(engine->Reset(), GROUPCOMM_OK);
  CHECK_STATUS(engine->Run(in, out), GROUPCOMM_OK);
  CHECK_EQ(out[2], 3);
  CHECK_STATUS(engine->Init(s.config), GROUPCOMM_BAD_CONFIG);
}

template <typename Change>
void Refuses(Status status, const char* words, Change change) {
  Setup s;
  change(&s);
  auto engine = std::make_unique<TflmEngine>();
  CHECK_STATUS(engine->Init(s.config), status);
  CHECK_CONTAINS(engine->error(), words);
  CHECK_TRUE(!testing::Contains(engine->error(), "\n"));
  int8_t out[3];
  CHECK_STATUS(engine->Run(out, out), GROUPCOMM_ENGINE_FAILED);
}

}  // namespace
}  // namespace groupcomm

int main() {
  using namespace groupcomm;  // NOLINT
  Runs();
  Refuses(GROUPCOMM_BAD_MODEL, "operator GELU is not in this build",
          [](Setup* s) { s->operators[1] = "GELU"; });
  Refuses(GROUPCOMM_BAD_MODEL, "operator FULLY_CONNECTED is not in",
          [](Setup* s) { s->operators[1] = "FULLY_CONNECTED"; });
  Refuses(GROUPCOMM_BAD_MODEL, "operator MEAN, which the bundle does not name",
          [](Setup* s) { s->model.operators[1] = 40; });
  Refuses(GROUPCOMM_BAD_MODEL,
          "FULLY_CONNECTED to tensor 2: its input or output is not int8 with one scale; this "
          "project's kernel does not support that",
          [](Setup* s) { s->config.kernels = GroupCommKernels; });
  Refuses(GROUPCOMM_BAD_MODEL, "operator of code 150, which",
          [](Setup* s) { s->model.operators[1] = 150; });
  Refuses(GROUPCOMM_BAD_MODEL, "features: type 1, not int8", [](Setup* s) { s->model.type = 1; });
  Refuses(GROUPCOMM_BAD_MODEL, "features: 2 dimensions [2, 3, ..], not [1, 3]",
          [](Setup* s) { s->model.dims[0] = 2; });
  Refuses(GROUPCOMM_BAD_MODEL, "features: 2 dimensions [1, 3, ..], not [1, 4]",
          [](Setup* s) { s->network.inputs = 4; });
  Refuses(GROUPCOMM_BAD_MODEL, "masks: 2 dimensions [1, 3, ..], not [1, 6]",
          [](Setup* s) { s->network.outputs = 6; });
  Refuses(GROUPCOMM_BAD_MODEL, "masks: the model's scale",
          [](Setup* s) { s->network.signal.masks.scale = 0.25f; });
  Refuses(GROUPCOMM_BAD_MODEL, "features: the model's scale or zero point -3",
          [](Setup* s) { s->network.signal.features.zero_point = 0; });
  Refuses(GROUPCOMM_BAD_MODEL, "no TFL3 mark", [](Setup* s) { s->model.mark[3] = '2'; });
  Refuses(GROUPCOMM_BAD_MODEL, "no TFL3 mark", [](Setup* s) { s->config.model_bytes = 7; });
  Refuses(GROUPCOMM_MEMORY_TOO_SMALL, "arena of 79 bytes is below the minimum of 80",
          [](Setup* s) { s->config.arena_bytes = 79; });
  Refuses(GROUPCOMM_MEMORY_NOT_ALIGNED, "multiple of 16", [](Setup* s) { s->config.arena += 8; });
  Refuses(GROUPCOMM_MEMORY_NOT_ALIGNED, "multiple of 16", [](Setup* s) { s->config.model += 4; });
}
