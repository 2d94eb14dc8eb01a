// The network of a package and its stream, in memory of their own. Which network that is says groupcomm_network.h, written by `groupcomm package`.
#pragma once

#include "micro/engine/engine.h"
#include "micro/stream/stream.h"

namespace groupcomm {

// Places both; later calls go back to silence.
Status SeparatorBegin();

// After a failure of SeparatorBegin: why, in one line.
const char* SeparatorError();

// Null before SeparatorBegin.
Engine* SeparatorEngine();
Stream* SeparatorStream();

}  // namespace groupcomm
