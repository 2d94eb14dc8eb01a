#include "micro/parity/frame.h"

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

}  // namespace

size_t FinishFrame(uint8_t kind, uint16_t number, uint8_t* frame, size_t bytes) {
  frame[0] = kind;
  frame[1] = kFrameVersion;
  PutValue(frame + 2, number);
  PutValue(frame + kFrameHead + bytes, Crc32(frame, kFrameHead + bytes));
  return kFrameHead + bytes + kFrameCrc;
}

void SendFrame(ParityPort* port, const uint8_t* frame, size_t bytes) {
  // The end of the frame acts as a 0 that closes the last run.
  for (size_t at = 0; at <= bytes;) {
    size_t run = 0;
    while (run < 254 && at + run < bytes && frame[at + run] != 0) ++run;
    const uint8_t code = static_cast<uint8_t>(run + 1);
    port->Write(&code, 1);
    port->Write(frame + at, run);
    at += run + (run < 254 ? 1 : 0);
    if (run == 254 && at == bytes) break;
  }
  const uint8_t end = 0;
  port->Write(&end, 1);
}

size_t DecodeFrame(uint8_t* frame, size_t bytes) {
  const size_t decoded = CobsDecode(frame, bytes);
  if (decoded < kFrameHead + kFrameCrc ||
      GetValue<uint32_t>(frame + decoded - kFrameCrc) != Crc32(frame, decoded - kFrameCrc))
    return SIZE_MAX;
  return decoded - kFrameHead - kFrameCrc;
}

}  // namespace groupcomm
