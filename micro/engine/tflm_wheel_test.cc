// Compares the declarations in tflm.h with the wheel's binary where the linker cannot: sizes and
// layouts.
#include <dlfcn.h>

#include <cstring>
#include <memory>
#include <new>

#include "micro/boards/host/bundle.h"
#include "micro/contract/lstm_inputs.h"
#include "micro/engine/operators.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

// Returns the number of bytes that a constructor writes. It constructs on two different patterns: a
// byte that is still different was not written.
template <typename T, typename Construct>
size_t Written(Construct construct) {
  struct Room {
    alignas(16) unsigned char bytes[2 * sizeof(T)];
  };
  const auto a = std::make_unique<Room>(), b = std::make_unique<Room>();
  std::memset(a->bytes, 0x55, sizeof(a->bytes));
  std::memset(b->bytes, 0xAA, sizeof(b->bytes));
  construct(a->bytes);
  construct(b->bytes);
  size_t end = 0;
  for (size_t i = 0; i < sizeof(a->bytes); ++i) {
    if (a->bytes[i] != 0x55 || b->bytes[i] != 0xAA) end = i + 1;
  }
  return end;
}

void Sizes() {
  const size_t resolver =
      Written<tflm::PythonOpsResolver>([](void* p) { new (p) tflm::PythonOpsResolver; });
  CHECK_TRUE(resolver > 4096);  // it has filled its table
  CHECK_LE(resolver, sizeof(tflm::PythonOpsResolver));

  std::string error;
  host::Bundle bundle;
  if (!host::LoadBundle("convert/bundles/enhance", &bundle, &error)) CHECK_EQ(error, "");
  Operators operators;
  for (const std::string& name : bundle.operators) CHECK_TRUE(operators.Add(name.c_str()));
  std::vector<uint8_t> arenas[2];
  int next = 0;
  const size_t interpreter = Written<tflm::Interpreter>([&](void* p) {
    std::vector<uint8_t>& arena = arenas[next++];
    arena.resize(host::ArenaRoom(bundle, GroupCommKernels));
    auto* allocator = tflm::Allocator::Create(arena.data(), arena.size());
    auto* made =
        new (p) tflm::Interpreter(tflm::GetModel(bundle.model.data()), operators, allocator);
    CHECK_TRUE(made->AllocateTensors() == tflm::kOk);
    CHECK_TRUE(made->Invoke() == tflm::kOk);
    CHECK_TRUE(made->Reset() == tflm::kOk);
    CHECK_TRUE(allocator->used_bytes() > 1024);
    CHECK_LE(allocator->used_bytes(), arena.size());

    // The fields of the tensors have the values in the bundle, so their layout is correct.
    const int inputs = bundle.network.inputs;
    const tflm::Tensor *in = made->input(0), *out = made->output(0);
    CHECK_EQ(in->params.scale, bundle.network.signal.features.scale);
    CHECK_EQ(in->params.zero_point, bundle.network.signal.features.zero_point);
    CHECK_EQ(in->dims->size, 2);
    CHECK_EQ(in->dims->data[1], inputs);
    CHECK_EQ(in->bytes, static_cast<size_t>(inputs));
    CHECK_TRUE(in->type == tflm::kInt8);
    CHECK_EQ(out->params.scale, bundle.network.signal.masks.scale);
    CHECK_EQ(out->bytes, static_cast<size_t>(bundle.network.outputs));
    CHECK_TRUE(out->type == tflm::kInt8);
    for (const tflm::Tensor* tensor : {in, out}) {
      const uint8_t* data = reinterpret_cast<const uint8_t*>(tensor->data.int8);
      CHECK_TRUE(data >= arena.data() && data + tensor->bytes <= arena.data() + arena.size());
    }
    made->~MicroInterpreter();
  });
  CHECK_TRUE(interpreter > 64);
  CHECK_LE(interpreter, sizeof(tflm::Interpreter));
  std::printf("PythonOpsResolver %zu of %zu bytes, MicroInterpreter %zu of %zu\n", resolver,
              sizeof(tflm::PythonOpsResolver), interpreter, sizeof(tflm::Interpreter));
}

