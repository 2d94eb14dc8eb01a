// Substitutes for upstream's headers where there is no network. It declares the names, parameters
// and results that micro/engine uses. It shares nothing with tflm.h, which declares the binary
// interface of another build: either may change alone. Its interpreter runs no model. It asks the
// resolver for the operators of `FakeModel`, calls Prepare where there is one, with the
// interpreter's input as every tensor, and copies the input to the output.
//
// GROUPCOMM_STAND_IN_MICRO puts everything, including the C types, into tflite::micro, as the
// newest upstream does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tflite {

struct Model;

enum BuiltinOperator : int32_t {
// clang-format off
#define STAND_IN_CODES(X) \
  X(ADD, Add, 0) \
  X(CONCATENATION, Concatenation, 2) \
  X(CONV_2D, Conv2D, 3) \
  X(DEPTHWISE_CONV_2D, DepthwiseConv2D, 4) \
  X(DEQUANTIZE, Dequantize, 6) \
  X(FULLY_CONNECTED, FullyConnected, 9) \
  X(LOGISTIC, Logistic, 14) \
  X(MUL, Mul, 18) \
  X(RELU, Relu, 19) \
  X(RESHAPE, Reshape, 22) \
  X(TANH, Tanh, 28) \
  X(PAD, Pad, 34) \
  X(GATHER, Gather, 36) \
  X(TRANSPOSE, Transpose, 39) \
  X(MEAN, Mean, 40) \
  X(SUB, Sub, 41) \
  X(SQUEEZE, Squeeze, 43) \
  X(UNIDIRECTIONAL_SEQUENCE_LSTM, UnidirectionalSequenceLSTM, 44) \
  X(STRIDED_SLICE, StridedSlice, 45) \
  X(SPLIT, Split, 49) \
  X(PRELU, Prelu, 54) \
  X(EXPAND_DIMS, ExpandDims, 70) \
  X(SUM, Sum, 74) \
  X(PACK, Pack, 83) \
  X(UNPACK, Unpack, 88) \
  X(QUANTIZE, Quantize, 114)
// clang-format on
#define STAND_IN_ENUMERATOR(schema, method, code) BuiltinOperator_##schema = code,
  STAND_IN_CODES(STAND_IN_ENUMERATOR) BuiltinOperator_CUSTOM = 32,
};

inline const Model* GetModel(const void* buffer) { return static_cast<const Model*>(buffer); }

}  // namespace tflite

