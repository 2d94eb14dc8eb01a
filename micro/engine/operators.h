// The operators that an engine offers to the interpreter: those that the bundle names and no more.
#pragma once

#include "micro/engine/tflm.h"
#include "micro/engine/tflm_kernels.h"

// X(name in the schema and in bundle.json, name in MicroMutableOpResolver). From source, each of them is linked into the program:
// where flash is short, define a list of your own before the build.
#ifndef GROUPCOMM_OPERATORS
#define GROUPCOMM_OPERATORS(X)                                     \
  X(ADD, Add)                                                      \
  X(CONCATENATION, Concatenation)                                  \
  X(CONV_2D, Conv2D)                                               \
  X(DEPTHWISE_CONV_2D, DepthwiseConv2D)                            \
  X(DEQUANTIZE, Dequantize)                                        \
  X(EXPAND_DIMS, ExpandDims)                                       \
  X(FULLY_CONNECTED, FullyConnected)                               \
  X(GATHER, Gather)                                                \
  X(LOGISTIC, Logistic)                                            \
  X(MEAN, Mean)                                                    \
  X(MUL, Mul)                                                      \
  X(PACK, Pack)                                                    \
  X(PAD, Pad)                                                      \
  X(PRELU, Prelu)                                                  \
  X(QUANTIZE, Quantize)                                            \
  X(RELU, Relu)                                                    \
  X(RESHAPE, Reshape)                                              \
  X(SPLIT, Split)                                                  \
  X(SQUEEZE, Squeeze)                                              \
  X(STRIDED_SLICE, StridedSlice)                                   \
  X(SUB, Sub)                                                      \
  X(SUM, Sum)                                                      \
  X(TANH, Tanh)                                                    \
  X(TRANSPOSE, Transpose)                                          \
  X(UNIDIRECTIONAL_SEQUENCE_LSTM, UnidirectionalSequenceLSTM)      \
  X(UNPACK, Unpack)
#endif

namespace groupcomm {

class Operators final : public tflm::Resolver {
 public:
  static constexpr int kMax = 32;

  // Which operators have a kernel other than the library's; before the interpreter asks for them.
  void Use(Kernels kernels) { kernels_ = kernels; }

  // Offers the operator of this name; false when this build has none, or kMax are taken.
  bool Add(const char* name);

  // Whether the library in this build has the operator of this code at all (from source: whether it was added).
  bool Has(int code) const { return library_.FindOp(static_cast<tflm::Operator>(code)) != nullptr; }

  // What the interpreter asked for in vain: the name of an operator that is known here, else nullptr and a code; -1 when nothing.
  const char* missing_name() const;
  int missing() const { return missing_; }

  const tflm::Registration* FindOp(tflm::Operator code) const override;
  const tflm::Registration* FindOp(const char* custom) const override;
  tflm::Parser GetOpDataParser(tflm::Operator code) const override;

 private:
  // The deleting destructor, which every virtual one brings along, must not pull a heap into a board's program. Private: an object
  // of its own is not made with new.
  static void operator delete(void*) {}

#if defined(GROUPCOMM_TFLM_WHEEL)
  tflm::PythonOpsResolver library_;
#else
  tflm::MicroMutableOpResolver<kMax> library_;
#endif
  int offered_[kMax] = {};  // (count_) codes
  int count_ = 0;
  Kernels kernels_ = OurKernels;
  mutable int missing_ = -1;  // FindOp is const in the library's interface
};

}  // namespace groupcomm
