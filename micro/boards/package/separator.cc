#include "micro/boards/package/separator.h"

#include "groupcomm_network.h"

#ifdef GROUPCOMM_ENGINE_TFLM
#include "micro/engine/tflm_engine.h"
#else
#include "micro/engine/static_engine.h"
#endif

namespace groupcomm {
namespace {

constexpr SignalPath Sizes() {
  SignalPath path = {};
  path.window = GROUPCOMM_WINDOW;
  path.hop = GROUPCOMM_HOP;
  path.sources = GROUPCOMM_SOURCES;
  path.bands = GROUPCOMM_BANDS;
  path.pool = GROUPCOMM_POOL;
  path.neighbours = GROUPCOMM_NEIGHBOURS;
  path.dc_decay = GROUPCOMM_DC_DECAY;
  return path;
}

alignas(16) uint8_t stream_memory[StreamMemory(Sizes())];
Stream* stream = nullptr;
Status status = Status::kOk;

#ifdef GROUPCOMM_ENGINE_TFLM

alignas(16) uint8_t arena[GROUPCOMM_ARENA_BYTES];
const char* const operators[] = {GROUPCOMM_OPERATOR_NAMES};
TflmEngine engine;

Status Place(const gc_model& n) {
  TflmConfig config = {};
  config.network = &n;
  config.model = groupcomm_tflite;
  config.model_bytes = GROUPCOMM_TFLITE_BYTES;
  config.operators = operators;
  config.operator_count = sizeof(operators) / sizeof(operators[0]);
  config.arena = arena;
  config.arena_bytes = sizeof(arena);
  config.kernels = GroupCommKernels;
  return engine.Init(config);
}

#else

alignas(16) uint8_t network_memory[GROUPCOMM_NETWORK_MEMORY_BYTES];
StaticEngine engine;

Status Place(const gc_model& n) { return engine.Init(n, network_memory, sizeof(network_memory)); }

#endif

}  // namespace

Status SeparatorBegin() {
  if (stream != nullptr) return status = StreamReset(stream);
  const gc_model& n = GROUPCOMM_NETWORK;
  status = Place(n);
  if (status == Status::kOk)
    status = StreamCreate(n.signal, &engine, stream_memory, sizeof(stream_memory), &stream);
  return status;
}

const char* SeparatorError() {
#ifdef GROUPCOMM_ENGINE_TFLM
  if (engine.error()[0] != '\0') return engine.error();
#endif
  return StatusText(status);
}

Engine* SeparatorEngine() { return stream != nullptr ? &engine : nullptr; }

Stream* SeparatorStream() { return stream; }

}  // namespace groupcomm
