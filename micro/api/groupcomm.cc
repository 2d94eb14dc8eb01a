#include "micro/include/groupcomm.h"

#include <cmath>
#include <new>

#include "micro/api/engine_api.h"
#include "micro/engine/static_engine.h"
#include "micro/stream/stream.h"

using namespace groupcomm;  // NOLINT

// In memory, the stream follows, then state and activations of a network as C.
struct groupcomm_state {
  const gc_model* model;
  Engine* engine;
  Stream* stream;
  StaticEngine own;  // runs a network as C
};

namespace {

constexpr size_t kState = GROUPCOMM_ALIGN(sizeof(groupcomm_state));
static_assert(kState + kStreamObjectBytes <= GROUPCOMM_OBJECT_BYTES, "enlarge it");

// A null engine stands for the network as C.
[[gnu::cold]] Status Create(const gc_model& model, Engine* engine, void* memory, size_t bytes,
                            groupcomm_state** state) {
  *state = nullptr;
  if (engine == nullptr && model.run == nullptr) return GROUPCOMM_BAD_MODEL;
  const size_t used = BytesOnEngine(model), network = engine == nullptr ? model.memory_bytes : 0;
  if (used == 0) return GROUPCOMM_BAD_CONFIG;
  if (bytes < used + network) return GROUPCOMM_MEMORY_TOO_SMALL;
  if (reinterpret_cast<uintptr_t>(memory) % 16 != 0) return GROUPCOMM_MEMORY_NOT_ALIGNED;
  auto* const at = static_cast<uint8_t*>(memory);
  auto* const made = new (memory) groupcomm_state;
  made->model = &model;
  made->engine = engine != nullptr ? engine : &made->own;
  Status status = GROUPCOMM_OK;
  if (engine == nullptr) status = made->own.Init(model, at + used, network);
  if (status == GROUPCOMM_OK)
    status = StreamCreate(model.signal, made->engine, at + kState, used - kState, &made->stream);
  if (status == GROUPCOMM_OK) *state = made;
  return status;
}

}  // namespace

namespace groupcomm {

size_t BytesOnEngine(const gc_model& model) {
  const size_t stream = StreamBytes(model.signal);
  return stream == 0 ? 0 : kState + stream;
}

Status CreateOnEngine(const gc_model& model, Engine* engine, void* memory, size_t bytes,
                      groupcomm_state** state) {
  return Create(model, engine, memory, bytes, state);
}

}  // namespace groupcomm

const char* groupcomm_status_text(groupcomm_status status) { return StatusText(status); }

size_t groupcomm_bytes(const gc_model* model) {
  const size_t used = model->run == nullptr ? 0 : BytesOnEngine(*model);
  return used == 0 ? 0 : used + model->memory_bytes;
}

groupcomm_status groupcomm_create(const gc_model* model, void* memory, size_t bytes,
                                  groupcomm_state** state) {
  if (state == nullptr) return GROUPCOMM_BAD_ARGUMENT;
  *state = nullptr;
  if (model == nullptr || memory == nullptr) return GROUPCOMM_BAD_ARGUMENT;
  return Create(*model, nullptr, memory, bytes, state);
}

groupcomm_status groupcomm_process(groupcomm_state* state, const int16_t* in, int16_t* out) {
  return StreamProcess(state->stream, in, out);
}

groupcomm_status groupcomm_reset(groupcomm_state* state) { return StreamReset(state->stream); }

int groupcomm_latency(const groupcomm_state* state) { return StreamLatency(state->stream); }

groupcomm_status groupcomm_set_attenuation_limit(groupcomm_state* state, float decibels) {
  if (!(decibels >= 0)) return GROUPCOMM_BAD_ARGUMENT;
  StreamSetLowestGain(state->stream, std::pow(10.0f, decibels / -20));
  return GROUPCOMM_OK;
}

void groupcomm_set_bypass(groupcomm_state* state, int on) {
  StreamSetBypass(state->stream, on != 0);
}

const gc_model* groupcomm_model(const groupcomm_state* state) { return state->model; }

const int8_t* groupcomm_features(const groupcomm_state* state) {
  return StreamFeatures(state->stream);
}

const int8_t* groupcomm_masks(const groupcomm_state* state) { return StreamMasks(state->stream); }

groupcomm_status groupcomm_run_network(groupcomm_state* state, const int8_t* features,
                                       int8_t* masks) {
  return state->engine->Run(features, masks);
}
