// The engine: quantized features in, quantized masks out, one hop per call. It contains the
// recurrent state.
#pragma once

#include <cstdint>

namespace groupcomm {

enum class Status {
  kOk,
  kBadConfig,       // sizes or scales are not consistent
  kBadMemory,       // the caller's memory is too small or not aligned
  kBadModel,        // another model, or an operator that it needs is missing
  kEngineMismatch,  // the engine's features and masks differ from those of the stream
  kEngineFailed,    // a hop could not be computed
};

constexpr const char* StatusText(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kBadConfig:
      return "the sizes or the scales are not consistent";
    case Status::kBadMemory:
      return "memory is too small or not 16-byte aligned";
    case Status::kBadModel:
      return "the model does not fit";
    case Status::kEngineMismatch:
      return "engine and stream have different sizes";
    case Status::kEngineFailed:
      return "engine failed on a hop";
  }
  return "unknown status";
}

class Engine {
 public:
  virtual int features() const = 0;  // number of int8 inputs
  virtual int masks() const = 0;     // number of int8 outputs, of all sources

  // Runs one hop. The state persists from call to call.
  virtual Status Run(const int8_t* features /* (features()) */, int8_t* masks /* (masks()) */) = 0;

  // Restores the state after Init.
  virtual Status Reset() = 0;

 protected:
  ~Engine() = default;  // never deleted through this interface: a board has no delete
};

}  // namespace groupcomm
