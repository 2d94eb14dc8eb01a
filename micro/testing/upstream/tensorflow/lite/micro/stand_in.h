// Stands in for upstream's headers where there is no network: the names, parameters and results that micro/engine uses, declared by
// ourselves. Its interpreter runs no model: it asks the resolver for the operators of `FakeModel` and copies input to output.
// GROUPCOMM_STAND_IN_MICRO puts everything where the newest upstream has it, in tflite::micro, C types included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tflite {

struct Model;

enum BuiltinOperator : int32_t {
#define STAND_IN_CODES(X)                                                                                                          \
  X(ADD, Add, 0) X(CONCATENATION, Concatenation, 2) X(CONV_2D, Conv2D, 3) X(DEPTHWISE_CONV_2D, DepthwiseConv2D, 4)                 \
  X(DEQUANTIZE, Dequantize, 6) X(FULLY_CONNECTED, FullyConnected, 9) X(LOGISTIC, Logistic, 14) X(MUL, Mul, 18) X(RELU, Relu, 19)   \
  X(RESHAPE, Reshape, 22) X(TANH, Tanh, 28) X(PAD, Pad, 34) X(TRANSPOSE, Transpose, 39) X(MEAN, Mean, 40) X(SUB, Sub, 41)          \
  X(SQUEEZE, Squeeze, 43) X(UNIDIRECTIONAL_SEQUENCE_LSTM, UnidirectionalSequenceLSTM, 44) X(STRIDED_SLICE, StridedSlice, 45)       \
  X(SPLIT, Split, 49) X(PRELU, Prelu, 54) X(EXPAND_DIMS, ExpandDims, 70) X(SUM, Sum, 74) X(PACK, Pack, 83) X(UNPACK, Unpack, 88)   \
  X(QUANTIZE, Quantize, 114)
#define STAND_IN_ENUMERATOR(schema, method, code) BuiltinOperator_##schema = code,
  STAND_IN_CODES(STAND_IN_ENUMERATOR)
  BuiltinOperator_CUSTOM = 32,
};

inline const Model* GetModel(const void* buffer) { return static_cast<const Model*>(buffer); }

}  // namespace tflite

#if defined(GROUPCOMM_STAND_IN_MICRO)
namespace tflite::micro {
#endif

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef enum { kTfLiteFloat32 = 1, kTfLiteInt8 = 9 } TfLiteType;

typedef struct TfLiteIntArray {
  int size;
  int data[4];
} TfLiteIntArray;

typedef struct TfLiteTensor {
  struct {
    float scale;
    int32_t zero_point;
  } params;
  union {
    int8_t* int8;
  } data;
  TfLiteIntArray* dims;
  TfLiteType type;
} TfLiteTensor;

struct TFLMRegistration {
  int32_t builtin_code;
};

typedef TfLiteStatus (*TfLiteBridgeBuiltinParseFunction)(const void* op, void* allocator, void** data);

#if defined(GROUPCOMM_STAND_IN_MICRO)
}  // namespace tflite::micro
namespace tflite::micro {
#else
namespace tflite {
#endif

class MicroResourceVariables;
class MicroProfilerInterface;
class MicroMemoryPlanner;
enum class MemoryPlannerType { kGreedy, kLinear };

class MicroOpResolver {
 public:
  virtual const TFLMRegistration* FindOp(BuiltinOperator op) const = 0;
  virtual const TFLMRegistration* FindOp(const char* op) const = 0;
  virtual TfLiteBridgeBuiltinParseFunction GetOpDataParser(BuiltinOperator op) const = 0;
  virtual ~MicroOpResolver() {}
};

template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  const TFLMRegistration* FindOp(BuiltinOperator op) const override {
    for (unsigned int i = 0; i < count_; ++i) {
      if (registrations_[i].builtin_code == op) return &registrations_[i];
    }
    return nullptr;
  }
  const TFLMRegistration* FindOp(const char*) const override { return nullptr; }
  TfLiteBridgeBuiltinParseFunction GetOpDataParser(BuiltinOperator) const override { return nullptr; }

#define STAND_IN_ADD(schema, method, code) \
  TfLiteStatus Add##method(const TFLMRegistration& registration = TFLMRegistration{code}) { return AddBuiltin(registration); }
  STAND_IN_CODES(STAND_IN_ADD)

 private:
  TfLiteStatus AddBuiltin(const TFLMRegistration& registration) {
    if (count_ == tOpCount || FindOp(static_cast<BuiltinOperator>(registration.builtin_code)) != nullptr) return kTfLiteError;
    registrations_[count_++] = registration;
    return kTfLiteOk;
  }

  TFLMRegistration registrations_[tOpCount];
  unsigned int count_ = 0;
};

class MicroAllocator {
 public:
  static MicroAllocator* Create(uint8_t* tensor_arena, size_t, MemoryPlannerType = MemoryPlannerType::kGreedy) {
    return reinterpret_cast<MicroAllocator*>(tensor_arena);
  }
  static MicroAllocator* Create(uint8_t* tensor_arena, size_t arena_size, MicroMemoryPlanner* memory_planner);
  static size_t GetDefaultTailUsage(bool) { return 64; }
  size_t used_bytes() const { return 64; }
};

// What the fake interpreter takes for a model: the bytes after the mark.
struct FakeModel {
  char root[4], mark[4];
  int operators[2];  // codes
  int32_t type, dims[2];
  float scale;
  int32_t zero_point;
};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& op_resolver, MicroAllocator*, MicroResourceVariables* = nullptr,
                   MicroProfilerInterface* = nullptr)
      : model_(*reinterpret_cast<const FakeModel*>(model)), resolver_(op_resolver) {}

  TfLiteStatus AllocateTensors() {
    for (int code : model_.operators) {
      if (resolver_.FindOp(static_cast<BuiltinOperator>(code)) == nullptr) return kTfLiteError;
    }
    dims_.size = 2;
    dims_.data[0] = model_.dims[0];
    dims_.data[1] = model_.dims[1];
    for (int i = 0; i < 2; ++i) {
      tensors_[i].params = {model_.scale, model_.zero_point};
      tensors_[i].data.int8 = data_[i];
      tensors_[i].dims = &dims_;
      tensors_[i].type = static_cast<TfLiteType>(model_.type);
    }
    return kTfLiteOk;
  }

  // Output = input + how many hops there have been since the reset.
  TfLiteStatus Invoke() {
    for (int i = 0; i < dims_.data[1]; ++i) data_[1][i] = static_cast<int8_t>(data_[0][i] + hops_);
    ++hops_;
    return kTfLiteOk;
  }

  TfLiteStatus Reset() {
    hops_ = 0;
    return kTfLiteOk;
  }

  TfLiteTensor* input(size_t) { return &tensors_[0]; }
  TfLiteTensor* output(size_t) { return &tensors_[1]; }

 private:
  const FakeModel& model_;
  const MicroOpResolver& resolver_;
  TfLiteIntArray dims_;
  TfLiteTensor tensors_[2];
  int8_t data_[2][64];  // (input and output, bins)
  int hops_ = 0;
};

}  // namespace tflite or tflite::micro
