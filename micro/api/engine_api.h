// The C API around an engine of the caller, for example TFLM's interpreter.
#pragma once

#include "micro/contract/static_model.h"
#include "micro/engine/engine.h"
#include "micro/include/groupcomm.h"

namespace groupcomm {

// Bytes of memory that CreateOnEngine needs; 0 for an invalid signal path.
size_t BytesOnEngine(const gc_model& model);

// As groupcomm_create, with an engine in place of the network as C: `model` needs no functions.
// The engine outlives the state.
Status CreateOnEngine(const gc_model& model, Engine* engine, void* memory /* (bytes) */,
                      size_t bytes, groupcomm_state** state);

}  // namespace groupcomm
