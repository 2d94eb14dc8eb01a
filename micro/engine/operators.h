// The operators that an engine offers to the interpreter: only those that the bundle names.
#pragma once

#include "micro/contract/operators.h"
#include "micro/engine/tflm.h"
#include "micro/engine/tflm_kernels.h"

namespace groupcomm {

class Operators final : public tflm::Resolver {
 public:
  static constexpr int kMax = 32;

  // Selects the operators whose kernel is not TFLM's own. Call it before the interpreter asks for
  // operators.
  void Use(Kernels kernels) { kernels_ = kernels; }

  // Offers the operator of this name. Returns false when this build does not have it, or when kMax
  // operators are offered.
  bool Add(const char* name);

  // Returns whether TFLM in this build has the operator of this code (in a build from source:
  // whether it was added).
  bool Has(int code) const { return library_.FindOp(static_cast<tflm::Operator>(code)) != nullptr; }

  // The operator that the interpreter asked for and did not get: its name, or nullptr when it is
  // unknown here; its code, or -1 when there is none.
  const char* missing_name() const;
  int missing() const { return missing_; }

  const tflm::Registration* FindOp(tflm::Operator code) const override;
  const tflm::Registration* FindOp(const char* custom) const override;
  tflm::Parser GetOpDataParser(tflm::Operator code) const override;

 private:
  // A virtual destructor brings a deleting destructor, which must not link a heap into a board's
  // program. It is private because such objects are never made with new.
  static void operator delete(void*) {}

#if defined(GROUPCOMM_TFLM_WHEEL)
  tflm::PythonOpsResolver library_;
#else
  tflm::MicroMutableOpResolver<kMax> library_;
#endif
  int offered_[kMax] = {};  // (count_) codes
  int count_ = 0;
  Kernels kernels_ = GroupCommKernels;
  mutable int missing_ = -1;  // FindOp is const in TFLM's interface
};

}  // namespace groupcomm
