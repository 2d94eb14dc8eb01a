/* Speech enhancement or separation in a Zephyr application, in C or C++.
 *
 *   if (groupcomm_begin() != 0) printk("%s\n", groupcomm_error());
 *   groupcomm_process(in, out);        one hop of 16 kHz PCM in, one hop of every source out
 *
 * or, where audio has frames of 48 kHz, as in nRF5340 Audio:
 *
 *   groupcomm_audio_48k(pcm, frames, channels);
 */
#ifndef GROUPCOMM_H_
#define GROUPCOMM_H_

#include <stddef.h>
#include <stdint.h>

#include "groupcomm_network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Initializes network and stream; a later call resets them to silence. Returns 0, or -EINVAL;
   groupcomm_error() then gives the reason. */
int groupcomm_begin(void);

const char* groupcomm_error(void);

/* Processes one hop. It must take less than GROUPCOMM_HOP / GROUPCOMM_SAMPLE_RATE seconds, or input
   is lost. The output is GROUPCOMM_WINDOW - GROUPCOMM_HOP samples behind the input. Returns 0, -EIO
   when the network fails on the hop, or -EINVAL before groupcomm_begin; on an error, out is
   silence. */
int groupcomm_process(const int16_t* in /* (GROUPCOMM_HOP) */,
                      int16_t* out /* (GROUPCOMM_SOURCES, GROUPCOMM_HOP) */);

/* Processes interleaved PCM of 48 kHz in place: sends the first channel through the network, and
   writes its first source to every channel. frames is a multiple of 3. The output is
   groupcomm_audio_48k_latency() samples behind the input. A call runs as many hops as are complete.
   Returns 0, -EIO as above, or -EINVAL. */
int groupcomm_audio_48k(int16_t* pcm /* (frames, channels) */, size_t frames, size_t channels);
int groupcomm_audio_48k_latency(void);

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_H_ */
