// The engine on the interpreter of TensorFlow Lite Micro.
#pragma once

#include <cstddef>
#include <cstdint>

#include "micro/contract/static_model.h"
#include "micro/engine/engine.h"
#include "micro/engine/operators.h"
#include "micro/engine/tflm.h"

namespace groupcomm {

// All of it belongs to the caller. Model and arena outlive the engine, and are aligned to 16 bytes.
struct TflmConfig {
  const gc_model* network;  // sizes and quantization of features and masks
  const uint8_t* model;     // (model_bytes) .tflite
  size_t model_bytes;
  const char* const* operators;  // (operator_count) names as in bundle.json
  int operator_count;
  uint8_t* arena;  // (arena_bytes)
  size_t arena_bytes;
  Kernels kernels = GroupCommKernels;  // or TflmKernels, or a function of your own
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

  // Allocates the model in the arena and checks it against the config. Call it once per engine.
  // Neither Init nor a later call allocates memory outside the arena.
  Status Init(const TflmConfig& config);

  // After a failure: the reason in one line.
  const char* error() const { return error_; }

  // Bytes of the arena that remain in use. Init temporarily needs more; the smallest arena is found
  // by trial.
  size_t arena_used() const { return allocator_ ? allocator_->used_bytes() : 0; }

  int features() const override { return features_; }
  int masks() const override { return masks_; }
  Status Run(const int8_t* features /* (features()) */, int8_t* masks /* (masks()) */) override;
  Status Reset() override;

 private:
  // Writes the parts, texts and whole numbers, to error_. Not with printf: that of newlib needs a
  // heap, which firmware does not have.
  template <typename... Parts>
  Status Fail(Status status, Parts... parts) {
    length_ = 0;
    const int each[] = {(Append(parts), 0)...};
    static_cast<void>(each);
    return status;
  }
  void Append(const char* text);
  void Append(long number);
  void Append(int number) { Append(static_cast<long>(number)); }
  void Append(size_t number) { Append(static_cast<long>(number)); }
  Status Check(const char* name, const tflm::Tensor* tensor, int count,
               const gc_quantization& expected);

  Operators operators_;
  // of a kernel of this project, set while the model is allocated
  KernelRefusal refusal_;
  tflm::Allocator* allocator_ = nullptr;  // in the arena
  // Storage of the interpreter, whose tensors are in the arena. Not std::optional, because
  // Arduino's compiler uses C++14.
  alignas(tflm::Interpreter) unsigned char place_[sizeof(tflm::Interpreter)] = {};
  tflm::Interpreter* interpreter_ = nullptr;  // in place_
  int8_t* input_ = nullptr;                   // (features), in the arena
  const int8_t* output_ = nullptr;            // (masks), in the arena
  int features_ = 0;
  int masks_ = 0;
  char error_[240] = "not initialized";
  size_t length_ = 0;  // of error_
};

}  // namespace groupcomm
