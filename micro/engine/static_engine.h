// The engine for a network that is plain C: no interpreter, no flatbuffer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "micro/engine/engine.h"
#include "micro/contract/static_model.h"

namespace groupcomm {

class StaticEngine final : public Engine {
 public:
  StaticEngine() = default;
  StaticEngine(const StaticEngine&) = delete;
  StaticEngine& operator=(const StaticEngine&) = delete;

  // `memory` has at least model.memory_bytes for state and activations, and is aligned to 16 bytes.
  // It belongs to the caller and outlives the engine.
  Status Init(const gc_model& model, void* memory /* (bytes) */, size_t bytes) {
    if (memory == nullptr || bytes < model.memory_bytes) return GROUPCOMM_MEMORY_TOO_SMALL;
    if (reinterpret_cast<uintptr_t>(memory) % 16 != 0) return GROUPCOMM_MEMORY_NOT_ALIGNED;
    model_ = &model;
    memory_ = memory;
    return Reset();
  }

  int features() const override { return model_ ? model_->inputs : 0; }
  int masks() const override { return model_ ? model_->outputs : 0; }

  Status Run(const int8_t* features /* (inputs) */, int8_t* masks /* (outputs) */) override {
    if (model_ == nullptr) return GROUPCOMM_ENGINE_FAILED;
    model_->run(memory_, features, masks);
    return GROUPCOMM_OK;
  }

  Status Reset() override {
    if (model_ == nullptr) return GROUPCOMM_ENGINE_FAILED;
    model_->reset(memory_);
    return GROUPCOMM_OK;
  }

 private:
  const gc_model* model_ = nullptr;
  void* memory_ = nullptr;  // (memory_bytes)
};

}  // namespace groupcomm
