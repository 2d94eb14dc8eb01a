"""Headers and channels of sound files as other programs and recorders leave them."""

import io
import struct

import numpy as np
import pytest
import soundfile

from calibration_data.audio import decode
from calibration_data.sound_file import SoundFile
from tests.helpers.wav_files import PCM, RATE, rf64, wav


def read(content, channel=None):
    sound = SoundFile(io.BytesIO(content))
    sound.choose_channels(channel)
    return np.concatenate(list(sound.blocks())), sound


STREAMED = "length unknown (streamed header): read to the end of the file"
UNFINISHED = "unfinished header (length 0): all 32000 bytes of sound read"
HEADERS = {
    "complete": (wav(32000, 32036), ""),
    "killed_recorder": (wav(0, 0), UNFINISHED),
    "killed_after_empty_file": (wav(0, 36), UNFINISHED),  # it wrote a correct empty file first
    "sox": (wav(0x7FFFF000, 0x7FFFF024), STREAMED),
    "sox_riff": (wav(0x7FFFEFDC, 0x7FFFF000), STREAMED),
    "arecord": (wav(0x80000000, 0x80000024), STREAMED),
    "ffmpeg": (wav(0xFFFFFFFF, 0xFFFFFFFF), STREAMED),
    "ffmpeg_data": (wav(0xFFFFFFFF - 36, 0xFFFFFFFF), STREAMED),
    "truncated": (wav(40000, 40036), "truncated: 8000 bytes of the header's length are missing"),
    "rf64": (rf64(32000, 32072), ""),
    "rf64_truncated": (
        rf64(64000, 64072),
        "truncated: 32000 bytes of the header's length are missing",
    ),
    "rf64_killed": (rf64(0, 0), UNFINISHED),
    "rf64_streamed": (rf64((1 << 64) - 1, (1 << 64) - 1), STREAMED),
}


@pytest.mark.parametrize(("content", "says"), HEADERS.values(), ids=HEADERS)
def test_sizes_of_a_header_do_not_lose_sound(content, says):
    sound, file = read(content)
    np.testing.assert_array_equal(sound * 32768, PCM)
    assert file.header == says
    assert len(decode(content, "a.wav", silence_db=40)) > 15000


def test_an_empty_wav_file_stays_empty():
    """Chunks behind empty data are not sound."""
    content = wav(0, 36 + 12, np.zeros(0, "<i2")) + struct.pack("<4sI4s", b"LIST", 4, b"INFO")
    sound = SoundFile(io.BytesIO(content))
    assert list(sound.blocks()) == [] and sound.header == ""


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_rate_that_cannot_be_is_refused(rate):
    for use in (lambda b: SoundFile(io.BytesIO(b)), lambda b: decode(b, "a.wav", silence_db=40)):
        with pytest.raises(ValueError, match="sample rate|not a sound file"):
            use(wav(32000, 32036, rate=rate)[:44] + bytes(32000))


def test_a_format_without_seeking_is_read():
    file = io.BytesIO()
    soundfile.write(file, PCM, 8000, format="WAV", subtype="GSM610")
    sound, opened = read(file.getvalue())
    assert opened.subtype == "GSM610" and len(sound) >= RATE
    assert np.corrcoef(sound[:RATE], PCM)[0, 1] > 0.9


def channels(*which):
    """Return a WAV file whose channels are the sound with these gains."""
    random = np.random.default_rng(0)
    x = random.normal(0, 3000, (4000, 1)) * which + 200  # with a DC offset
    x = np.rint(x).astype("<i2")
    return x, wav(x.nbytes, 36 + x.nbytes, x, channels=len(which))


@pytest.mark.parametrize(
    ("gains", "used", "says"),
    [
        ((1, 1), [0, 1], "2 channels mixed to mono"),
        ((1, 0.1), [0, 1], "2 channels mixed to mono"),
        (
            (0.5, -0.5),
            [0],
            "2 channels: channels 1, 2 cancel when mixed (opposite phase); channel 1 taken",
        ),
        (
            (0.4, -0.5),
            [1],
            "2 channels: channels 1, 2 cancel when mixed (opposite phase); channel 2 taken",
        ),
        (
            (1,) + 7 * (0,),
            [0],
            "8 channels: channels 2, 3, 4, 5, 6, 7, 8 are silent; channel 1 taken",
        ),
        ((1, 0, 1), [0, 2], "3 channels: channel 2 is silent; channels 1, 3 mixed to mono"),
        ((0, 0), [0, 1], "2 channels mixed to mono"),
    ],
)
def test_silent_and_cancelling_channels_are_left_out(gains, used, says):
    x, content = channels(*gains)
    sound, opened = read(content)
    np.testing.assert_allclose(sound * 32768, x[:, used].mean(1))
    assert opened.mix == says


def test_a_channel_can_be_named():
    x, content = channels(1, 0.5, -1)
    sound, opened = read(content, 2)
    np.testing.assert_array_equal(sound * 32768, x[:, 1])
    assert opened.mix == "channel 2 of 3 taken"
    with pytest.raises(ValueError, match=r"--channel 4: it has 3 channels; use 1 to 3"):
        read(content, 4)
    many, content = channels(*range(65))
    with pytest.raises(ValueError, match=r"it has 65 channels; name one with --channel"):
        read(content)
    np.testing.assert_array_equal(read(content, 65)[0] * 32768, many[:, 64])


def test_the_corpus_takes_one_of_channels_that_cancel(capfd):
    _, content = channels(0.5, -0.5)
    assert len(decode(content, "day[/one].wav", silence_db=60)) > 3500
    assert "day[/one].wav: 2 channels: channels 1, 2 cancel" in capfd.readouterr().err


@pytest.mark.parametrize("position", range(0, 44, 3))
def test_a_damaged_header_is_a_value_error_or_sound(position):
    for value in (0, 1, 0x7F, 0xFF):
        content = bytearray(wav(32000, 32036))
        content[position] = value
        try:
            sound, _ = read(bytes(content))
        except ValueError as e:
            assert str(e)
        else:
            assert len(sound) <= 2 * RATE
