// A stream with an engine without a network: the masks are the features, so the output depends on
// every stage of the stream.
#pragma once

#include <cstring>

#include "micro/stream/stream.h"
#include "micro/stream/tables.h"

namespace groupcomm::board {

constexpr int kPassthroughHop = 128, kPassthroughInputs = 96;

// The path has a running level of 1 s, 12 bands, and the upper half of the bins in pairs.
inline const SignalPath& PassthroughPath() {
  static float analysis[2 * kPassthroughHop];  // (window)
  static int32_t thresholds[GC_FEATURE_THRESHOLDS];
  static SignalPath path;
  path.sample_rate = 16000;
  path.window = 2 * kPassthroughHop;
  path.hop = kPassthroughHop;
  path.exponent = 0.3f;
  path.level_decay = 0.99203f;
  path.bands = 12;
  path.pool = 2;
  path.sources = 1;
  path.features = {0.01f, -128};
  path.masks = {1.0f / 255, -128};
  StreamTables(&path, analysis, thresholds);
  return path;
}

class PassthroughEngine final : public Engine {
 public:
  int features() const override { return kPassthroughInputs; }
  int masks() const override { return kPassthroughInputs; }
  Status Run(const int8_t* features /* (kPassthroughInputs) */,
             int8_t* masks /* (kPassthroughInputs) */) override {
    std::memcpy(masks, features, kPassthroughInputs);
    return GROUPCOMM_OK;
  }
  Status Reset() override { return GROUPCOMM_OK; }
};

}  // namespace groupcomm::board
