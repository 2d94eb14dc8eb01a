/* The network of this package for audio in frames of 48 kHz, as in nRF5340 Audio.
 *
 *   if (groupcomm_audio_begin() != 0) printk("%s\n", groupcomm_error());
 *   groupcomm_audio_48k(pcm, frames, channels);
 */
#ifndef GROUPCOMM_AUDIO_H_
#define GROUPCOMM_AUDIO_H_

#include "micro/boards/package/package.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Calls groupcomm_begin, and initializes the filters. Returns 0, or -EINVAL; groupcomm_error() then
   gives the reason. */
int groupcomm_audio_begin(void);

/* Processes interleaved PCM of 48 kHz in place: sends the first channel through the network, and
   writes its first source to every channel. A call runs as many hops as are complete.

   pcm  (frames, channels); frames is a multiple of 3. The output is groupcomm_audio_48k_latency()
        samples behind the input.

   Returns 0, -EIO when the network fails on a hop (its output is silence), or -EINVAL. */
int groupcomm_audio_48k(int16_t* pcm, size_t frames, size_t channels);
int groupcomm_audio_48k_latency(void);

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_AUDIO_H_ */
