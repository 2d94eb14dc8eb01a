#include "groupcomm_audio.h"

#include <errno.h>

#include "micro/stream/audio_48k.h"

using namespace groupcomm;  // NOLINT

namespace {

#ifdef CONFIG_GROUPCOMM_AUDIO_FIFO
constexpr int kHops = Audio48k::FifoHops(GROUPCOMM_HOP);
#else
constexpr int kHops = 1;
#endif

int16_t memory[Audio48k::Samples(GROUPCOMM_HOP, GROUPCOMM_SOURCES, kHops)];
Audio48k audio;
bool ready = false;

}  // namespace

#ifdef CONFIG_GROUPCOMM_AUDIO_FIFO
#include <zephyr/kernel.h>

K_SEM_DEFINE(groupcomm_audio_frame, 0, 1);

static void RunHops(void*, void*, void*) {
  for (;;) {
    k_sem_take(&groupcomm_audio_frame, K_FOREVER);
    while (audio.RunHop()) {
    }
  }
}

K_THREAD_DEFINE(groupcomm_audio_thread, CONFIG_GROUPCOMM_AUDIO_STACK_SIZE, RunHops, nullptr,
                nullptr, nullptr, CONFIG_GROUPCOMM_AUDIO_PRIORITY, 0, 0);
#endif

int groupcomm_audio_begin(void) {
  groupcomm_state* const state = groupcomm_begin();
  ready = state != nullptr &&
          audio.Init(state, memory, sizeof(memory) / sizeof(memory[0]), kHops) == GROUPCOMM_OK;
  return ready ? 0 : -EINVAL;
}

int groupcomm_audio_48k(void* pcm /* (frames, channels) */, size_t bytes, uint32_t rate_hz,
                        uint32_t bits, size_t channels) {
  if (!ready) return -EINVAL;
  if (rate_hz != 48000 || bits != 16 || channels == 0) return -ENOTSUP;
  const size_t frames = bytes / sizeof(int16_t) / channels;
  if (frames * channels * sizeof(int16_t) != bytes ||
      (frames != Audio48k::kLongFrame && frames != Audio48k::kShortFrame))
    return -EMSGSIZE;
  const uint32_t lost = audio.Lost();
  const Status status = audio.Process(static_cast<int16_t*>(pcm), static_cast<int>(frames),
                                      static_cast<int>(channels));
#ifdef CONFIG_GROUPCOMM_AUDIO_FIFO
  k_sem_give(&groupcomm_audio_frame);
#endif
  if (status != GROUPCOMM_OK) return -EIO;
  return audio.Lost() == lost ? 0 : -EAGAIN;
}

int groupcomm_audio_48k_latency(void) { return ready ? audio.Latency() : 0; }
