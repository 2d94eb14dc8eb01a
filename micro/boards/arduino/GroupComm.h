// Speech enhancement or separation in a sketch: a hop of 16 kHz PCM in, a hop of every source out.
//
//   if (!GroupComm.begin()) Serial.println(GroupComm.error());
//   GroupComm.process(in, out);
#pragma once

#include <stdint.h>

#include "micro/boards/package/separator.h"
#include "groupcomm_network.h"
#ifdef GROUPCOMM_ENGINE_TFLM
#include <TensorFlowLite.h>  // so that the IDE takes the library Arduino_TensorFlowLite
#endif

class GroupCommClass {
 public:
  static constexpr int kSampleRate = GROUPCOMM_SAMPLE_RATE;          // Hz
  static constexpr int kHop = GROUPCOMM_HOP;                         // samples
  static constexpr int kLatency = GROUPCOMM_WINDOW - GROUPCOMM_HOP;  // samples by which the output is behind the input
  static constexpr int kSources = GROUPCOMM_SOURCES;

  // Before all others; false, and why in error(), when network and stream do not fit together. Later calls go back to silence.
  bool begin();

  // One hop, in less than kHop / kSampleRate or sound is lost. When it fails, out is silence.
  bool process(const int16_t* in /* (kHop) */, int16_t* out /* (kSources, kHop) */);

  // For micro/parity/server.h; null before begin().
  groupcomm::Engine* engine() { return groupcomm::SeparatorEngine(); }
  groupcomm::Stream* stream() { return groupcomm::SeparatorStream(); }

  const char* error() const { return groupcomm::SeparatorError(); }
};

extern GroupCommClass GroupComm;
