// The kernels of micro/kernels as TFLM's builtin operators FULLY_CONNECTED and
// UNIDIRECTIONAL_SEQUENCE_LSTM, int8 and 16x8. They give the bytes of TFLM's reference kernels, and
// are faster. The LSTM keeps its state, whereas that of CMSIS-NN starts from zero at every call.
#pragma once

#include "micro/engine/tflm.h"

namespace groupcomm {

// Returns the registration of the kernel for an operator, or nullptr for TFLM's own kernel.
using Kernels = const tflm::Registration* (*)(tflm::Operator code);

const tflm::Registration* GroupCommKernels(tflm::Operator code);
inline const tflm::Registration* TflmKernels(tflm::Operator) { return nullptr; }

// The reason why one of these kernels rejects an operator. The kernel writes it while the
// interpreter allocates the model, if a KernelRefusal is the external context of the interpreter.
// Without a reason, memory was too small.
struct KernelRefusal {
  const char* op = nullptr;  // as in the schema
  const char* reason = nullptr;
  int tensor = -1;  // index of the operator's output in the model
};

}  // namespace groupcomm
