// Runs a model that `groupcomm compile MODEL.tflite` wrote on a board:
//   model_firmware INPUTS OUTPUTS PASSES
// INPUTS has the inputs of one invocation after another, OUTPUTS gets the outputs, in the layout of
// model_glue.h. Each pass starts with a reset. Each invocation is a run of span 0. Prints one JSON
// object.
#include "micro/boards/cortex_m/board.h"
#include "micro/boards/cortex_m/marker.h"

// Written by convert/run/emulated_model.py: kMemoryBytes, kInputBytes, kOutputBytes, and
// ModelInit, ModelReset and ModelInvoke, which call the functions of the model.
#include "model_glue.h"

using namespace groupcomm::board;  // NOLINT

namespace {

alignas(16) uint8_t memory[kMemoryBytes];
alignas(16) uint8_t inputs[kInputBytes];
alignas(16) uint8_t outputs[kOutputBytes];

int Fail(const char* what, const char* why) {
  PrintError(what);
  PrintError(": ");
  PrintError(why);
  PrintError("\n");
  return 2;
}

int ParseInt(const char* text) {
  int value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = 10 * value + *text - '0';
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return Fail(argv[0], "usage: INPUTS OUTPUTS PASSES");
  if (ModelInit(memory, sizeof(memory)) != 0) return Fail(argv[0], "memory does not fit");
  File out;
  if (!out.Open(argv[2], File::Mode::kWrite)) return Fail(argv[2], "cannot write");
  int invocations = 0;
  for (int pass = 0; pass < ParseInt(argv[3]); ++pass) {
    File in;
    if (!in.Open(argv[1], File::Mode::kRead)) return Fail(argv[1], "cannot read");
    ModelReset(memory);
    for (; in.Read(inputs, kInputBytes) == kInputBytes; ++invocations) {
      SpanBegin<0>();
      ModelInvoke(memory, inputs, outputs);
      SpanEnd<0>();
      if (!out.Write(outputs, kOutputBytes)) return Fail(argv[2], "cannot write");
    }
  }
  if (!out.Close()) return Fail(argv[2], "cannot write");
  Print("{\"invocations\": ");
  Print(invocations);
  Print(", \"stack_used\": ");
  Print(BoardStackUsed());
  Print("}\n");
  return 0;
}
