#include "groupcomm.h"

#include <errno.h>
#include <string.h>

#include "micro/boards/package/separator.h"
#ifdef CONFIG_GROUPCOMM_AUDIO_48K
#include "micro/stream/audio_48k.h"
#endif

using namespace groupcomm;  // NOLINT

namespace {

int Code(Status status) {
  return status == Status::kOk ? 0 : status == Status::kEngineFailed ? -EIO : -EINVAL;
}

#ifdef CONFIG_GROUPCOMM_AUDIO_48K
int16_t audio_memory[Audio48k::Samples(GROUPCOMM_HOP, GROUPCOMM_SOURCES)];
Audio48k audio;
#endif

}  // namespace

int groupcomm_begin(void) {
  Status status = SeparatorBegin();
#ifdef CONFIG_GROUPCOMM_AUDIO_48K
  if (status == Status::kOk) {
    status = audio.Init(SeparatorStream(), GROUPCOMM_HOP, GROUPCOMM_SOURCES, audio_memory,
                        sizeof(audio_memory) / sizeof(audio_memory[0]));
  }
#endif
  return Code(status);
}

const char* groupcomm_error(void) { return SeparatorError(); }

int groupcomm_process(const int16_t* in /* (hop) */, int16_t* out /* (sources, hop) */) {
  if (SeparatorStream() == nullptr) {
    memset(out, 0, sizeof(int16_t) * GROUPCOMM_SOURCES * GROUPCOMM_HOP);
    return -EINVAL;
  }
  return Code(StreamProcess(SeparatorStream(), in, out));
}

#ifdef CONFIG_GROUPCOMM_AUDIO_48K
int groupcomm_audio_48k(int16_t* pcm /* (frames, channels) */, size_t frames, size_t channels) {
  return Code(audio.Process(pcm, static_cast<int>(frames), static_cast<int>(channels)));
}

int groupcomm_audio_48k_latency(void) { return SeparatorStream() == nullptr ? 0 : audio.Latency(); }
#endif
