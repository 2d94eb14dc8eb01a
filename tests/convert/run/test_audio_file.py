"""Sound files are converted to 16 kHz mono 16-bit PCM, and invalid files are reported."""

import numpy as np
import pytest
import soundfile

from convert.run import audio_file
from groupcomm.errors import UserError

RATE = 16000


def tone(rate, seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * 1000 * np.arange(int(rate * seconds)) / rate)


def test_16_khz_mono_pcm_is_unchanged(tmp_path, random):
    pcm = random.integers(-32768, 32768, 1000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", pcm, RATE, subtype="PCM_16")
    got, conversions = audio_file.read(tmp_path / "a.wav", RATE)
    np.testing.assert_array_equal(got, pcm)
    assert conversions == []


@pytest.mark.parametrize(
    ("rate", "channels", "subtype", "message"),
    [
        (44100, 1, "PCM_16", ["44100 Hz resampled to 16000 Hz"]),
        (8000, 1, "PCM_16", ["8000 Hz resampled to 16000 Hz"]),
        (16000, 2, "PCM_16", ["2 channels mixed to mono"]),
        (16000, 1, "PCM_U8", ["PCM U8 to 16-bit PCM"]),
        (16000, 1, "PCM_24", ["PCM 24 to 16-bit PCM"]),
        (16000, 1, "PCM_32", ["PCM 32 to 16-bit PCM"]),
        (
            48000,
            2,
            "FLOAT",
            ["2 channels mixed to mono", "48000 Hz resampled to 16000 Hz", "FLOAT to 16-bit PCM"],
        ),
    ],
)
def test_conversions_preserve_sound_and_are_reported(tmp_path, rate, channels, subtype, message):
    soundfile.write(
        tmp_path / "a.wav", np.repeat(tone(rate)[:, None], channels, 1), rate, subtype=subtype
    )
    got, conversions = audio_file.read(tmp_path / "a.wav", RATE)
    assert conversions == message
    assert abs(len(got) - RATE // 2) <= 1
    middle = slice(1000, 7000)  # without the edges, which the resampler changes
    np.testing.assert_allclose(got[middle] / 32768, tone(RATE)[middle], atol=0.01)


def test_clipping_is_reported(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([0, 1.5, -2, 0.5]), RATE, subtype="FLOAT")
    got, conversions = audio_file.read(tmp_path / "a.wav", RATE)
    assert got.tolist() == [0, 32767, -32768, 16384]
    assert conversions[0] == "2 samples beyond full scale clipped"


def test_huge_samples_do_not_silence_the_rest(tmp_path):
    audio = tone(44100)
    audio[[5000, 10000]] = 1e308, -1e308
    soundfile.write(tmp_path / "a.wav", audio, 44100, subtype="DOUBLE")
    got, conversions = audio_file.read(tmp_path / "a.wav", RATE)
    assert conversions[0] == "2 samples beyond full scale clipped"
    assert np.abs(got[500:1500]).max() > 10000 and np.abs(got[4000:]).max() > 10000


def test_truncated_file_is_read_and_reported(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(RATE), RATE, subtype="PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:-1000])
    got, conversions = audio_file.read(tmp_path / "a.wav", RATE)
    assert len(got) == RATE // 2 - 500
    assert conversions == ["truncated: 1000 bytes of the header's length are missing"]


def test_headerless_file_is_reported(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(UserError, match=r"a\.raw: not a sound file"):
        audio_file.read(tmp_path / "a.raw", RATE)


def write_nan(path):
    soundfile.write(path, np.array([0, 0.1, np.nan]), RATE, subtype="FLOAT")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.mkdir(), "is a folder; name one sound file in it"),
        (lambda p: p.write_bytes(b""), "the file is empty"),
        (lambda p: p.write_text("hello, I am text"), "not a sound file"),
        (lambda p: p.write_bytes(b"RIFF\x10\0\0\0WAVE"), "not a sound file"),
        (lambda p: soundfile.write(p, np.zeros(0), RATE), "the file has no samples"),
        (write_nan, "sample 2 is not a finite number"),
    ],
)
def test_unreadable_sound_is_reported(tmp_path, make, message):
    make(tmp_path / "a.wav")
    with pytest.raises(UserError, match=rf"a\.wav: .*{message}"):
        audio_file.read(tmp_path / "a.wav", RATE)
