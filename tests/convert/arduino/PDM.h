// The part of Arduino's PDM library that the examples use.
#pragma once

struct PdmStandIn {
  int begin(int channels, int sample_rate);
  int available();
  int read(void* buffer, int bytes);
  void onReceive(void (*function)());
  void setGain(int gain);
};
extern PdmStandIn PDM;
