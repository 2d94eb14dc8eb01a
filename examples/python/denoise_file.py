"""Remove noise from a sound file.

python denoise_file.py noisy.wav clean.wav

Needs: pip install 'groupcomm-micro[audio]'
"""

import sys

import soundfile

import groupcomm

source, target = sys.argv[1:]
x, rate = soundfile.read(source, always_2d=True)  # [shape=(samples, channels)]
network = groupcomm.load("enhance")
clean = network.process(x.mean(axis=1), rate)  # [shape=(sources, samples)]
soundfile.write(target, clean.T, rate)
print(f"{target}: {len(x) / rate:.1f} s by {network.name}")
