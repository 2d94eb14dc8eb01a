// The board side of `groupcomm parity BUNDLE --port`. It answers one framed request at a time. A
// request contains the features or the PCM of one hop. The answer contains the output of the
// network or of the whole separator, and the cycles that it took. No heap, no clock, no operating
// system.
//
// The frames are those of frame.h. A damaged frame is dropped without an answer. The host repeats
// the request with the same number, and gets the same answer without a second run: the state of the
// network advances exactly once per number. A board that was reset has no session, and answers so.
//
//   kind    payload of the request  payload of the answer, whose kind has bit 7 set
//   kHello  uint32 session, not 0   uint32 model_crc32, uint32 clock in Hz,
//                                   uint16 inputs, outputs, window, hop, sources, 0
//   kReset  -                       - (resets the state and the overlap to silence)
//   kRun    int8 features (inputs)  uint32 cycles, int8 masks (outputs): the network alone
//   kSound  int16 pcm (hop)         uint32 cycles, int16 pcm (sources, hop): the whole separator
//   any                             kError: uint8 reason
#pragma once

#include <cstddef>
#include <cstdint>

#include "micro/contract/static_model.h"
#include "micro/include/groupcomm.h"
#include "micro/parity/frame.h"

namespace groupcomm {

class ParityServer {
 public:
  enum Kind : uint8_t { kHello = 'H', kReset = 'Z', kRun = 'N', kSound = 'P', kError = 'E' };
  enum Reason : uint8_t { kNoSession = 1, kNumber, kLength, kUnknown, kFailed };
  static constexpr uint8_t kAnswer = 0x80;

  // Bytes of memory for one encoded frame in, and one decoded frame out; both sizes are multiples
  // of 4.
  static constexpr size_t Bytes(int inputs, int outputs, int hop, int sources) {
    return In(inputs, hop) + Out(outputs, hop, sources);
  }

  ParityServer() = default;
  ParityServer(const ParityServer&) = delete;
  ParityServer& operator=(const ParityServer&) = delete;

  // All arguments outlive the server. `memory` is aligned to 4 bytes. clock_hz is the frequency of
  // port->Cycles(), 0 without a counter.
  groupcomm_status Init(groupcomm_state* state, ParityPort* port, uint32_t clock_hz,
                        void* memory /* (bytes) */, size_t bytes);

  // Takes the next byte from the host. When the byte completes a frame, it runs the request and
  // answers.
  void Receive(uint8_t byte);

 private:
  static constexpr size_t Larger(size_t a, size_t b) { return a > b ? a : b; }
  static constexpr size_t Frame(size_t payload) {
    return kFrameHead + Larger(payload, 20) + kFrameCrc;
  }
  static constexpr size_t Align4(size_t n) { return (n + 3) / 4 * 4; }
  static constexpr size_t Encoded(size_t frame) { return frame + frame / 254 + 1; }
  static constexpr size_t In(int inputs, int hop) {
    return Align4(Encoded(Frame(Larger(inputs, sizeof(int16_t) * hop))));
  }
  static constexpr size_t Out(int outputs, int hop, int sources) {
    return Align4(Frame(4 + Larger(outputs, sizeof(int16_t) * sources * hop)));
  }

  void Handle(size_t bytes);
  // Returns the number of bytes of the answer's payload, or SIZE_MAX for an error.
  size_t Answer(uint8_t kind, const uint8_t* payload /* (bytes) */, size_t bytes);
  size_t Refuse(Reason reason);
  void Send();

  groupcomm_state* state_ = nullptr;
  ParityPort* port_ = nullptr;
  uint32_t clock_hz_ = 0;
  uint8_t* in_ = nullptr;   // (in_bytes_)
  uint8_t* out_ = nullptr;  // (out_bytes_)
  size_t in_bytes_ = 0;
  size_t filled_ = 0;
  bool too_long_ = false;
  size_t out_bytes_ = 0;  // of the last answer
  uint32_t session_ = 0;
  uint16_t number_ = 0;  // of the last answer
};

}  // namespace groupcomm
