/* Speech enhancement or separation in a Zephyr application, in C or C++.
 *
 *   if (groupcomm_begin() != 0) printk("%s\n", groupcomm_error());
 *   groupcomm_process(in, out);        a hop of 16 kHz PCM in, a hop of every source out
 *
 * or, where audio goes around in frames of 48 kHz, as in nRF5340 Audio:
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

/* Places network and stream; later calls go back to silence. 0, or -EINVAL and why in groupcomm_error(). */
int groupcomm_begin(void);

const char* groupcomm_error(void);

/* One hop, in less than GROUPCOMM_HOP / GROUPCOMM_SAMPLE_RATE or sound is lost. GROUPCOMM_WINDOW - GROUPCOMM_HOP samples later it is in
 * out. 0; -EIO when the network fails on the hop, -EINVAL before groupcomm_begin: then out is silence. */
int groupcomm_process(const int16_t* in /* (GROUPCOMM_HOP) */, int16_t* out /* (GROUPCOMM_SOURCES, GROUPCOMM_HOP) */);

/* In place, interleaved PCM of 48 kHz: the first channel through the network, its first source to every channel. frames: a multiple of 3.
 * groupcomm_audio_48k_latency() samples later; a call runs as many hops as are full. 0, -EIO as above, -EINVAL. */
int groupcomm_audio_48k(int16_t* pcm /* (frames, channels) */, size_t frames, size_t channels);
int groupcomm_audio_48k_latency(void);

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_H_ */
