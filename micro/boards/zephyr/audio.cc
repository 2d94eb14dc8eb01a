#include "groupcomm_audio.h"

#include <errno.h>

#include "micro/stream/audio_48k.h"

using namespace groupcomm;  // NOLINT

namespace {

int16_t memory[Audio48k::Samples(GROUPCOMM_HOP, GROUPCOMM_SOURCES)];
Audio48k audio;
bool ready = false;

int Code(Status status) {
  return status == GROUPCOMM_OK ? 0 : status == GROUPCOMM_ENGINE_FAILED ? -EIO : -EINVAL;
}

}  // namespace

int groupcomm_audio_begin(void) {
  groupcomm_state* const state = groupcomm_begin();
  ready = state != nullptr &&
          audio.Init(state, memory, sizeof(memory) / sizeof(memory[0])) == GROUPCOMM_OK;
  return ready ? 0 : -EINVAL;
}

int groupcomm_audio_48k(int16_t* pcm /* (frames, channels) */, size_t frames, size_t channels) {
  return Code(audio.Process(pcm, static_cast<int>(frames), static_cast<int>(channels)));
}

int groupcomm_audio_48k_latency(void) { return ready ? audio.Latency() : 0; }
