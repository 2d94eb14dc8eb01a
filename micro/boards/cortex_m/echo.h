// A stream around an engine without a network: the masks are the features, so what comes out depends on every step of the stream.
#pragma once

#include <cstring>

#include "micro/stream/stream.h"

namespace groupcomm::board {

constexpr StreamConfig kEchoConfig{256, 128, 1, 0.3f, {0.02f, -128}, {1.0f / 255, -128}};

class Echo final : public Engine {
 public:
  int features() const override { return StreamBins(kEchoConfig); }
  int masks() const override { return StreamBins(kEchoConfig); }
  Status Run(const int8_t* features, int8_t* masks /* (bins) */) override {
    std::memcpy(masks, features, StreamBins(kEchoConfig));
    return Status::kOk;
  }
  Status Reset() override { return Status::kOk; }
};

}  // namespace groupcomm::board
