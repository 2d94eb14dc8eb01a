/* The network of this package for frames of 48 kHz, 16 bits, as in nRF Audio.
 *
 *   if (groupcomm_audio_begin() != 0) printk("%s\n", groupcomm_error());
 *   groupcomm_audio_48k(pcm, bytes, 48000, 16, channels);
 */
#ifndef GROUPCOMM_AUDIO_H_
#define GROUPCOMM_AUDIO_H_

#include "micro/boards/package/package.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Calls groupcomm_begin, and initializes the filters, before the first frame. Returns 0, or -EINVAL;
   groupcomm_error() then gives the reason. */
int groupcomm_audio_begin(void);

/* Processes a frame of interleaved PCM in place: sends the first channel through the network, and
   writes its first source to every channel.

   pcm       (samples, channels) of int16_t; a frame has 10 or 7.5 ms. The output is
             groupcomm_audio_48k_latency() samples behind the input.
   bytes     of pcm
   rate_hz, bits, channels
             of the audio, as the application is configured

   Returns 0, or for a frame that it leaves as it is
     -EINVAL    groupcomm_audio_begin did not succeed
     -ENOTSUP   the rate is not 48000, the depth is not 16 bits, or there is no channel
     -EMSGSIZE  the length is neither 10 nor 7.5 ms
   or, after it has processed the frame,
     -EIO       the network failed on a hop, whose output is silence
     -EAGAIN    the network was late (CONFIG_GROUPCOMM_AUDIO_FIFO); a part of the frame is silence */
int groupcomm_audio_48k(void* pcm, size_t bytes, uint32_t rate_hz, uint32_t bits, size_t channels);
int groupcomm_audio_48k_latency(void);

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_AUDIO_H_ */
