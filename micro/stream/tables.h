// Computes the tables of a stream from their definitions. Generated networks contain them; this
// function needs cos and pow in double precision, which take 8 KB on a board.
#pragma once

#include <cstdint>

#include "micro/stream/stream.h"

namespace groupcomm {

// Computes the periodic square-root Hann window, and the powers at which a feature takes its next
// value, as the bits of a float, ascending. Sets the pointers of the path to both.
void StreamTables(SignalPath* path, float* analysis /* (window) */,
                  int32_t* feature_thresholds /* (GC_FEATURE_THRESHOLDS) */);

}  // namespace groupcomm
