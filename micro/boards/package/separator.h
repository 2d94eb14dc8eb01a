// The network of a package and its stream, in static memory. groupcomm_network.h, which `groupcomm
// package` writes, selects the network.
#pragma once

#include "micro/engine/engine.h"
#include "micro/stream/stream.h"

namespace groupcomm {

// Initializes both. A later call resets them to silence.
Status SeparatorBegin();

// After a failure of SeparatorBegin: the reason in one line.
const char* SeparatorError();

// Both return null before SeparatorBegin.
Engine* SeparatorEngine();
Stream* SeparatorStream();

}  // namespace groupcomm
