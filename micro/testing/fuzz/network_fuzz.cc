// Fuzzes a generated network through the C API: the input is a list of calls with their sound or
// features. Two states that get the same calls give the same bytes, although the second one lies in
// memory that held something else.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "enhance_nano.h"
#include "micro/contract/static_model.h"

namespace {

constexpr int kHop = 128, kInputs = 160, kOutputs = 80;

groupcomm_state* Create(unsigned char* memory, int fill) {
  std::memset(memory, fill, GROUPCOMM_ENHANCE_NANO_BYTES);
  groupcomm_state* state;
  if (groupcomm_create(&groupcomm_enhance_nano, memory, GROUPCOMM_ENHANCE_NANO_BYTES, &state) !=
      GROUPCOMM_OK)
    std::abort();
  return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  GROUPCOMM_ALIGNED static unsigned char memory[2][GROUPCOMM_ENHANCE_NANO_BYTES];
  groupcomm_state* const states[] = {Create(memory[0], 0), Create(memory[1], 0xA5)};
  if (groupcomm_enhance_nano.inputs != kInputs || groupcomm_enhance_nano.outputs != kOutputs ||
      groupcomm_enhance_nano.signal.hop != kHop)
    std::abort();
  const auto take = [&](void* to, size_t bytes) {  // zeros behind the end
    const size_t there = bytes < size ? bytes : size;
    std::memset(to, 0, bytes);
    std::memcpy(to, data, there);
    data += there, size -= there;
  };
  for (int calls = 0; size > 0 && calls < 8; ++calls) {
    const uint8_t call = data[0];
    ++data, --size;
    int16_t pcm[kHop], out[2][kHop] = {};
    int8_t features[kInputs], masks[2][kOutputs] = {};
    float decibels;
    switch (call % 5) {
      case 0:
        take(pcm, sizeof(pcm));
        break;
      case 1:
        take(features, sizeof(features));
        break;
      case 2:
        take(&decibels, sizeof(decibels));
        break;
    }
    groupcomm_status status[2];
    for (int i = 0; i < 2; ++i) {
      switch (call % 5) {
        case 0:
          status[i] = groupcomm_process(states[i], pcm, out[i]);
          break;
        case 1:
          status[i] = groupcomm_run_network(states[i], features, masks[i]);
          break;
        case 2:
          status[i] = groupcomm_set_attenuation_limit(states[i], decibels);
          break;
        case 3:
          status[i] = groupcomm_reset(states[i]);
          break;
        default:
          groupcomm_set_bypass(states[i], call & 1), status[i] = GROUPCOMM_OK;
      }
    }
    if (status[0] != status[1] || std::memcmp(out[0], out[1], sizeof(out[0])) != 0 ||
        std::memcmp(masks[0], masks[1], sizeof(masks[0])) != 0)
      std::abort();
    if (status[0] != GROUPCOMM_OK && call % 5 != 2) std::abort();
  }
  return 0;
}
