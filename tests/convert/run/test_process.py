"""`process` works in blocks, prints names as they are, and leaves nothing when it fails."""

import io
import json
import os
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

import groupcomm
from calibration_data import clips
from convert.run import audio_file, process
from groupcomm import cli
from groupcomm.errors import UserError
from tests.helpers.wav_files import PCM, rf64, wav
from tf_model.evaluation import metrics

RATE = 16000


def write(path, pcm, rate=RATE, channels=1):
    with open(path, "wb") as f, wave.open(f) as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(pcm.astype("<i2").tobytes())


def read(path):
    with open(path, "rb") as f, wave.open(f) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.fixture
def pcm(random):
    return np.rint(random.normal(0, 2000, 5003)).astype("<i2")


@pytest.mark.parametrize("name", ["enhance-nano", "separate"])
def test_blocks_give_the_sound_of_the_whole(name, pcm, tmp_path, monkeypatch):
    """Blocks of 7 to 2,000 samples, none of which is a whole number of hops."""
    write(tmp_path / "a.wav", pcm)
    blocks = np.split(pcm, [7, 100, 2100, 4097, 4098])
    monkeypatch.setattr(audio_file.Recording, "blocks", lambda self: self_blocks(self, blocks))
    found = process.separate(tmp_path / "a.wav", name, tmp_path / "out")
    network = groupcomm.load(name)
    expected = network.process(pcm)
    for path, estimate in zip(found["outputs"], expected, strict=True):
        assert np.abs(read(path) - 32768 * estimate).max() <= 1


def self_blocks(recording, blocks):
    for block in blocks:
        recording.samples += len(block)
        yield block


def test_a_long_file_is_read_in_blocks(tmp_path, monkeypatch):
    """The largest block is the same for 5 s and for 60 s."""
    for seconds in (5, 60):
        write(tmp_path / "a.wav", np.zeros(seconds * 48000), 48000)
        with audio_file.opened(tmp_path / "a.wav", RATE) as recording:
            sizes = [len(block) for block in recording.blocks()]
        assert max(sizes) < 50_000 and sum(sizes) == seconds * RATE


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["groupcomm", *map(str, arguments)])
    with pytest.raises(SystemExit) as e:
        cli.main()
    return e.value.code