#if defined(GROUPCOMM_STAND_IN_MICRO)
namespace tflite::micro {
#endif

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef enum {
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteInt64 = 4,
  kTfLiteInt16 = 7,
  kTfLiteInt8 = 9
} TfLiteType;
typedef enum { kTfLiteMemNone = 0, kTfLiteMmapRo, kTfLiteArenaRw } TfLiteAllocationType;
typedef enum { kTfLiteNoQuantization = 0, kTfLiteAffineQuantization = 1 } TfLiteQuantizationType;
typedef enum {
  kTfLiteActNone = 0,
  kTfLiteActRelu,
  kTfLiteActReluN1To1,
  kTfLiteActRelu6,
  kTfLiteActTanh
} TfLiteFusedActivation;

typedef struct TfLiteIntArray {
  int size;
  int data[32];
} TfLiteIntArray;

typedef struct TfLiteFloatArray {
  int size;
  float data[4];
} TfLiteFloatArray;

typedef struct TfLiteAffineQuantization {
  TfLiteFloatArray* scale;
  TfLiteIntArray* zero_point;
  int32_t quantized_dimension;
} TfLiteAffineQuantization;

typedef union TfLitePtrUnion {
  int32_t* i32;
  int64_t* i64;
  int16_t* i16;
  int8_t* int8;
} TfLitePtrUnion;

typedef struct TfLiteTensor {
  struct {
    TfLiteQuantizationType type;
    void* params;
  } quantization;
  struct {
    float scale;
    int32_t zero_point;
  } params;
  TfLitePtrUnion data;
  TfLiteIntArray* dims;
  size_t bytes;
  TfLiteType type;
  TfLiteAllocationType allocation_type;
  bool is_variable;
} TfLiteTensor;

typedef struct TfLiteEvalTensor {
  TfLitePtrUnion data;
  TfLiteIntArray* dims;
  TfLiteType type;
} TfLiteEvalTensor;

typedef struct TfLiteContext {
  void* impl_;
} TfLiteContext;

typedef struct TfLiteNode {
  TfLiteIntArray* inputs;
  TfLiteIntArray* outputs;
  TfLiteIntArray* intermediates;
  void* user_data;
  void* builtin_data;
} TfLiteNode;

typedef struct {
  TfLiteFusedActivation activation;
  bool keep_num_dims;
} TfLiteFullyConnectedParams;

typedef struct {
  TfLiteFusedActivation activation;
  float cell_clip;
  float proj_clip;
  bool time_major;
} TfLiteUnidirectionalSequenceLSTMParams;

struct TFLMRegistration {
  void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
  void (*free)(TfLiteContext* context, void* buffer);
  TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
  TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
  void (*reset)(TfLiteContext* context, void* buffer);
  int32_t builtin_code;
  const char* custom_name;
};

typedef TfLiteStatus (*TfLiteBridgeBuiltinParseFunction)(const void* op, void* allocator,
                                                         void** data);

#if defined(GROUPCOMM_STAND_IN_MICRO)
}  // namespace tflite::micro
namespace tflite::micro {
#else
namespace tflite {
#endif

class MicroContext {
 public:
  virtual ~MicroContext() = default;
  virtual void* AllocatePersistentBuffer(size_t bytes) = 0;
  virtual TfLiteStatus RequestScratchBufferInArena(size_t bytes, int* buffer_idx) = 0;
  virtual void* GetScratchBuffer(int buffer_idx) = 0;
  virtual TfLiteTensor* AllocateTempTfLiteTensor(int tensor_idx) = 0;
  virtual void DeallocateTempTfLiteTensor(TfLiteTensor* tensor) = 0;
  virtual uint8_t* AllocateTempBuffer(size_t size, size_t alignment) = 0;
  virtual void DeallocateTempBuffer(uint8_t* buffer) = 0;
  virtual TfLiteEvalTensor* GetEvalTensor(int tensor_idx) = 0;
  virtual TfLiteStatus set_external_context(void* external_context_payload) = 0;
  virtual void* external_context() = 0;

 private:
  void operator delete(void*) {}  // upstream's TF_LITE_REMOVE_VIRTUAL_DELETE
};

inline MicroContext* GetMicroContext(const struct TfLiteContext* context) {
  return reinterpret_cast<MicroContext*>(context->impl_);
}

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
  TfLiteBridgeBuiltinParseFunction GetOpDataParser(BuiltinOperator) const override {
    return nullptr;
  }

#define STAND_IN_ADD(schema, method, code)                                         \
  TfLiteStatus Add##method(const TFLMRegistration& registration = Library(code)) { \
    return AddBuiltin(registration);                                               \
  }
  STAND_IN_CODES(STAND_IN_ADD)

 private:
  static TFLMRegistration Library(int32_t code) {
    return {nullptr, nullptr, nullptr, nullptr, nullptr, code, nullptr};
  }

  TfLiteStatus AddBuiltin(const TFLMRegistration& registration) {
    if (count_ == tOpCount ||
        FindOp(static_cast<BuiltinOperator>(registration.builtin_code)) != nullptr)
      return kTfLiteError;
    registrations_[count_++] = registration;
    return kTfLiteOk;
  }

  TFLMRegistration registrations_[tOpCount];
  unsigned int count_ = 0;
};

class MicroAllocator {
 public:
  static MicroAllocator* Create(uint8_t* tensor_arena, size_t,
                                MemoryPlannerType = MemoryPlannerType::kGreedy) {
    return reinterpret_cast<MicroAllocator*>(tensor_arena);
  }
  static MicroAllocator* Create(uint8_t* tensor_arena, size_t arena_size,
                                MicroMemoryPlanner* memory_planner);
  static size_t GetDefaultTailUsage(bool) { return 64; }
  size_t used_bytes() const { return 64; }
};

