// Speech enhancement or separation in a sketch: a hop of 16 kHz PCM in, a hop of every source out.
//
//   if (!GroupComm.begin()) Serial.println(GroupComm.error());
//   GroupComm.process(in, out);
#pragma once

#include <stdint.h>

#include "micro/engine/static_engine.h"
#include "micro/stream/stream.h"
#include "network.h"

class GroupCommClass {
 public:
  static constexpr int kSampleRate = GROUPCOMM_SAMPLE_RATE;  // Hz
  static constexpr int kHop = GROUPCOMM_HOP;                 // samples
  static constexpr int kLatency = GROUPCOMM_WINDOW - GROUPCOMM_HOP;  // samples by which the output is behind the input
  static constexpr int kSources = GROUPCOMM_SOURCES;

  // Takes what memory the stream needs, once; false, and why in error(), when there is none left.
  bool begin();

  // One hop, in less than kHop / kSampleRate or sound is lost. When it fails, out is silence.
  bool process(const int16_t* in /* (kHop) */, int16_t* out /* (kSources, kHop) */);

  // Back to silence.
  bool reset();

  // For micro/parity/server.h; null before begin().
  groupcomm::Engine* engine() { return stream_ ? &engine_ : nullptr; }
  groupcomm::Stream* stream() { return stream_; }

  const char* error() const { return groupcomm::StatusText(status_); }

 private:
  bool is(groupcomm::Status status) { return (status_ = status) == groupcomm::Status::kOk; }

  groupcomm::StaticEngine engine_;
  groupcomm::Stream* stream_ = nullptr;
  groupcomm::Status status_ = groupcomm::Status::kOk;
};

extern GroupCommClass GroupComm;