NAMES = [  # as downloaders write them, and one that is not UTF-8
    "Interview [dQw4w9WgXcQ].wav",
    "take [bold red]1.wav",
    "day :smile: [.wav",
    "day[/one].wav",
    "caf\udce9.wav",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_as_they_are(name, pcm, tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    Path("day[").mkdir()
    write(Path(name), np.stack([pcm, -pcm], 1).ravel(), channels=2)
    assert run(monkeypatch, "process", name, "--out", "o[/x]", "--bundle", "enhance-nano") == 0
    says, output = capfdbinary.readouterr().out.splitlines()
    assert says.startswith(os.fsencode(name) + b": 2 channels: channels 1, 2 cancel when mixed")
    assert len(read(Path(os.fsdecode(output)))) == len(pcm)
    assert run(monkeypatch, "process", f"no{name}", "--out", "o") == 2
    error = b"groupcomm: no" + os.fsencode(name) + b": no such file; name a WAV file\n"
    assert capfdbinary.readouterr().err.endswith(error)
    assert run(monkeypatch, "process", "no\n\x1b[31m.wav", "--out", "o") == 2
    error = b"groupcomm: no\\n\\x1b[31m.wav: no such file; name a WAV file\n"
    assert capfdbinary.readouterr().err.endswith(error)
    run(monkeypatch, "process", name, "--out", "o", "--json", "--bundle", "enhance-nano")
    assert json.loads(capfdbinary.readouterr().out)["input"] == name


def gsm():
    file = io.BytesIO()
    soundfile.write(file, PCM[::2], 8000, format="WAV", subtype="GSM610")
    return file.getvalue()


def of_channels(*gains):
    x = np.outer(PCM, gains).astype("<i2")
    return wav(x.nbytes, 36 + x.nbytes, x, channels=len(gains))


# Files that users have had: content, samples of the output (GSM is in blocks of 320), what is said.
CASES = {
    "gsm": (gsm(), 16640, "8000 Hz resampled to 16000 Hz"),
    "killed_recorder": (wav(0, 0), 16000, "unfinished header (length 0): all 32000 bytes of sound"),
    "sox_pipe": (wav(0x7FFFF000, 0x7FFFF024), 16000, "length unknown (streamed header): read to"),
    "arecord_killed": (wav(0x80000000, 0x80000024), 16000, "length unknown (streamed header)"),
    "rf64_truncated": (rf64(64000, 64072), 16000, "truncated: 32000 bytes of the header's length"),
    "wav_truncated": (wav(40000, 40036), 16000, "truncated: 8000 bytes of the header's length"),
    "antiphase": (of_channels(1, -1), 16000, "channels 1, 2 cancel when mixed (opposite phase)"),
    "one_of_8": (of_channels(1, *7 * [0]), 16000, "channels 2, 3, 4, 5, 6, 7, 8 are silent"),
    "rate_1_hz": (wav(32000, 32036, rate=1), None, "its header says 1 Hz, and a sample rate is"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_a_user_had_is_heard_or_refused(case, tmp_path, monkeypatch, capfd):
    """All its sound, or one line and nothing written; a line with the file's name says why."""
    content, samples, says = CASES[case]
    file, folder, temporary = tmp_path / f"{case}.wav", tmp_path / "out", tmp_path / "tmp"
    file.write_bytes(content)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    code = run(monkeypatch, "process", file, "--out", folder, "--bundle", "enhance-nano")
    printed = capfd.readouterr()
    [line] = [x for x in (printed.out + printed.err).splitlines() if says in x]
    assert f"{file}: " in line
    if samples is None:
        assert code == 2 and not folder.exists()
    else:
        assert code == 0
        sound = read(folder / f"{case}_speech.wav")
        assert len(sound) == samples and np.abs(sound).max() > 300
    assert not list(temporary.iterdir())


def test_an_offset_of_the_microphone_changes_nothing():
    demo = clips.demo_mixtures()[0]
    noisy, clean = demo.mixture[:48000], demo.references[0, :48000]
    network = groupcomm.load("enhance-nano")
    without, with_offset = (
        metrics.si_sdr_db(network.process(noisy + dc)[0], clean) for dc in (0.0, 0.1)
    )
    assert abs(with_offset - without) < 0.2 and without > metrics.si_sdr_db(noisy, clean)


def test_a_failure_leaves_no_folder(tmp_path, monkeypatch):
    """Whether it comes at the first sample or later, and for a name that is too long."""
    noise = np.zeros(200_000, "<f4")
    noise[150_000] = np.nan
    soundfile.write(tmp_path / "a.wav", noise, RATE, subtype="FLOAT")
    write(tmp_path / f"{'x' * 245}.wav", np.zeros(1000))
    for name, says in (
        ("a.wav", "a.wav: sample 150000 is not a finite number"),
        ("x" * 245 + ".wav", "x_speech.wav: cannot write here"),
        ("y" * 300, "yyy: cannot be read"),
        ("", "is a folder; name one sound file in it"),
    ):
        with pytest.raises(UserError, match=says):
            process.separate(tmp_path / name, "enhance-nano", tmp_path / "new" / "out")
        assert not (tmp_path / "new").exists() and not list(tmp_path.glob(".groupcomm-*"))


def test_a_sound_that_does_not_fit_is_refused_before_the_work(tmp_path, monkeypatch):
    """40 hours of sound, and a plot of 11 minutes."""
    monkeypatch.setattr(process.AlignedStream, "process_all", lambda *_: pytest.fail("began"))
    write(tmp_path / "a.wav", np.zeros(8000 * 660), 8000)
    with pytest.raises(
        UserError, match=r"--plot p.png: .*a\.wav has 660 s, and a plot at most 600"
    ):
        process.separate(tmp_path / "a.wav", "enhance-nano", tmp_path / "out", Path("p.png"))
    monkeypatch.setattr(audio_file.Recording, "expected_seconds", 40 * 3600)
    with pytest.raises(UserError, match=r"40 hours are more than a WAV file can hold \(37 hours\)"):
        process.separate(tmp_path / "a.wav", "enhance-nano", tmp_path / "out")
    assert not (tmp_path / "out").exists()
