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
    return Status::kOk;
  }
  Status Reset() override { return Status::kOk; }
};

StreamConfig Config(int window) {
  static float analysis[4096];  // (window)
  static int32_t steps[kFeatureSteps];
  const StreamConfig config = {
      window, window / 2, 1, 0.3f, {0.02f, -128}, {1.0f / 128, -1}, 0, 0, 1, 0, 0, analysis, steps};
  StreamTables(config, analysis, steps);
  return config;
}

}  // namespace
}  // namespace groupcomm

int main() {
  using namespace groupcomm;  // NOLINT
  alignas(16) static uint8_t memory[16384];
  Ones engine;
  Stream* stream;
  for (int window : {32, 128, 512, 4096}) {
    CHECK_EQ(StreamBytes(Config(window)), size_t{0});
    CHECK_STATUS(StreamCreate(Config(window), &engine, memory, sizeof(memory), &stream),
                 Status::kBadConfig);
  }
  CHECK_STATUS(StreamCreate(Config(256), &engine, memory, sizeof(memory), &stream), Status::kOk);
  int16_t in[128], out[128];  // (hop)
  for (int i = 0; i < 128; ++i) in[i] = static_cast<int16_t>(100 * i);
  for (int hop = 0; hop < 3; ++hop) CHECK_STATUS(StreamProcess(stream, in, out), Status::kOk);
  for (int i = 0; i < 128; ++i) CHECK_LE(std::abs(out[i] - in[i]), 1);
}
