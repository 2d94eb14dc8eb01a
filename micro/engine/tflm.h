// TensorFlow Lite Micro under the names groupcomm::tflm::X, from either of its distributions. No
// other file depends on the distribution:
//
//   upstream, from source   Its own headers. Its classes are in namespace tflite in the sources up to
//                           2026-08-20, and in the Arduino and Zephyr packages. They are in
//                           tflite::micro since the wheel of 2026-10-23 at the latest: compile with
//                           -DGROUPCOMM_TFLM_NAMESPACE=tflite::micro.
//   GROUPCOMM_TFLM_WHEEL    The binary in the official Python wheel, which exports the C++ API but
//                           has no headers. The declarations below are the part of its binary
//                           interface that is used here. The linker checks names and parameters;
//                           tflm_wheel_test checks sizes and layouts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(GROUPCOMM_TFLM_WHEEL)

#define GROUPCOMM_TFLM_NAMESPACE tflite::micro

namespace tflite {

struct Model;  // the flatbuffer's root table

enum BuiltinOperator : int32_t {  // codes of the flatbuffer schema
  BuiltinOperator_ADD = 0,
  BuiltinOperator_CONCATENATION = 2,
  BuiltinOperator_CONV_2D = 3,
  BuiltinOperator_DEPTHWISE_CONV_2D = 4,
  BuiltinOperator_DEQUANTIZE = 6,
  BuiltinOperator_FULLY_CONNECTED = 9,
  BuiltinOperator_LOGISTIC = 14,
  BuiltinOperator_MUL = 18,
  BuiltinOperator_RELU = 19,
  BuiltinOperator_RESHAPE = 22,
  BuiltinOperator_TANH = 28,
  BuiltinOperator_CUSTOM = 32,
  BuiltinOperator_PAD = 34,
  BuiltinOperator_GATHER = 36,
  BuiltinOperator_TRANSPOSE = 39,
  BuiltinOperator_MEAN = 40,
  BuiltinOperator_SUB = 41,
  BuiltinOperator_SQUEEZE = 43,
  BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM = 44,
  BuiltinOperator_STRIDED_SLICE = 45,
  BuiltinOperator_SPLIT = 49,
  BuiltinOperator_PRELU = 54,
  BuiltinOperator_EXPAND_DIMS = 70,
  BuiltinOperator_SUM = 74,
  BuiltinOperator_PACK = 83,
  BuiltinOperator_UNPACK = 88,
  BuiltinOperator_QUANTIZE = 114,
};

inline const Model* GetModel(const void* flatbuffer) {
  const uint8_t* bytes = static_cast<const uint8_t*>(flatbuffer);
  uint32_t root;  // a flatbuffer begins with the offset of its root table
  std::memcpy(&root, bytes, sizeof(root));
  return reinterpret_cast<const Model*>(bytes + root);
}

namespace micro {

// The underlying types are fixed because TFLM returns values that are not named here.
enum TfLiteStatus : int { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType : int { kTfLiteInt32 = 2, kTfLiteInt64 = 4, kTfLiteInt16 = 7, kTfLiteInt8 = 9 };
enum TfLiteAllocationType : int { kTfLiteMmapRo = 1 };
enum TfLiteQuantizationType : int { kTfLiteAffineQuantization = 1 };
enum TfLiteFusedActivation : int {
  kTfLiteActNone = 0,
  kTfLiteActRelu = 1,
  kTfLiteActReluN1To1 = 2,
  kTfLiteActRelu6 = 3,
  kTfLiteActTanh = 4,
};
enum class MemoryPlannerType { kGreedy, kLinear };

struct TfLiteIntArray {
  int size;
  int data[];  // (size)
};

struct TfLiteFloatArray {
  int size;
  float data[];  // (size)
};

struct TfLiteAffineQuantization {
  TfLiteFloatArray* scale;
  TfLiteIntArray* zero_point;
  int32_t quantized_dimension;
};

union TfLitePtrUnion {
  int8_t* int8;
  int16_t* i16;
  int32_t* i32;
  int64_t* i64;
};

struct TfLiteTensor {  // as Prepare sees a tensor
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
};

struct TfLiteEvalTensor {  // as Invoke sees it
  TfLitePtrUnion data;
  TfLiteIntArray* dims;
  TfLiteType type;
};

struct TfLiteContext {
  void* impl_;
};

struct TfLiteNode {
  TfLiteIntArray* inputs;  // tensor indices, -1 for a missing one
  TfLiteIntArray* outputs;
  TfLiteIntArray* intermediates;
  void* user_data;
  void* builtin_data;
};

struct TfLiteFullyConnectedParams {  // builtin_data; later fields are not read
  TfLiteFusedActivation activation;
};

struct TfLiteUnidirectionalSequenceLSTMParams {
  TfLiteFusedActivation activation;
  float cell_clip, proj_clip;
  bool time_major;
};

struct TFLMRegistration {
  void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
  void (*free)(TfLiteContext* context, void* buffer);
  TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
  TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
  void (*reset)(TfLiteContext* context, void* buffer);
  int32_t builtin_code;
  const char* custom_name;
};

class MicroContext {  // in the order of TFLM's vtable, which has more entries
 public:
  virtual ~MicroContext() {}
  virtual void* AllocatePersistentBuffer(size_t bytes) = 0;
  virtual TfLiteStatus RequestScratchBufferInArena(size_t bytes, int* index) = 0;
  virtual void* GetScratchBuffer(int index) = 0;
  virtual TfLiteTensor* AllocateTempTfLiteTensor(int tensor) = 0;
  virtual void DeallocateTempTfLiteTensor(TfLiteTensor* tensor) = 0;
  virtual uint8_t* AllocateTempBuffer(size_t bytes, size_t alignment) = 0;
  virtual void DeallocateTempBuffer(uint8_t* buffer) = 0;
  virtual TfLiteEvalTensor* GetEvalTensor(int tensor) = 0;
  virtual TfLiteStatus set_external_context(void* payload) = 0;
  virtual void* external_context() = 0;
};

inline MicroContext* GetMicroContext(const TfLiteContext* context) {
  return static_cast<MicroContext*>(context->impl_);
}

class MicroResourceVariables;
class MicroProfilerInterface;

using TfLiteBridgeBuiltinParseFunction = TfLiteStatus (*)();  // passed through, never called here

class MicroOpResolver {  // in the order of TFLM's vtable
 public:
  virtual const TFLMRegistration* FindOp(BuiltinOperator op) const = 0;
  virtual const TFLMRegistration* FindOp(const char* op) const = 0;
  virtual TfLiteBridgeBuiltinParseFunction GetOpDataParser(BuiltinOperator op) const = 0;
  virtual ~MicroOpResolver() {}
};

template <unsigned int count>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  const TFLMRegistration* FindOp(BuiltinOperator op) const override;
  const TFLMRegistration* FindOp(const char* op) const override;
  TfLiteBridgeBuiltinParseFunction GetOpDataParser(BuiltinOperator op) const override;
};

class MicroAllocator {
 public:
  static MicroAllocator* Create(uint8_t* arena, size_t bytes,
                                MemoryPlannerType planner = MemoryPlannerType::kGreedy);
  static size_t GetDefaultTailUsage(bool is_memory_planner_given);
  size_t used_bytes() const;
};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& resolver, MicroAllocator* allocator,
                   MicroResourceVariables* variables = nullptr,
                   MicroProfilerInterface* profiler = nullptr);
  ~MicroInterpreter();
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteStatus Reset();
  TfLiteStatus SetMicroExternalContext(void* payload);
  TfLiteTensor* input(size_t index);
  TfLiteTensor* output(size_t index);

