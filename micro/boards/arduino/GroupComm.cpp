#include "GroupComm.h"

#include <stdlib.h>
#include <string.h>

#include "micro/stream/static_stream.h"

using namespace groupcomm;  // NOLINT

GroupCommClass GroupComm;

namespace {

constexpr uintptr_t kAlignment = 16;

alignas(16) uint8_t network_memory[GROUPCOMM_NETWORK_MEMORY_BYTES];

}  // namespace

bool GroupCommClass::begin() {
  if (stream_ != nullptr) return reset();
  const gc_model& n = GROUPCOMM_NETWORK;
  if (!is(engine_.Init(n, network_memory, sizeof(network_memory)))) return false;
  const StreamConfig config = StreamConfigOf(n);
  const size_t bytes = StreamBytes(config);
  const uintptr_t memory = reinterpret_cast<uintptr_t>(malloc(bytes + kAlignment - 1));  // kept for good
  if (memory == 0) return is(Status::kBadMemory);
  return is(StreamCreate(config, &engine_, reinterpret_cast<void*>((memory + kAlignment - 1) / kAlignment * kAlignment), bytes, &stream_));
}

bool GroupCommClass::process(const int16_t* in /* (kHop) */, int16_t* out /* (kSources, kHop) */) {
  if (stream_ == nullptr) {
    memset(out, 0, sizeof(int16_t) * kSources * kHop);
    return is(Status::kBadConfig);
  }
  return is(StreamProcess(stream_, in, out));
}

bool GroupCommClass::reset() { return stream_ == nullptr ? begin() : is(StreamReset(stream_)); }
