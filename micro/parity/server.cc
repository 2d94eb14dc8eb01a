#include "micro/parity/server.h"

#include <initializer_list>

namespace groupcomm {

groupcomm_status ParityServer::Init(groupcomm_state* state, ParityPort* port, uint32_t clock_hz,
                                    void* memory, size_t bytes) {
  const gc_model& model = *groupcomm_model(state);
  if (bytes < Bytes(model.inputs, model.outputs, model.signal.hop, model.signal.sources))
    return GROUPCOMM_MEMORY_TOO_SMALL;
  if (reinterpret_cast<uintptr_t>(memory) % 4 != 0) return GROUPCOMM_MEMORY_NOT_ALIGNED;
  state_ = state;
  port_ = port;
  clock_hz_ = clock_hz;
  in_ = static_cast<uint8_t*>(memory);
  in_bytes_ = In(model.inputs, model.signal.hop);
  out_ = in_ + in_bytes_;
  filled_ = out_bytes_ = 0;
  too_long_ = false;
  session_ = 0;
  return GROUPCOMM_OK;
}

void ParityServer::Receive(uint8_t byte) {
  if (byte != 0) {
    if (filled_ == in_bytes_) {
      too_long_ = true;
    } else {
      in_[filled_++] = byte;
    }
    return;
  }
  const size_t bytes = too_long_ ? SIZE_MAX : DecodeFrame(in_, filled_);
  filled_ = 0;
  too_long_ = false;
  if (bytes != SIZE_MAX) Handle(bytes);
}

void ParityServer::Handle(size_t bytes /* of the payload */) {
  const uint8_t kind = in_[0];
  const uint16_t number = GetValue<uint16_t>(in_ + 2);
  const bool known = session_ != 0;
  if (kind != kHello && known && number == number_) return Send();
  size_t answer;
  uint8_t answer_kind = kind | kAnswer;
  if (in_[1] != kFrameVersion) {
    answer = Refuse(kUnknown);
  } else if (kind == kHello) {
    answer = Answer(kind, in_ + kFrameHead, bytes);
  } else if (!known) {
    answer = Refuse(kNoSession);
  } else if (number != static_cast<uint16_t>(number_ + 1)) {
    answer = Refuse(kNumber);
  } else {
    answer = Answer(kind, in_ + kFrameHead, bytes);
  }
  if (answer == SIZE_MAX) {
    answer = 1;
    answer_kind = kError | kAnswer;
  } else {
    // a request that is refused does not use up its number: it may be sent again, corrected
    number_ = number;
  }
  out_bytes_ = FinishFrame(answer_kind, number, out_, answer);
  Send();
}

size_t ParityServer::Refuse(Reason reason) {
  out_[kFrameHead] = reason;
  return SIZE_MAX;
}

size_t ParityServer::Answer(uint8_t kind, const uint8_t* payload, size_t bytes) {
  uint8_t* const out = out_ + kFrameHead;  // aligned to 4 bytes, like payload
  uint8_t* at = out;
  const gc_model& n = *groupcomm_model(state_);
  const gc_signal_path& s = n.signal;
  const size_t hop_bytes = sizeof(int16_t) * s.hop;
  switch (kind) {
    case kHello:
      if (bytes != sizeof(uint32_t) || GetValue<uint32_t>(payload) == 0) return Refuse(kLength);
      session_ = GetValue<uint32_t>(payload);
      at = PutValue(PutValue(at, n.model_crc32), clock_hz_);
      for (int32_t size : {n.inputs, n.outputs, s.window, s.hop, s.sources, int32_t{0}})
        at = PutValue(at, static_cast<uint16_t>(size));
      return at - out;
    case kReset:
      if (bytes != 0) return Refuse(kLength);
      return groupcomm_reset(state_) == GROUPCOMM_OK ? 0 : Refuse(kFailed);
    case kRun: {
      if (bytes != static_cast<size_t>(n.inputs)) return Refuse(kLength);
      const uint32_t start = port_->Cycles();
      if (groupcomm_run_network(state_, reinterpret_cast<const int8_t*>(payload),
                                reinterpret_cast<int8_t*>(out + 4)) != GROUPCOMM_OK)
        return Refuse(kFailed);
      PutValue(out, port_->Cycles() - start);
      return 4 + n.outputs;
    }
    case kSound: {
      if (bytes != hop_bytes) return Refuse(kLength);
      const uint32_t start = port_->Cycles();
      if (groupcomm_process(state_, reinterpret_cast<const int16_t*>(payload),
                            reinterpret_cast<int16_t*>(out + 4)) != GROUPCOMM_OK) {
        return Refuse(kFailed);
      }
      PutValue(out, port_->Cycles() - start);
      return 4 + s.sources * hop_bytes;
    }
    default:
      return Refuse(kUnknown);
  }
}

void ParityServer::Send() { SendFrame(port_, out_, out_bytes_); }

}  // namespace groupcomm