// The model of the fake interpreter, including the mark at byte 4.
struct FakeModel {
  char root[4], mark[4];
  int operators[2];  // codes
  int32_t type, dims[2];
  float scale;
  int32_t zero_point;
};

// A context without memory for a kernel; every tensor is the interpreter's input.
class FakeContext : public MicroContext {
 public:
  explicit FakeContext(TfLiteTensor* tensor) : tensor_(tensor) {}
  void* AllocatePersistentBuffer(size_t) override { return nullptr; }
  TfLiteStatus RequestScratchBufferInArena(size_t, int*) override { return kTfLiteError; }
  void* GetScratchBuffer(int) override { return nullptr; }
  TfLiteTensor* AllocateTempTfLiteTensor(int) override {
    ++described_;
    return tensor_;
  }
  void DeallocateTempTfLiteTensor(TfLiteTensor*) override { --described_; }
  uint8_t* AllocateTempBuffer(size_t, size_t) override { return nullptr; }
  void DeallocateTempBuffer(uint8_t*) override {}
  TfLiteEvalTensor* GetEvalTensor(int) override { return nullptr; }
  TfLiteStatus set_external_context(void* payload) override {
    if (payload == nullptr || payload_ != nullptr) return kTfLiteError;
    payload_ = payload;
    return kTfLiteOk;
  }
  void* external_context() override { return payload_; }

  int described() const { return described_; }

 private:
  void operator delete(void*) {}

  TfLiteTensor* tensor_;
  void* payload_ = nullptr;
  int described_ = 0;
};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& op_resolver, MicroAllocator*,
                   MicroResourceVariables* = nullptr, MicroProfilerInterface* = nullptr)
      : model_(*reinterpret_cast<const FakeModel*>(model)), resolver_(op_resolver) {}

  TfLiteStatus AllocateTensors() {
    dims_.size = 2;
    dims_.data[0] = model_.dims[0];
    dims_.data[1] = model_.dims[1];
    for (int i = 0; i < 2; ++i) {
      tensors_[i].params = {model_.scale, model_.zero_point};
      tensors_[i].data.int8 = data_[i];
      tensors_[i].dims = &dims_;
      tensors_[i].type = static_cast<TfLiteType>(model_.type);
    }
    for (int code : model_.operators) {
      const TFLMRegistration* registration = resolver_.FindOp(static_cast<BuiltinOperator>(code));
      if (registration == nullptr) return kTfLiteError;
      if (registration->prepare == nullptr) continue;
      TfLiteIntArray inputs = {3, {0, 1, -1}}, outputs = {1, {2}};
      TfLiteNode node = {&inputs, &outputs, nullptr, nullptr, nullptr};
      TfLiteContext context = {&context_};
      const TfLiteStatus status = registration->prepare(&context, &node);
      // As in upstream, every described tensor must have been deallocated.
      if (status != kTfLiteOk || context_.described() != 0) return kTfLiteError;
    }
    return kTfLiteOk;
  }

  // Output = input + number of hops since the reset.
  TfLiteStatus Invoke() {
    for (int i = 0; i < dims_.data[1]; ++i) data_[1][i] = static_cast<int8_t>(data_[0][i] + hops_);
    ++hops_;
    return kTfLiteOk;
  }

  TfLiteStatus Reset() {
    hops_ = 0;
    return kTfLiteOk;
  }

  TfLiteStatus SetMicroExternalContext(void* payload) {
    return context_.set_external_context(payload);
  }

  TfLiteTensor* input(size_t) { return &tensors_[0]; }
  TfLiteTensor* output(size_t) { return &tensors_[1]; }

 private:
  const FakeModel& model_;
  const MicroOpResolver& resolver_;
  TfLiteIntArray dims_;
  TfLiteTensor tensors_[2] = {};
  FakeContext context_{&tensors_[0]};
  int8_t data_[2][64];  // (input and output, bins)
  int hops_ = 0;
};

}  // namespace tflite or tflite::micro
