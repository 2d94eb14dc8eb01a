// A stream around an engine without a network, whose masks are all one: what went in comes out, window - hop samples later.
#pragma once

#include <cstring>

#include "micro/stream/stream.h"

namespace groupcomm::board {

constexpr StreamConfig kPassThrough{
    256, 128, 1, 0.3f, {0.02f, -128}, {1.0f / 128, -1},  // a mask of 127 is exactly 1
};

class PassThrough final : public Engine {
 public:
  int features() const override { return StreamBins(kPassThrough); }
  int masks() const override { return StreamBins(kPassThrough); }
  Status Run(const int8_t*, int8_t* masks /* (bins) */) override {
    std::memset(masks, 127, StreamBins(kPassThrough));
    return Status::kOk;
  }
  Status Reset() override { return Status::kOk; }
};

}  // namespace groupcomm::board
