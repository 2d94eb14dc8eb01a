#include "GroupComm.h"

#include <string.h>

using groupcomm::Status;

GroupCommClass GroupComm;

bool GroupCommClass::begin() { return groupcomm::SeparatorBegin() == Status::kOk; }

bool GroupCommClass::process(const int16_t* in /* (kHop) */, int16_t* out /* (kSources, kHop) */) {
  if (stream() == nullptr) {
    memset(out, 0, sizeof(int16_t) * kSources * kHop);
    return false;
  }
  return groupcomm::StreamProcess(stream(), in, out) == Status::kOk;
}
