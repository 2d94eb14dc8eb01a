// The stream configuration of a network that is plain C.
#pragma once

#include "micro/engine/static_model.h"
#include "micro/stream/stream.h"

namespace groupcomm {

inline StreamConfig StreamConfigOf(const gc_model& n) {
  return {n.window,
          n.hop,
          n.sources,
          n.exponent,
          {n.features.scale, static_cast<int>(n.features.zero_point)},
          {n.masks.scale, static_cast<int>(n.masks.zero_point)},
          n.kept,
          n.bands,
          n.pool,
          n.neighbours,
          n.dc_kept,
          n.analysis,
          n.steps};
}

}  // namespace groupcomm