// The interface to kernels: the order of the context's virtual functions, and the layouts of what
// Prepare and Invoke read.
void CheckVtable(tflm::KernelContext* context) {
  const char* const functions[] = {
      "24AllocatePersistentBufferEm",
      "27RequestScratchBufferInArenaEmPi",
      "16GetScratchBufferEi",
      "24AllocateTempTfLiteTensorEi",
      "26DeallocateTempTfLiteTensorEPNS0_12TfLiteTensorE",
      "18AllocateTempBufferEmm",
      "20DeallocateTempBufferEPh",
      "13GetEvalTensorEi",
      "20set_external_contextEPv",
      "16external_contextEv",
  };
  void* const* slot =
      *reinterpret_cast<void* const* const*>(context) + 2;  // after the two destructors
  for (const char* function : functions) {
    const void* library =
        dlsym(RTLD_DEFAULT,
              (std::string("_ZN6tflite5micro23MicroInterpreterContext") + function).c_str());
    if (library == nullptr) CHECK_EQ(std::string(function), "in the library");
    CHECK_TRUE(*slot++ == library);
  }
}

size_t Elements(const tflm::IntArray* dims) {
  size_t count = 1;
  for (int i = 0; i < dims->size; ++i) count *= dims->data[i];
  return count;
}

int fully_connected = 0, lstms = 0, invocations = 0;

tflm::Result CheckedPrepare(tflm::Context* context, tflm::Node* node) {
  tflm::KernelContext* interpreter = tflm::GetMicroContext(context);
  CheckVtable(interpreter);
  const auto described = [&](int number, tflm::Type type, size_t bytes, bool constant,
                             bool variable) {
    tflm::Tensor* tensor = interpreter->AllocateTempTfLiteTensor(number);
    CHECK_TRUE(tensor->type == type);
    CHECK_EQ(tensor->bytes, bytes * Elements(tensor->dims));
    CHECK_EQ(tensor->allocation_type == tflm::kConstant, constant);
    CHECK_EQ(tensor->is_variable, variable);
    if (type == tflm::kInt32) {  // a bias: no kernel needs its scale, so it has none
      CHECK_TRUE(tensor->quantization.type != tflm::kAffine);
      interpreter->DeallocateTempTfLiteTensor(tensor);
      return;
    }
    CHECK_TRUE(tensor->quantization.type == tflm::kAffine);
    const auto* quantization =
        static_cast<const tflm::AffineQuantization*>(tensor->quantization.params);
    CHECK_EQ(quantization->scale->data[0], tensor->params.scale);
    CHECK_EQ(quantization->zero_point->size, quantization->scale->size);
    CHECK_EQ(quantization->zero_point->data[0], tensor->params.zero_point);
    CHECK_EQ(quantization->quantized_dimension, 0);
    const int scales = quantization->scale->size, rows = tensor->dims->data[0];
    interpreter->DeallocateTempTfLiteTensor(tensor);
    CHECK_TRUE(scales == 1 || (constant && scales == rows));
  };
  CHECK_EQ(node->outputs->size, 1);
  described(node->inputs->data[0], tflm::kInt8, 1, false, false);
  described(node->inputs->data[1], tflm::kInt8, 1, true, false);
  described(node->outputs->data[0], tflm::kInt8, 1, false, false);
  node->user_data = nullptr;
  if (node->inputs->size > GC_LSTM_CELL_STATE) {
    ++lstms;
    described(node->inputs->data[GC_LSTM_HIDDEN_STATE], tflm::kInt8, 1, false, true);
    described(node->inputs->data[GC_LSTM_CELL_STATE], tflm::kInt16, 2, false, true);
    described(node->inputs->data[GC_LSTM_BIASES], tflm::kInt32, 4, true, false);
    CHECK_EQ(node->inputs->data[GC_LSTM_PEEPHOLES], -1);  // no peephole
    const auto& options = *static_cast<const tflm::LstmOptions*>(node->builtin_data);
    CHECK_TRUE(options.activation == tflm::kActTanh);
    return GroupCommKernels(tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM)
        ->prepare(context, node);
  }
  ++fully_connected;
  CHECK_TRUE(static_cast<const tflm::FullyConnectedOptions*>(node->builtin_data)->activation <=
             tflm::kActRelu6);
  return GroupCommKernels(tflm::BuiltinOperator_FULLY_CONNECTED)->prepare(context, node);
}

