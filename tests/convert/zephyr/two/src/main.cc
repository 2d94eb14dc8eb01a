// An application with two networks: the one of package.h, and another one with the C API. Each
// processes in.pcm. The first one then gets frames of 48 kHz.
#include <errno.h>

#include "enhance_nano.h"
#include "groupcomm.h"
#include "groupcomm_audio.h"
#include "micro/boards/cortex_m/board.h"
#include "micro/boards/package/package.h"

using groupcomm::board::File;

static void Process(groupcomm_state* state, int hop, const char* name) {
  static int16_t in[GROUPCOMM_ENHANCE_NANO_HOP], out[GROUPCOMM_ENHANCE_NANO_HOP];
  File from, to;
  if (state == nullptr || !from.Open("in.pcm", File::Mode::kRead) ||
      !to.Open(name, File::Mode::kWrite))
    BoardFail(name, 0);
  while (from.Read(in, 2 * hop) == 2 * hop) {
    const groupcomm_status status = groupcomm_process(state, in, out);
    if (status != GROUPCOMM_OK || !to.Write(out, 2 * hop)) BoardFail(name, status);
  }
  if (!to.Close()) BoardFail(name, 0);
}

static void Check(int code, int expected) {
  if (code != expected) BoardFail("groupcomm_audio_48k", code);
}

static void CheckFrames() {
  static int16_t pcm[2 * 480];  // (frames, channels)
  const size_t bytes = sizeof(pcm);
  Check(groupcomm_audio_48k(pcm, bytes, 48000, 16, 2), -EINVAL);
  Check(groupcomm_audio_begin(), 0);
  Check(groupcomm_audio_48k(pcm, bytes, 44100, 16, 2), -ENOTSUP);
  Check(groupcomm_audio_48k(pcm, bytes, 48000, 32, 2), -ENOTSUP);
  Check(groupcomm_audio_48k(pcm, bytes, 48000, 16, 0), -ENOTSUP);
  Check(groupcomm_audio_48k(pcm, bytes, 48000, 16, 1), -EMSGSIZE);
  Check(groupcomm_audio_48k(pcm, bytes - 1, 48000, 16, 2), -EMSGSIZE);
  Check(groupcomm_audio_48k(pcm, 2 * 2 * 360, 48000, 16, 2), 0);
  // The stand-in runs no other thread, so that the FIFO becomes full: 120 + 160 of 256 samples.
  Check(groupcomm_audio_48k(pcm, bytes, 48000, 16, 2), -EAGAIN);
}

int main() {
  static GROUPCOMM_ALIGNED unsigned char memory[GROUPCOMM_ENHANCE_NANO_BYTES];
  groupcomm_state* nano = nullptr;
  groupcomm_create(&groupcomm_enhance_nano, memory, sizeof(memory), &nano);
  Process(nano, GROUPCOMM_ENHANCE_NANO_HOP, "nano.pcm");
  Process(groupcomm_begin(), GROUPCOMM_HOP, "fast.pcm");
  CheckFrames();
  BoardExit(0);
}
