#include "micro/boards/package/package.h"

#include "micro/api/engine_api.h"

#ifdef GROUPCOMM_ENGINE_TFLM
#include "micro/engine/tflm_engine.h"
#endif

using namespace groupcomm;  // NOLINT

namespace {

groupcomm_state* state = nullptr;
Status status = GROUPCOMM_OK;

#ifdef GROUPCOMM_ENGINE_TFLM

GROUPCOMM_ALIGNED uint8_t memory[GROUPCOMM_NETWORK_BYTES - GROUPCOMM_NETWORK_MEMORY_BYTES];
GROUPCOMM_ALIGNED uint8_t arena[GROUPCOMM_ARENA_BYTES];
const char* const operators[] = {GROUPCOMM_OPERATOR_NAMES};
TflmEngine engine;

Status Create() {
  const gc_model& network = GROUPCOMM_NETWORK;
  TflmConfig config = {};
  config.network = &network;
  config.model = groupcomm_tflite;
  config.model_bytes = GROUPCOMM_TFLITE_BYTES;
  config.operators = operators;
  config.operator_count = sizeof(operators) / sizeof(operators[0]);
  config.arena = arena;
  config.arena_bytes = sizeof(arena);
  config.kernels = GroupCommKernels;
  const Status made = engine.Init(config);
  return made != GROUPCOMM_OK ? made
                              : CreateOnEngine(network, &engine, memory, sizeof(memory), &state);
}

#else

GROUPCOMM_ALIGNED uint8_t memory[GROUPCOMM_NETWORK_BYTES];

Status Create() { return groupcomm_create(&GROUPCOMM_NETWORK, memory, sizeof(memory), &state); }

#endif

}  // namespace

groupcomm_state* groupcomm_begin(void) {
  status = state == nullptr ? Create() : groupcomm_reset(state);
  return status == GROUPCOMM_OK ? state : nullptr;
}

const char* groupcomm_error(void) {
#ifdef GROUPCOMM_ENGINE_TFLM
  if (engine.error()[0] != '\0') return engine.error();
#endif
  return groupcomm_status_text(status);
}
