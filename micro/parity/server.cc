#include "micro/parity/server.h"

#include <cstring>
#include <initializer_list>

namespace groupcomm {
namespace {

uint32_t Crc32(const uint8_t* bytes /* (count) */, size_t count) {
  uint32_t crc = 0xFFFFFFFFu;
  for (size_t i = 0; i < count; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

// Decodes a COBS frame in place, because the output is never longer than the input so far. Returns
// the number of decoded bytes, or 0 when the frame is invalid.
size_t CobsDecode(uint8_t* bytes /* (count) */, size_t count) {
  size_t to = 0;
  for (size_t at = 0; at < count;) {
    const size_t run = bytes[at++];
    if (run == 0 || at + run - 1 > count) return 0;
    std::memmove(bytes + to, bytes + at, run - 1);
    to += run - 1;
    at += run - 1;
    if (run < 255 && at < count) bytes[to++] = 0;
  }
  return to;
}

template <typename T>
T Get(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

template <typename T>
uint8_t* Put(uint8_t* bytes, T value) {
  std::memcpy(bytes, &value, sizeof(value));
  return bytes + sizeof(value);
}

}  // namespace

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
  const size_t bytes = too_long_ ? 0 : CobsDecode(in_, filled_);
  filled_ = 0;
  too_long_ = false;
  if (bytes >= kHead + kCrc && Get<uint32_t>(in_ + bytes - kCrc) == Crc32(in_, bytes - kCrc))
    Handle(bytes - kHead - kCrc);
}

void ParityServer::Handle(size_t bytes /* of the payload */) {
  const uint8_t kind = in_[0];
  const uint16_t number = Get<uint16_t>(in_ + 2);
  const bool known = session_ != 0;
  if (kind != kHello && known && number == number_) return Send();
  size_t answer;
  uint8_t answer_kind = kind | kAnswer;
  if (in_[1] != kVersion) {
    answer = Refuse(kUnknown);
  } else if (kind == kHello) {
    answer = Answer(kind, in_ + kHead, bytes);
  } else if (!known) {
    answer = Refuse(kNoSession);
  } else if (number != static_cast<uint16_t>(number_ + 1)) {
    answer = Refuse(kNumber);
  } else {
    answer = Answer(kind, in_ + kHead, bytes);
  }
  if (answer == SIZE_MAX) {
    answer = 1;
    answer_kind = kError | kAnswer;
  } else {
    // a request that is refused does not use up its number: it may be sent again, corrected
    number_ = number;
  }
  out_[0] = answer_kind;
  out_[1] = kVersion;
  Put(out_ + 2, number);
  Put(out_ + kHead + answer, Crc32(out_, kHead + answer));
  out_bytes_ = kHead + answer + kCrc;
  Send();
}

size_t ParityServer::Refuse(Reason reason) {
  out_[kHead] = reason;
  return SIZE_MAX;
}

size_t ParityServer::Answer(uint8_t kind, const uint8_t* payload, size_t bytes) {
  uint8_t* const out = out_ + kHead;  // aligned to 4 bytes, like payload
  uint8_t* at = out;
  const gc_model& n = *groupcomm_model(state_);
  const gc_signal_path& s = n.signal;
  const size_t hop_bytes = sizeof(int16_t) * s.hop;
  switch (kind) {
    case kHello:
      if (bytes != sizeof(uint32_t) || Get<uint32_t>(payload) == 0) return Refuse(kLength);
      session_ = Get<uint32_t>(payload);
      at = Put(Put(at, n.model_crc32), clock_hz_);
      for (int32_t size : {n.inputs, n.outputs, s.window, s.hop, s.sources, int32_t{0}})
        at = Put(at, static_cast<uint16_t>(size));
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
      Put(out, port_->Cycles() - start);
      return 4 + n.outputs;
    }
    case kSound: {
      if (bytes != hop_bytes) return Refuse(kLength);
      const uint32_t start = port_->Cycles();
      if (groupcomm_process(state_, reinterpret_cast<const int16_t*>(payload),
                            reinterpret_cast<int16_t*>(out + 4)) != GROUPCOMM_OK) {
        return Refuse(kFailed);
      }
      Put(out, port_->Cycles() - start);
      return 4 + s.sources * hop_bytes;
    }
    default:
      return Refuse(kUnknown);
  }
}

void ParityServer::Send() {
  // The end of the frame acts as a 0 that closes the last run.
  for (size_t at = 0; at <= out_bytes_;) {
    size_t run = 0;
    while (run < 254 && at + run < out_bytes_ && out_[at + run] != 0) ++run;
    const uint8_t code = static_cast<uint8_t>(run + 1);
    port_->Write(&code, 1);
    port_->Write(out_ + at, run);
    at += run + (run < 254 ? 1 : 0);
    if (run == 254 && at == out_bytes_) break;
  }
  const uint8_t end = 0;
  port_->Write(&end, 1);
}

}  // namespace groupcomm
