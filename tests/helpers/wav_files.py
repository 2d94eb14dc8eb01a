"""WAV files whose headers say what a test asks for."""

import struct

import numpy as np

RATE = 16000
PCM = (3000 * np.sin(np.arange(RATE) / 7)).astype("<i2")


def wav(data_bytes, riff_bytes, pcm=PCM, rate=RATE, channels=1):
    """Return a WAV file with these sizes in its header."""
    form = struct.pack("<HHIIHH", 1, channels, rate, 2 * channels * rate % 2**32, 2 * channels, 16)
    data = struct.pack("<4sI", b"data", data_bytes) + pcm.tobytes()
    head = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
    return head + struct.pack("<4sI", b"fmt ", 16) + form + data


def rf64(data_bytes, riff_bytes):
    """Return an RF64 file with these sizes of 64 bits."""
    content = wav(0xFFFFFFFF, 0xFFFFFFFF)
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, riff_bytes, data_bytes, RATE, 0)
    return b"RF64" + content[4:12] + ds64 + content[12:]
