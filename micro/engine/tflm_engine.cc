#include "micro/engine/tflm_engine.h"

#include <cstring>
#include <new>

namespace groupcomm {
namespace {

bool Aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace

void TflmEngine::Append(const char* text) {
  while (*text != '\0' && length_ + 1 < sizeof(error_)) error_[length_++] = *text++;
  error_[length_] = '\0';
}

void TflmEngine::Append(long number) {
  char digits[24];
  char* at = digits + sizeof(digits);
  *--at = '\0';
  unsigned long rest =
      number < 0 ? 0ul - static_cast<unsigned long>(number) : static_cast<unsigned long>(number);
  do *--at = static_cast<char>('0' + rest % 10);
  while ((rest /= 10) != 0);
  if (number < 0) *--at = '-';
  Append(at);
}

Status TflmEngine::Check(const char* name, const tflm::Tensor* tensor, int count,
                         const gc_quantization& expected) {
  if (tensor == nullptr) return Fail(GROUPCOMM_BAD_MODEL, "the model has no tensor for the ", name);
  if (tensor->type != tflm::kInt8)
    return Fail(GROUPCOMM_BAD_MODEL, name, ": type ", static_cast<int>(tensor->type), ", not int8");
  const auto* dims = tensor->dims;
  if (dims->size != 2 || dims->data[0] != 1 || dims->data[1] != count) {
    const int rows = dims->size > 0 ? dims->data[0] : 0,
              columns = dims->size > 1 ? dims->data[1] : 0;
    return Fail(GROUPCOMM_BAD_MODEL, name, ": ", dims->size, " dimensions [", rows, ", ", columns,
                ", ..], not [1, ", count, "]");
  }
  // Compared bit for bit, because both come from the same float32 in the flatbuffer.
  if (tensor->params.scale != expected.scale || tensor->params.zero_point != expected.zero_point) {
    return Fail(GROUPCOMM_BAD_MODEL, name, ": the model's scale or zero point ",
                static_cast<int>(tensor->params.zero_point),
                " is not that of the bundle, zero point ", static_cast<int>(expected.zero_point));
  }
  return GROUPCOMM_OK;
}

Status TflmEngine::Init(const TflmConfig& config) {
  if (allocator_ != nullptr)
    return Fail(GROUPCOMM_BAD_CONFIG, "the engine is already initialized; use a new engine");
  if (!Aligned(config.model) || !Aligned(config.arena)) {
    return Fail(GROUPCOMM_MEMORY_NOT_ALIGNED,
                "the address of the model or of the arena is not a multiple of 16; align it");
  }
  // In an arena that is too small for its own data structures, TFLM writes through a null pointer
  // instead of reporting an error. Some of its kernels do the same in an arena that has room for
  // those and is too small for the model. No check here can come before them.
  const size_t least = tflm::Allocator::GetDefaultTailUsage(false) + 16;
  if (config.arena_bytes < least) {
    return Fail(GROUPCOMM_MEMORY_TOO_SMALL, "an arena of ", config.arena_bytes,
                " bytes is below the minimum of ", least);
  }
  if (config.model_bytes < 8 || std::memcmp(config.model + 4, "TFL3", 4) != 0) {
    return Fail(GROUPCOMM_BAD_MODEL, "not a TFLite model (no TFL3 mark at byte 4)");
  }
  operators_.Use(config.kernels);
  for (int i = 0; i < config.operator_count; ++i) {
    if (!operators_.Add(config.operators[i])) {
      return Fail(GROUPCOMM_BAD_MODEL, "operator ", config.operators[i],
                  " is not in this build of TFLM or not in GROUPCOMM_OPERATORS");
    }
  }

  allocator_ = tflm::Allocator::Create(config.arena, config.arena_bytes);
  interpreter_ =
      new (place_) tflm::Interpreter(tflm::GetModel(config.model), operators_, allocator_);
  if (interpreter_->SetMicroExternalContext(&refusal_) != tflm::kOk ||
      interpreter_->AllocateTensors() != tflm::kOk) {
    if (refusal_.reason != nullptr) {
      return Fail(GROUPCOMM_BAD_MODEL, refusal_.op, " to tensor ", refusal_.tensor, ": ",
                  refusal_.reason,
                  "; this project's kernel does not support that, TFLM's may (TflmKernels)");
    }
    if (const char* name = operators_.missing_name()) {
      return Fail(GROUPCOMM_BAD_MODEL, "the model has the operator ", name,
                  ", which the bundle does not name");
    }
    if (operators_.missing() >= 0) {
      return Fail(GROUPCOMM_BAD_MODEL, "the model has the operator of code ", operators_.missing(),
                  ", which the bundle does not name");
    }
    return Fail(GROUPCOMM_MEMORY_TOO_SMALL, "TFLM cannot allocate the model in an arena of ",
                config.arena_bytes, " bytes");
  }

  tflm::Tensor* input = interpreter_->input(0);
  const tflm::Tensor* output = interpreter_->output(0);
  const gc_model& network = *config.network;
  Status status = Check("features", input, network.inputs, network.signal.features);
  if (status == GROUPCOMM_OK)
    status = Check("masks", output, network.outputs, network.signal.masks);
  if (status != GROUPCOMM_OK) return status;
  input_ = input->data.int8;
  output_ = output->data.int8;
  features_ = network.inputs;
  masks_ = network.outputs;
  error_[0] = '\0';
  return GROUPCOMM_OK;
}

Status TflmEngine::Run(const int8_t* features, int8_t* masks) {
  if (input_ == nullptr) return GROUPCOMM_ENGINE_FAILED;
  // every hop, because the arena is reused during an invocation
  std::memcpy(input_, features, features_);
  if (interpreter_->Invoke() != tflm::kOk)
    return Fail(GROUPCOMM_ENGINE_FAILED, "TFLM failed on a hop");
  std::memcpy(masks, output_, masks_);
  return GROUPCOMM_OK;
}

Status TflmEngine::Reset() {
  if (input_ == nullptr) return GROUPCOMM_ENGINE_FAILED;
  // Zeroes the variable tensors, where the fused LSTM keeps its state.
  if (interpreter_->Reset() != tflm::kOk)
    return Fail(GROUPCOMM_ENGINE_FAILED, "TFLM failed to reset");
  return GROUPCOMM_OK;
}

}  // namespace groupcomm
