// Holds the declarations in tflm.h against the wheel's binary, where the linker can't: sizes and layouts.
#include <cstring>
#include <memory>
#include <new>

#include "micro/boards/host/bundle.h"
#include "micro/engine/operators.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

// Bytes that a constructor writes, seen by constructing on two different patterns: a byte that differs was not written.
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
  const size_t resolver = Written<tflm::PythonOpsResolver>([](void* p) { new (p) tflm::PythonOpsResolver; });
  CHECK_TRUE(resolver > 4096);  // it did fill its table
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
    arena.resize(bundle.arena_bytes);
    auto* allocator = tflm::Allocator::Create(arena.data(), arena.size());
    auto* made = new (p) tflm::Interpreter(tflm::GetModel(bundle.model.data()), operators, allocator);
    CHECK_TRUE(made->AllocateTensors() == tflm::kOk);
    CHECK_TRUE(made->Invoke() == tflm::kOk);
    CHECK_TRUE(made->Reset() == tflm::kOk);
    CHECK_TRUE(allocator->used_bytes() > 1024);
    CHECK_LE(allocator->used_bytes(), arena.size());

    // The tensors: what the bundle says of them is where we look for it.
    const int bins = StreamBins(bundle.stream);
    const tflm::Tensor *in = made->input(0), *out = made->output(0);
    CHECK_EQ(in->params.scale, bundle.stream.features.scale);
    CHECK_EQ(in->params.zero_point, bundle.stream.features.zero_point);
    CHECK_EQ(in->dims->size, 2);
    CHECK_EQ(in->dims->data[1], bins);
    CHECK_EQ(in->bytes, static_cast<size_t>(bins));
    CHECK_TRUE(in->type == tflm::kInt8);
    CHECK_EQ(out->params.scale, bundle.stream.masks.scale);
    CHECK_EQ(out->bytes, static_cast<size_t>(bundle.stream.sources * bins));
    CHECK_TRUE(out->type == tflm::kInt8);
    for (const tflm::Tensor* tensor : {in, out}) {
      const uint8_t* data = reinterpret_cast<const uint8_t*>(tensor->data.int8);
      CHECK_TRUE(data >= arena.data() && data + tensor->bytes <= arena.data() + arena.size());
    }
    made->~MicroInterpreter();
  });
  CHECK_TRUE(interpreter > 64);
  CHECK_LE(interpreter, sizeof(tflm::Interpreter));
  std::printf("PythonOpsResolver %zu of %zu bytes, MicroInterpreter %zu of %zu\n", resolver, sizeof(tflm::PythonOpsResolver), interpreter,
              sizeof(tflm::Interpreter));
}

// Codes of the schema, against the names by which this wheel registers them.
void Codes() {
  Operators operators;
#define ADD_ONE(schema, method) CHECK_TRUE(operators.Add(#schema));
  GROUPCOMM_OPERATORS(ADD_ONE)
  CHECK_TRUE(!operators.Add("GELU"));
  CHECK_TRUE(!operators.Has(150));  // GELU
  CHECK_TRUE(operators.Has(9));
  CHECK_TRUE(operators.FindOp(tflm::BuiltinOperator_MEAN) != nullptr);
  CHECK_EQ(operators.missing(), -1);
  CHECK_TRUE(operators.FindOp(static_cast<tflm::Operator>(25)) == nullptr);  // SOFTMAX: the wheel has it, we did not offer it
  CHECK_EQ(operators.missing(), 25);
  CHECK_TRUE(operators.missing_name() == nullptr);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::Sizes();
  groupcomm::Codes();
}
