#include "micro/boards/arduino/GroupComm.h"

#include <string.h>

GroupCommClass GroupComm;

bool GroupCommClass::begin() {
  state_ = groupcomm_begin();
  return state_ != nullptr;
}

bool GroupCommClass::setAttenuationLimit(float decibels) {
  return state_ != nullptr && groupcomm_set_attenuation_limit(state_, decibels) == GROUPCOMM_OK;
}

void GroupCommClass::setBypass(bool on) {
  if (state_ != nullptr) groupcomm_set_bypass(state_, on);
}

bool GroupCommClass::process(const int16_t* in /* (kHop) */, int16_t* out /* (kSources, kHop) */) {
  if (state_ == nullptr) {
    memset(out, 0, sizeof(int16_t) * kSources * kHop);
    return false;
  }
  return groupcomm_process(state_, in, out) == GROUPCOMM_OK;
}
