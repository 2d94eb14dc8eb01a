"""Process raw 16-bit mono PCM at 16 kHz hop by hop, from standard input to standard output.

With ALSA:

    arecord -t raw -f S16_LE -r 16000 | python live_stream.py | aplay -t raw -f S16_LE -r 16000
"""

import sys

import numpy as np

import groupcomm

network = groupcomm.load("enhance-nano", engine="compiled")  # "tflm" where there is no C compiler
stream = network.stream()
latency = 1000 * (stream.latency + network.hop) / network.sample_rate
print(f"latency {latency:g} ms", file=sys.stderr)
while len(data := sys.stdin.buffer.read(2 * network.hop)) == 2 * network.hop:
    out = stream.process(np.frombuffer(data, "<i2"))[0]  # [shape=(hop,)], the first source
    pcm = np.clip(np.rint(32768 * out), -32768, 32767).astype("<i2")
    sys.stdout.buffer.write(pcm.tobytes())
    sys.stdout.flush()
