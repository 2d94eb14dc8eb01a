// The engine: quantized features in, quantized masks out, one hop a call; the recurrent state lives inside.
#pragma once

#include <cstdint>

namespace groupcomm {

enum class Status {
  kOk,
  kBadConfig,       // sizes or scales that do not fit together
  kBadMemory,       // the caller's memory is too small or not aligned
  kBadModel,        // not this model, or an operator that it needs is missing
  kEngineMismatch,  // the engine's features and masks are not those of the stream
  kEngineFailed,    // a hop could not be computed
};

constexpr const char* StatusText(Status status) {
  switch (status) {
    case Status::kOk: return "ok";
    case Status::kBadConfig: return "sizes or scales that do not fit together";
    case Status::kBadMemory: return "memory too small or not aligned to 16 bytes";
    case Status::kBadModel: return "model that does not fit";
    case Status::kEngineMismatch: return "engine of other sizes than the stream";
    case Status::kEngineFailed: return "engine failed on a hop";
  }
  return "unknown status";
}

class Engine {
 public:
  virtual int features() const = 0;  // int8 values in
  virtual int masks() const = 0;     // int8 values out: for every source as many

  // One hop. The state goes on from call to call.
  virtual Status Run(const int8_t* features /* (features()) */, int8_t* masks /* (masks()) */) = 0;

  // Back to the state after Init.
  virtual Status Reset() = 0;

 protected:
  ~Engine() = default;  // never deleted through this interface: a board deletes nothing
};

}  // namespace groupcomm
