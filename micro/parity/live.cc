#include "micro/parity/live.h"

#include <cstring>

namespace groupcomm {

groupcomm_status LiveWriter::Init(const groupcomm_state* state, ParityPort* port, void* memory,
                                  size_t bytes) {
  model_ = groupcomm_model(state);
  if (bytes < Bytes(model_->signal.hop, model_->signal.sources)) return GROUPCOMM_MEMORY_TOO_SMALL;
  port_ = port;
  frame_ = static_cast<uint8_t*>(memory);
  hop_ = lost_ = 0;
  return GROUPCOMM_OK;
}

void LiveWriter::Send(const int16_t* in, const int16_t* out, uint32_t lost) {
  const gc_signal_path& s = model_->signal;
  const size_t hop_bytes = sizeof(int16_t) * s.hop;
  hop_ += lost;
  lost_ += lost;
  uint8_t* at = frame_ + kFrameHead;
  at = PutValue(at, hop_++);
  at = PutValue(at, lost_);
  at = PutValue(at, model_->model_crc32);
  at = PutValue(at, static_cast<uint32_t>(s.sample_rate));
  at = PutValue(at, static_cast<uint16_t>(s.hop));
  at = PutValue(at, static_cast<uint16_t>(s.sources));
  std::memcpy(at, in, hop_bytes);
  std::memcpy(at + hop_bytes, out, hop_bytes * s.sources);
  const size_t payload = kSizes + hop_bytes * (1 + s.sources);
  SendFrame(port_, frame_, FinishFrame(kKind, static_cast<uint16_t>(hop_), frame_, payload));
}

}  // namespace groupcomm
