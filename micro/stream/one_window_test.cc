// A stream that is built for one window accepts that window and rejects the others.
#include <cstdlib>
#include <cstring>

#include "micro/stream/stream.h"
#include "micro/stream/tables.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

class Ones final : public Engine {
 public:
  int features() const override { return 129; }
  int masks() const override { return 129; }
  Status Run(const int8_t*, int8_t* masks) override {
    std::memset(masks, 127, 129);
    return GROUPCOMM_OK;
  }
  Status Reset() override { return GROUPCOMM_OK; }
};

const SignalPath& Path(int window) {
  static float analysis[4096];  // (window)
  static int32_t thresholds[GC_FEATURE_THRESHOLDS];
  static SignalPath path;
  path = {};
  path.sample_rate = 16000;
  path.window = window;
  path.hop = window / 2;
  path.exponent = 0.3f;
  path.pool = 1;
  path.sources = 1;
  path.features = {0.02f, -128};
  path.masks = {1.0f / 128, -1};
  StreamTables(&path, analysis, thresholds);
  return path;
}

}  // namespace
}  // namespace groupcomm

int main() {
  using namespace groupcomm;  // NOLINT
  alignas(16) static uint8_t memory[16384];
  Ones engine;
  Stream* stream;
  for (int window : {32, 128, 512, 4096}) {
    CHECK_EQ(StreamBytes(Path(window)), size_t{0});
    CHECK_STATUS(StreamCreate(Path(window), &engine, memory, sizeof(memory), &stream),
                 GROUPCOMM_BAD_CONFIG);
  }
  CHECK_STATUS(StreamCreate(Path(256), &engine, memory, sizeof(memory), &stream), GROUPCOMM_OK);
  int16_t in[128], out[128];  // (hop)
  for (int i = 0; i < 128; ++i) in[i] = static_cast<int16_t>(100 * i);
  for (int hop = 0; hop < 3; ++hop) CHECK_STATUS(StreamProcess(stream, in, out), GROUPCOMM_OK);
  for (int i = 0; i < 128; ++i) CHECK_LE(std::abs(out[i] - in[i]), 1);
}
