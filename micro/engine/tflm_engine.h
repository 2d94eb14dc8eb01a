// The engine on TensorFlow Lite Micro's interpreter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "micro/engine/engine.h"
#include "micro/engine/operators.h"
#include "micro/engine/tflm.h"

namespace groupcomm {

struct TensorSpec {  // an int8 tensor of shape [1, count]: real value = (q - zero_point) * scale
  int count;
  float scale;
  int zero_point;
};

// Model and arena belong to the caller and outlive the engine; both start at a multiple of 16.
struct TflmConfig {
  const uint8_t* model;  // (model_bytes) .tflite
  size_t model_bytes;
  const char* const* operators;  // (operator_count) names as in bundle.json
  int operator_count;
  TensorSpec features;
  TensorSpec masks;
  uint8_t* arena;       // (arena_bytes)
  size_t arena_bytes;
  Kernels kernels = OurKernels;  // or LibraryKernels, or others
};

class TflmEngine final : public Engine {
 public:
  TflmEngine() = default;
  ~TflmEngine() {
    using Interpreter = tflm::Interpreter;
    if (interpreter_ != nullptr) interpreter_->~Interpreter();
  }
  TflmEngine(const TflmEngine&) = delete;
  TflmEngine& operator=(const TflmEngine&) = delete;

  // Places the model in the arena and checks it against the config. Once per engine. Nothing is allocated outside the arena,
  // here or later.
  Status Init(const TflmConfig& config);

  // After a failure: what is wrong, in one line.
  const char* error() const { return error_; }

  // Bytes of the arena that stay in use. Init needs more than that for a moment; the smallest arena is found by trying.
  size_t arena_used() const { return allocator_ ? allocator_->used_bytes() : 0; }

  int features() const override { return features_; }
  int masks() const override { return masks_; }
  Status Run(const int8_t* features, int8_t* masks) override;
  Status Reset() override;

 private:
  Status Fail(Status status, const char* format, ...) __attribute__((format(printf, 3, 4)));
  Status Check(const char* name, const tflm::Tensor* tensor, const TensorSpec& spec);

  Operators operators_;
  KernelRefusal refusal_;                         // by a kernel of ours, while the model is placed
  tflm::Allocator* allocator_ = nullptr;          // in the arena
  // Its tensors are in the arena. No std::optional: Arduino's compiler is at C++14.
  alignas(tflm::Interpreter) unsigned char place_[sizeof(tflm::Interpreter)] = {};
  tflm::Interpreter* interpreter_ = nullptr;  // in place_
  int8_t* input_ = nullptr;                       // (features), in the arena
  const int8_t* output_ = nullptr;                // (masks), in the arena
  int features_ = 0;
  int masks_ = 0;
  char error_[240] = "not initialized";
};

}  // namespace groupcomm
