// The tables of a stream, from their definitions. Generated networks bring them along: this needs cos and pow in double, 8 KB on a board.
#pragma once

#include <cstdint>

#include "micro/stream/stream.h"

namespace groupcomm {

// analysis: periodic square-root Hann. steps: the power at which a feature takes its next value, as the bits of a float, ascending.
void StreamTables(const StreamConfig& config, float* analysis /* (window) */, int32_t* steps /* (kFeatureSteps) */);

}  // namespace groupcomm
