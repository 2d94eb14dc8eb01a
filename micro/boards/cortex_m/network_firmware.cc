// Runs a network as plain C on a board:
//   network_firmware stream PCM SOUND FEATURES MASKS
//     int16 PCM through the whole separator, hop by hop; also writes the inputs and outputs of the
//     network
//   network_firmware replay FEATURES MASKS PASSES
//     int8 features through the network alone, PASSES times with a reset in between
//   network_firmware stream_on FEATURES MASKS PASSES
//     the same without a reset: one stream
// Each hop is a run of span 0, the network in it a run of span 1. Prints one JSON object.
#include "micro/boards/cortex_m/board.h"
#include "micro/boards/cortex_m/marker.h"
#include "micro/api/engine_api.h"
#include "micro/engine/static_engine.h"

#include GROUPCOMM_NETWORK_HEADER

using namespace groupcomm;         // NOLINT
using namespace groupcomm::board;  // NOLINT

namespace {

constexpr int kMaxHop = 512, kMaxSources = 2, kMaxValues = 1024;

GROUPCOMM_ALIGNED uint8_t network_memory[GROUPCOMM_NETWORK_MEMORY_BYTES];
GROUPCOMM_ALIGNED uint8_t stream_memory[8192];

// Marks each hop of the network as a run of span 1.
class CountingEngine final : public Engine {
 public:
  int features() const override { return engine_.features(); }
  int masks() const override { return engine_.masks(); }
  Status Run(const int8_t* features /* (inputs) */, int8_t* masks /* (outputs) */) override {
    SpanBegin<1>();
    const Status status = engine_.Run(features, masks);
    SpanEnd<1>();
    return status;
  }
  Status Reset() override { return engine_.Reset(); }
  Status Init() { return engine_.Init(GROUPCOMM_NETWORK, network_memory, sizeof(network_memory)); }

 private:
  StaticEngine engine_;
};

int Fail(const char* what, const char* why) {
  PrintError(what);
  PrintError(": ");
  PrintError(why);
  PrintError("\n");
  return 2;
}

void Report(int hops, size_t stream_bytes) {
  Print("{\"hops\": ");
  Print(hops);
  Print(", \"network_bytes\": ");
  Print(static_cast<int64_t>(GROUPCOMM_NETWORK.memory_bytes));
  Print(", \"stream_bytes\": ");
  Print(static_cast<int64_t>(stream_bytes));
  Print(", \"stack_used\": ");
  Print(BoardStackUsed());
  Print("}\n");
}

int Replay(CountingEngine* engine, const char* from, const char* to, int passes, bool reset) {
  static int8_t features[kMaxValues], masks[kMaxValues];  // (inputs), (outputs)
  File out;
  if (!out.Open(to, File::Mode::kWrite)) return Fail(to, "cannot write");
  int hops = 0;
  for (int pass = 0; pass < passes; ++pass) {
    File in;
    if (!in.Open(from, File::Mode::kRead)) return Fail(from, "cannot read");
    if (reset && engine->Reset() != GROUPCOMM_OK) return Fail(from, "the network cannot be reset");
    for (; in.Read(features, engine->features()) == engine->features(); ++hops) {
      SpanBegin<0>();
      const Status status = engine->Run(features, masks);
      SpanEnd<0>();
      if (status != GROUPCOMM_OK) return Fail(from, StatusText(status));
      if (!out.Write(masks, engine->masks())) return Fail(to, "cannot write");
    }
  }
  if (!out.Close()) return Fail(to, "cannot write");
  Report(hops, 0);
  return 0;
}

int Separate(CountingEngine* engine, char** paths /* PCM SOUND FEATURES MASKS */) {
  const gc_model& n = GROUPCOMM_NETWORK;
  groupcomm_state* state;
  const Status made = CreateOnEngine(n, engine, stream_memory, sizeof(stream_memory), &state);
  if (made != GROUPCOMM_OK) return Fail(n.name, StatusText(made));
  File pcm, written[3];
  if (!pcm.Open(paths[0], File::Mode::kRead)) return Fail(paths[0], "cannot read");
  for (int i = 0; i < 3; ++i) {
    if (!written[i].Open(paths[i + 1], File::Mode::kWrite))
      return Fail(paths[i + 1], "cannot write");
  }
  static int16_t in[kMaxHop], out[kMaxSources * kMaxHop];  // (hop), (sources, hop)
  const int hop_bytes = n.signal.hop * static_cast<int>(sizeof(int16_t));
  int hops = 0;
  for (; pcm.Read(in, hop_bytes) == hop_bytes; ++hops) {
    SpanBegin<0>();
    const Status status = groupcomm_process(state, in, out);
    SpanEnd<0>();
    if (status != GROUPCOMM_OK) return Fail(paths[0], StatusText(status));
    if (!written[0].Write(out, n.signal.sources * hop_bytes)) return Fail(paths[1], "cannot write");
    if (!written[1].Write(groupcomm_features(state), engine->features()))
      return Fail(paths[2], "cannot write");
    if (!written[2].Write(groupcomm_masks(state), engine->masks()))
      return Fail(paths[3], "cannot write");
  }
  for (int i = 0; i < 3; ++i) {
    if (!written[i].Close()) return Fail(paths[i + 1], "cannot write");
  }
  Report(hops, BytesOnEngine(n));
  return 0;
}

bool StringsEqual(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

int ParseInt(const char* text) {
  int value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = 10 * value + *text - '0';
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  static CountingEngine engine;
  const gc_model& n = GROUPCOMM_NETWORK;
  if (n.signal.hop > kMaxHop || n.signal.sources > kMaxSources || n.inputs > kMaxValues ||
      n.outputs > kMaxValues) {
    return Fail(n.name, "larger than this program's buffers");
  }
  if (engine.Init() != GROUPCOMM_OK) return Fail(n.name, "memory does not fit");
  if (argc == 6 && StringsEqual(argv[1], "stream")) return Separate(&engine, argv + 2);
  if (argc == 5 && StringsEqual(argv[1], "replay"))
    return Replay(&engine, argv[2], argv[3], ParseInt(argv[4]), true);
  if (argc == 5 && StringsEqual(argv[1], "stream_on"))
    return Replay(&engine, argv[2], argv[3], ParseInt(argv[4]), false);
  return Fail(argv[0],
              "usage: stream PCM SOUND FEATURES MASKS | replay|stream_on FEATURES MASKS PASSES");
}
