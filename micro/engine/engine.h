// The engine: quantized features in, quantized masks out, one hop per call. It contains the
// recurrent state.
#pragma once

#include <cstdint>

#include "micro/include/groupcomm.h"

namespace groupcomm {

using Status = groupcomm_status;

constexpr const char* StatusText(Status status) {
  switch (status) {
    case GROUPCOMM_OK:
      return "ok";
    case GROUPCOMM_BAD_ARGUMENT:
      return "an argument is null or out of its range";
    case GROUPCOMM_BAD_CONFIG:
      return "the sizes or the scales are not consistent";
    case GROUPCOMM_BAD_MODEL:
      return "the model does not fit";
    case GROUPCOMM_MEMORY_TOO_SMALL:
      return "memory is too small";
    case GROUPCOMM_MEMORY_NOT_ALIGNED:
      return "memory is not aligned to 16 bytes";
    case GROUPCOMM_ENGINE_MISMATCH:
      return "engine and stream have different sizes";
    case GROUPCOMM_ENGINE_FAILED:
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
