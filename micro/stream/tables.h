// Computes the tables of a stream from their definitions. Generated networks contain them; this
// function needs cos and pow in double precision, which take 8 KB on a board.
#pragma once

#include <cstdint>

#include "micro/stream/stream.h"

namespace groupcomm {

// analysis: periodic square-root Hann window. steps: the powers at which a feature takes its next
// value, as the bits of a float, ascending.
void StreamTables(const StreamConfig& config, float* analysis /* (window) */,
                  int32_t* steps /* (kFeatureSteps) */);

}  // namespace groupcomm
