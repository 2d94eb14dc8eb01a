// The board's side of `groupcomm parity BUNDLE --port`: answers one framed request at a time, features or PCM of one hop in, what the
// network or the whole separator makes of it out, and the cycles that it took. No heap, no clock, no operating system.
//
// A frame is COBS (Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999) and ends with a byte 0, so after lost bytes the next 0
// is the start of a whole frame again. In it, little-endian:
//   uint8 kind, uint8 version, uint16 number, payload, uint32 CRC-32 (IEEE 802.3, zlib's) of all before.
// A frame that is damaged is dropped without an answer; the host asks again under the same number, and gets the same answer again without
// a second run: the network's state goes on exactly once per number. A board that was reset has no session and says so.
//
//   kind    payload of the request       payload of the answer, whose kind has bit 7 set
//   kHello  uint32 session, not 0        uint32 model_crc32, uint32 clock in Hz, uint16 inputs, outputs, window, hop, sources, 0
//   kReset  -                            -                                                     state and overlap back to silence
//   kRun    int8 features (inputs)       uint32 cycles, int8 masks (outputs)                   the network alone
//   kSound  int16 pcm (hop)              uint32 cycles, int16 pcm (sources, hop)               the whole separator
//   any                                  kError: uint8 reason
#pragma once

#include <cstddef>
#include <cstdint>

#include "micro/engine/engine.h"
#include "micro/engine/static_model.h"
#include "micro/stream/stream.h"

namespace groupcomm {

// What a board gives: bytes to the host, and a counter.
class ParityPort {
 public:
  virtual void Write(const uint8_t* bytes, size_t count) = 0;
  virtual uint32_t Cycles() = 0;  // runs on and wraps; always 0 where a board has none

 protected:
  ~ParityPort() = default;
};

class ParityServer {
 public:
  enum Kind : uint8_t { kHello = 'H', kReset = 'Z', kRun = 'N', kSound = 'P', kError = 'E' };
  enum Reason : uint8_t { kNoSession = 1, kNumber, kLength, kUnknown, kFailed };
  static constexpr uint8_t kVersion = 1, kAnswer = 0x80;
  static constexpr size_t kHead = 4, kCrc = 4;

  // For one frame in, still stuffed, and one out; both multiples of 4.
  static constexpr size_t Bytes(int inputs, int outputs, int hop, int sources) { return In(inputs, hop) + Out(outputs, hop, sources); }

  ParityServer() = default;
  ParityServer(const ParityServer&) = delete;
  ParityServer& operator=(const ParityServer&) = delete;

  // All outlive the server; `memory` is at a multiple of 4. clock_hz is that of port->Cycles(), 0 where it counts none.
  Status Init(const gc_model& model, Engine* engine, Stream* stream, ParityPort* port, uint32_t clock_hz, void* memory, size_t bytes);

  // The next byte from the host. Answers, and so runs a hop, when it ends a whole frame.
  void Receive(uint8_t byte);

 private:
  static constexpr size_t Larger(size_t a, size_t b) { return a > b ? a : b; }
  static constexpr size_t Frame(size_t payload) { return kHead + Larger(payload, 20) + kCrc; }
  static constexpr size_t Up(size_t n) { return (n + 3) / 4 * 4; }
  static constexpr size_t Stuffed(size_t frame) { return frame + frame / 254 + 1; }
  static constexpr size_t In(int inputs, int hop) { return Up(Stuffed(Frame(Larger(inputs, sizeof(int16_t) * hop)))); }
  static constexpr size_t Out(int outputs, int hop, int sources) { return Up(Frame(4 + Larger(outputs, sizeof(int16_t) * sources * hop))); }

  void Handle(size_t bytes);
  size_t Answer(uint8_t kind, const uint8_t* payload, size_t bytes);  // bytes of the answer's payload
  size_t Refuse(Reason reason);
  void Send();

  const gc_model* model_ = nullptr;
  Engine* engine_ = nullptr;
  Stream* stream_ = nullptr;
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
