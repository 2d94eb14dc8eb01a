// Frames on a serial line, for `groupcomm parity --port` and `groupcomm listen`.
//
// A frame is COBS (Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999) and ends with a
// byte 0. After a loss of bytes, the next frame begins after the next 0. Content, little-endian:
//   uint8 kind, uint8 version, uint16 number, payload,
//   uint32 CRC-32 (IEEE 802.3, as in zlib) of all bytes before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace groupcomm {

// What a board provides: a way to send bytes to the host, and a cycle counter.
class ParityPort {
 public:
  virtual void Write(const uint8_t* bytes /* (count) */, size_t count) = 0;
  virtual uint32_t Cycles() = 0;  // runs freely and wraps; always 0 on a board without a counter

 protected:
  ~ParityPort() = default;
};

constexpr uint8_t kFrameVersion = 1;
constexpr size_t kFrameHead = 4, kFrameCrc = 4;

template <typename T>
T GetValue(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// Writes a value and returns the address behind it.
template <typename T>
uint8_t* PutValue(uint8_t* bytes, T value) {
  std::memcpy(bytes, &value, sizeof(value));
  return bytes + sizeof(value);
}

// Completes the frame whose payload (bytes) is at frame + kFrameHead, and sends it. The frame has
// kFrameCrc bytes behind the payload. Returns its bytes before COBS, for `SendFrame`.
size_t FinishFrame(uint8_t kind, uint16_t number, uint8_t* frame, size_t bytes);
void SendFrame(ParityPort* port, const uint8_t* frame /* (bytes) */, size_t bytes);

// Decodes a frame in place, without its byte 0. Returns the bytes of its payload, at
// frame + kFrameHead, or SIZE_MAX for a damaged frame.
size_t DecodeFrame(uint8_t* frame /* (bytes) */, size_t bytes);

}  // namespace groupcomm
