// stream_firmware PCM OUT FEATURES: processes a file of int16 PCM with the stream alone, hop by
// hop, and also writes the features. Each hop is a run of span 0, the start a run of span 1. Prints
// one JSON object.
#include "micro/boards/cortex_m/board.h"
#include "micro/boards/cortex_m/echo.h"
#include "micro/boards/cortex_m/marker.h"

using namespace groupcomm;         // NOLINT
using namespace groupcomm::board;  // NOLINT

namespace {

alignas(16) uint8_t memory[8192];

int Fail(const char* what, const char* why) {
  PrintError(what);
  PrintError(": ");
  PrintError(why);
  PrintError("\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return Fail(argv[0], "usage: stream_firmware PCM OUT FEATURES");
  PassthroughEngine engine;
  Stream* stream;
  SpanBegin<1>();
  const SignalPath& path = PassthroughPath();
  const Status made = StreamCreate(path, &engine, memory, sizeof(memory), &stream);
  SpanEnd<1>();
  if (made != GROUPCOMM_OK) return Fail(argv[0], StatusText(made));
  File pcm, sound, features;
  if (!pcm.Open(argv[1], File::Mode::kRead)) return Fail(argv[1], "cannot read");
  if (!sound.Open(argv[2], File::Mode::kWrite)) return Fail(argv[2], "cannot write");
  if (!features.Open(argv[3], File::Mode::kWrite)) return Fail(argv[3], "cannot write");

  int16_t in[kPassthroughHop], out[kPassthroughHop];  // (hop)
  int hops = 0;
  for (; pcm.Read(in, sizeof(in)) == sizeof(in); ++hops) {
    SpanBegin<0>();
    const Status status = StreamProcess(stream, in, out);
    SpanEnd<0>();
    if (status != GROUPCOMM_OK) return Fail(argv[1], StatusText(status));
    if (!sound.Write(out, sizeof(out))) return Fail(argv[2], "cannot write");
    if (!features.Write(StreamFeatures(stream), kPassthroughInputs))
      return Fail(argv[3], "cannot write");
  }
  if (!sound.Close()) return Fail(argv[2], "cannot write");
  if (!features.Close()) return Fail(argv[3], "cannot write");
  Print("{\"hops\": ");
  Print(hops);
  Print(", \"stream_bytes\": ");
  Print(static_cast<int64_t>(StreamBytes(path)));
  Print(", \"stack_used\": ");
  Print(BoardStackUsed());
  Print("}\n");
}
