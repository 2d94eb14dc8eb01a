import io

import numpy as np
import pytest
import soundfile

from calibration_data.audio import decode


def _wav(x, rate=16000):
    file = io.BytesIO()
    soundfile.write(file, x, rate, format="WAV")
    return file.getvalue()


def test_decode_resamples_mixes_to_mono_and_trims_silence():
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    padded = np.concatenate([np.zeros(44100), tone, np.zeros(44100)])
    x = decode(_wav(np.stack([padded, padded], 1), 44100), "a.wav", silence_db=40)
    assert x.dtype == np.dtype("<i2") and x.ndim == 1
    assert 16000 <= x.size < 18000
    spectrum = np.abs(np.fft.rfft(x / 32768.0))
    assert abs(spectrum.argmax() * 16000 / x.size - 440) < 2


def test_decode_reads_g722():
    x = decode(
        np.random.default_rng(0).integers(0, 256, 8000, np.uint8).tobytes(),
        "usr/share/a.g722",
        silence_db=40,
    )
    assert 0 < x.size <= 16000  # one byte holds two samples


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a sound"),
        (b"RIFFgarbage", "not a sound"),
        (_wav(np.zeros(800)), "silent"),
        (_wav(np.zeros(0)), "silent"),
    ],
)
def test_decode_rejects_damaged_or_silent_file(data, message):
    with pytest.raises(ValueError, match=message):
        decode(data, "a.wav", silence_db=40)


def test_decode_rejects_empty_g722():
    with pytest.raises(ValueError, match="silent or empty"):
        decode(b"", "a.g722", silence_db=40)