tflm::Result CheckedInvoke(tflm::Context* context, tflm::Node* node) {
  ++invocations;
  CHECK_TRUE(node->user_data != nullptr);
  const tflm::EvalTensor* input =
      tflm::GetMicroContext(context)->GetEvalTensor(node->inputs->data[0]);
  CHECK_TRUE(input->type == tflm::kInt8 && input->data.int8 != nullptr &&
             Elements(input->dims) > 0);
  const bool lstm = node->inputs->size > GC_LSTM_CELL_STATE;
  return GroupCommKernels(lstm ? tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM
                               : tflm::BuiltinOperator_FULLY_CONNECTED)
      ->invoke(context, node);
}

const tflm::Registration* CheckedKernels(tflm::Operator code) {
  static tflm::Registration registrations[2];  // fully connected, LSTM
  if (GroupCommKernels(code) == nullptr) return nullptr;
  tflm::Registration& registration =
      registrations[code == tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM];
  registration = *GroupCommKernels(code);  // its code selects the parser of the options
  registration.prepare = CheckedPrepare;
  registration.invoke = CheckedInvoke;
  return &registration;
}

void Kernel() {
  std::string error;
  host::Bundle bundle;
  if (!host::LoadBundle("convert/bundles/enhance", &bundle, &error)) CHECK_EQ(error, "");
  Operators operators;
  operators.Use(CheckedKernels);
  for (const std::string& name : bundle.operators) CHECK_TRUE(operators.Add(name.c_str()));
  std::vector<uint8_t> arena(host::ArenaRoom(bundle, GroupCommKernels));
  auto* allocator = tflm::Allocator::Create(arena.data(), arena.size());
  tflm::Interpreter interpreter(tflm::GetModel(bundle.model.data()), operators, allocator);
  CHECK_TRUE(interpreter.AllocateTensors() == tflm::kOk);
  CHECK_TRUE(fully_connected > 0 && lstms > 0);
  CHECK_TRUE(interpreter.Invoke() == tflm::kOk);
  CHECK_EQ(invocations, fully_connected + lstms);

  // TFLM's own registrations have the same layout.
  Operators library;
  library.Use(TflmKernels);
  for (const char* name : {"FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"})
    CHECK_TRUE(library.Add(name));
  for (const tflm::Operator code : {tflm::BuiltinOperator_FULLY_CONNECTED,
                                    tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM}) {
    const tflm::Registration* registration = library.FindOp(code);
    CHECK_TRUE(registration != GroupCommKernels(code));
    CHECK_EQ(registration->builtin_code, static_cast<int32_t>(code));
    CHECK_TRUE(registration->prepare != nullptr && registration->invoke != nullptr &&
               registration->custom_name == nullptr);
    Operators ours;
    CHECK_TRUE(ours.Add(code == tflm::BuiltinOperator_FULLY_CONNECTED
                            ? "FULLY_CONNECTED"
                            : "UNIDIRECTIONAL_SEQUENCE_LSTM"));
    CHECK_TRUE(ours.FindOp(code) == GroupCommKernels(code));
  }
}

// Compares codes of the schema with the names under which this wheel registers them.
void Codes() {
  Operators operators;
#define ADD_ONE(schema, method) CHECK_TRUE(operators.Add(#schema));
  GROUPCOMM_OPERATORS(ADD_ONE)
  CHECK_TRUE(!operators.Add("GELU"));
  CHECK_TRUE(!operators.Has(150));  // GELU
  CHECK_TRUE(operators.Has(9));
  CHECK_TRUE(operators.FindOp(tflm::BuiltinOperator_MEAN) != nullptr);
  CHECK_EQ(operators.missing(), -1);
  // SOFTMAX: in the wheel, but not offered here
  CHECK_TRUE(operators.FindOp(static_cast<tflm::Operator>(25)) == nullptr);
  CHECK_EQ(operators.missing(), 25);
  CHECK_TRUE(operators.missing_name() == nullptr);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::Sizes();
  groupcomm::Kernel();
  groupcomm::Codes();
}
