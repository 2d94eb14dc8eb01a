// A stream with an engine without a network: the masks are the features, so the output depends on
// every stage of the stream.
#pragma once

#include <cstring>

#include "micro/stream/stream.h"
#include "micro/stream/tables.h"

namespace groupcomm::board {

constexpr int kPassthroughHop = 128, kPassthroughInputs = 96;

// The config has a running level of 1 s, 12 bands, and the upper half of the bins in pairs.
inline StreamConfig PassthroughConfig() {
  static float analysis[2 * kPassthroughHop];  // (window)
  static int32_t steps[kFeatureSteps];
  StreamConfig config = {2 * kPassthroughHop,
                         kPassthroughHop,
                         1,
                         0.3f,
                         {0.01f, -128},
                         {1.0f / 255, -128},
                         0.99203f,
                         12,
                         2,
                         0,
                         0,
                         analysis,
                         steps};
  StreamTables(config, analysis, steps);
  return config;
}

class PassthroughEngine final : public Engine {
 public:
  int features() const override { return kPassthroughInputs; }
  int masks() const override { return kPassthroughInputs; }
  Status Run(const int8_t* features /* (kPassthroughInputs) */,
             int8_t* masks /* (kPassthroughInputs) */) override {
    std::memcpy(masks, features, kPassthroughInputs);
    return Status::kOk;
  }
  Status Reset() override { return Status::kOk; }
};

}  // namespace groupcomm::board
