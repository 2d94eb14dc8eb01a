// The kernels of micro/kernels under TFLM's builtin operators FULLY_CONNECTED and UNIDIRECTIONAL_SEQUENCE_LSTM: int8 and 16x8. They give the
// bytes of TFLM's reference kernels, faster, and the LSTM keeps its state where the one of CMSIS-NN starts from zero at every call.
#pragma once

#include "micro/engine/tflm.h"

namespace groupcomm {

// Which kernel runs an operator: a registration, or nullptr for the library's own.
using Kernels = const tflm::Registration* (*)(tflm::Operator code);

const tflm::Registration* OurKernels(tflm::Operator code);
inline const tflm::Registration* LibraryKernels(tflm::Operator) { return nullptr; }

// What one of our kernels does not do, found when the interpreter places the model. It writes it here, when the interpreter has one
// of these as its external context. Without a reason there was no room.
struct KernelRefusal {
  const char* op = nullptr;  // as in the schema
  const char* reason = nullptr;
  int tensor = -1;  // the number of its output in the model
};

}  // namespace groupcomm
