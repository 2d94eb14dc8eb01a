#include "micro/engine/operators.h"

#include <cstring>

namespace groupcomm {

bool Operators::Add(const char* name) {
  if (count_ == kMax) return false;
#if defined(GROUPCOMM_TFLM_WHEEL)
#define GROUPCOMM_ADD(schema, method) Has(tflm::BuiltinOperator_##schema)
#else
#define GROUPCOMM_ADD(schema, method) library_.Add##method() == tflm::kOk
#endif
#define GROUPCOMM_TRY(schema, method)                    \
  if (std::strcmp(name, #schema) == 0) {                 \
    if (!(GROUPCOMM_ADD(schema, method))) return false;  \
    offered_[count_++] = tflm::BuiltinOperator_##schema; \
    return true;                                         \
  }
  GROUPCOMM_OPERATORS(GROUPCOMM_TRY)
#undef GROUPCOMM_TRY
#undef GROUPCOMM_ADD
  return false;
}

const char* Operators::missing_name() const {
#define GROUPCOMM_NAME(schema, method) \
  if (missing_ == tflm::BuiltinOperator_##schema) return #schema;
  GROUPCOMM_OPERATORS(GROUPCOMM_NAME)
#undef GROUPCOMM_NAME
  return nullptr;
}

const tflm::Registration* Operators::FindOp(tflm::Operator code) const {
  for (int i = 0; i < count_; ++i) {
    if (offered_[i] != code) continue;
    const tflm::Registration* ours = kernels_(code);
    return ours != nullptr ? ours : library_.FindOp(code);
  }
  missing_ = code;
  return nullptr;
}

const tflm::Registration* Operators::FindOp(const char*) const {
  missing_ = tflm::BuiltinOperator_CUSTOM;  // a bundle has no custom operators
  return nullptr;
}

tflm::Parser Operators::GetOpDataParser(tflm::Operator code) const {
  return library_.GetOpDataParser(code);
}

}  // namespace groupcomm