 private:
  alignas(16) unsigned char opaque_[1024];  // larger than the members of TFLM's class
};

}  // namespace micro

class PythonOpsResolver : public micro::MicroMutableOpResolver<200> {  // all operators of the wheel
 public:
  PythonOpsResolver();
  ~PythonOpsResolver() override;

 private:
  unsigned char opaque_[16 * 1024];  // larger than the members of TFLM's class
};

}  // namespace tflite

#else

#include "tensorflow/lite/c/builtin_op_data.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_context.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#ifndef GROUPCOMM_TFLM_NAMESPACE
#define GROUPCOMM_TFLM_NAMESPACE tflite
#endif

#endif  // GROUPCOMM_TFLM_WHEEL

namespace groupcomm::tflm {

// The schema is in tflite in every version. The C types are global where they are not in TFLM's
// namespace; both are found.
using namespace tflite;                    // NOLINT
using namespace GROUPCOMM_TFLM_NAMESPACE;  // NOLINT

using Activation = TfLiteFusedActivation;
using AffineQuantization = TfLiteAffineQuantization;
using Allocator = MicroAllocator;
using Context = TfLiteContext;
using EvalTensor = TfLiteEvalTensor;
using FullyConnectedOptions = TfLiteFullyConnectedParams;
using IntArray = TfLiteIntArray;
using Interpreter = MicroInterpreter;
// services of the interpreter for a kernel: GetMicroContext(Context*)
using KernelContext = MicroContext;
using LstmOptions = TfLiteUnidirectionalSequenceLSTMParams;
using Node = TfLiteNode;
using Operator = BuiltinOperator;
using Parser = TfLiteBridgeBuiltinParseFunction;
using Registration = TFLMRegistration;
using Resolver = MicroOpResolver;
using Result = TfLiteStatus;
using Tensor = TfLiteTensor;
using Type = TfLiteType;

constexpr auto kOk = kTfLiteOk;
constexpr auto kError = kTfLiteError;
constexpr auto kInt8 = kTfLiteInt8;
constexpr auto kInt16 = kTfLiteInt16;
constexpr auto kInt32 = kTfLiteInt32;
constexpr auto kInt64 = kTfLiteInt64;
constexpr auto kConstant = kTfLiteMmapRo;
constexpr auto kAffine = kTfLiteAffineQuantization;
constexpr auto kActNone = kTfLiteActNone;
constexpr auto kActRelu = kTfLiteActRelu;
constexpr auto kActReluN1To1 = kTfLiteActReluN1To1;
constexpr auto kActRelu6 = kTfLiteActRelu6;
constexpr auto kActTanh = kTfLiteActTanh;

}  // namespace groupcomm::tflm
