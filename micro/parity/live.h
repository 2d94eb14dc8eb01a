// Sends every hop, before and after the network, to `groupcomm listen`.
//
// A frame (frame.h) of kind 'L' for each hop, so the host can begin at any time. Payload:
//   uint32 hop (counts from 0 and includes lost ones), uint32 lost (hops so far), uint32 model_crc32,
//   uint32 sample_rate, uint16 hop in samples, uint16 sources,
//   int16 before (hop), int16 after (sources, hop)
#pragma once

#include "micro/contract/static_model.h"
#include "micro/include/groupcomm.h"
#include "micro/parity/frame.h"

namespace groupcomm {

class LiveWriter {
 public:
  static constexpr uint8_t kKind = 'L';
  static constexpr size_t kSizes = 20;

  // Bytes of memory for one frame.
  static constexpr size_t Bytes(int hop, int sources) {
    return kFrameHead + kSizes + sizeof(int16_t) * hop * (1 + sources) + kFrameCrc;
  }

  // All arguments outlive the writer.
  groupcomm_status Init(const groupcomm_state* state, ParityPort* port, void* memory /* (bytes) */,
                        size_t bytes);

  // Sends one hop: in (hop), out (sources, hop). lost: hops that were not processed since the last
  // call.
  void Send(const int16_t* in, const int16_t* out, uint32_t lost);

 private:
  const gc_model* model_ = nullptr;
  ParityPort* port_ = nullptr;
  uint8_t* frame_ = nullptr;  // (Bytes)
  uint32_t hop_ = 0, lost_ = 0;
};

}  // namespace groupcomm
