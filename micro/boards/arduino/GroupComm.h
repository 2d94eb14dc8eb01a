// Speech enhancement or separation in a sketch: one hop of 16 kHz PCM in, one
// hop of every source out.
//
//   if (!GroupComm.begin()) Serial.println(GroupComm.error());
//   GroupComm.process(in, out);
#pragma once

#include <stdint.h>

#include "micro/boards/package/package.h"

class GroupCommClass {
 public:
  static constexpr int kSampleRate = GROUPCOMM_SAMPLE_RATE;  // Hz
  static constexpr int kHop = GROUPCOMM_HOP;                 // samples
  // delay of the output in samples
  static constexpr int kLatency = GROUPCOMM_WINDOW - GROUPCOMM_HOP;
  static constexpr int kSources = GROUPCOMM_SOURCES;

  // Call it before all other functions. It returns false when the configuration is invalid; error()
  // gives the reason. A later call resets the stream to silence.
  bool begin();

  // Processes one hop. It must take less than kHop / kSampleRate seconds, or input is lost. It
  // returns false on failure; out is then silence.
  bool process(const int16_t* in /* (kHop) */, int16_t* out /* (kSources, kHop) */);

  // Limits by how many dB a sound is attenuated: 0 is no effect, INFINITY (the default) no limit. It
  // returns false for a negative number and before begin().
  bool setAttenuationLimit(float decibels);

  // With a bypass, every source is the delayed input, and the network keeps running.
  void setBypass(bool on);

  // The reason why begin() failed, in one line.
  const char* error() const { return groupcomm_error(); }

  // For the other functions of micro/include/groupcomm.h; null before begin().
  groupcomm_state* state() { return state_; }

 private:
  groupcomm_state* state_ = nullptr;
};

extern GroupCommClass GroupComm;
