// one_operator MODEL OPERATOR INPUTS ARENA: runs a .tflite of one operator in TFLM with this
// project's kernels, for tests. It reads calls from stdin, a byte each: 'R' resets; 'I' is followed
// by the bytes of all inputs. It writes the bytes of every output to stdout. A refusal is one line
// on stderr.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "micro/engine/operators.h"

using namespace groupcomm;  // NOLINT

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> model((std::istreambuf_iterator<char>(file)), {});
  Operators operators;
  if (!operators.Add(argv[2])) return 2;
  std::vector<uint8_t> arena(std::strtoul(argv[4], nullptr, 10));
  if (arena.size() < tflm::Allocator::GetDefaultTailUsage(false) + 16) return 2;
  auto* allocator = tflm::Allocator::Create(arena.data(), arena.size());
  tflm::Interpreter interpreter(tflm::GetModel(model.data()), operators, allocator);
  KernelRefusal refusal;
  if (interpreter.SetMicroExternalContext(&refusal) != tflm::kOk ||
      interpreter.AllocateTensors() != tflm::kOk) {
    std::fprintf(stderr, "%s\n", refusal.reason != nullptr ? refusal.reason : "no reason");
    return 1;
  }
  const int inputs = argv[3][0] - '0';
  for (int call; (call = std::getchar()) != EOF;) {
    if (call == 'R') {
      if (interpreter.Reset() != tflm::kOk) return 2;
      continue;
    }
    for (int i = 0; i < inputs; ++i) {
      tflm::Tensor* input = interpreter.input(i);
      if (std::fread(input->data.int8, 1, input->bytes, stdin) != input->bytes) return 2;
    }
    if (interpreter.Invoke() != tflm::kOk) return 2;
    const tflm::Tensor* output = interpreter.output(0);
    if (std::fwrite(output->data.int8, 1, output->bytes, stdout) != output->bytes) return 2;
  }
  return 0;
}
