"""A tiny corpus: noise bursts at a speaker's own pitch for speech, coloured noise for noise."""

import numpy as np
import pytest
import soundfile

from calibration_data import build


def _sound(random, *, seconds=1.5, pitch=None):
    """float32 [samples] at 16 kHz."""
    n = int(seconds * 16000)
    if pitch is None:
        return (0.1 * random.standard_normal(n)).astype(np.float32)
    t = np.arange(n) / 16000
    voice = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 9))
    return (0.1 * voice * (1.1 + np.sin(2 * np.pi * 4 * t))).astype(np.float32)


@pytest.fixture(scope="session")
def sound():
    """The function that makes sounds."""
    return _sound


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """(speech, noise): LibriSpeech's layout, and three categories of noise."""
    top = tmp_path_factory.mktemp("sounds")
    random = np.random.default_rng(0)
    for speaker in range(20):
        for take in range(2):
            path = top / "speech" / f"{speaker:03}" / "7" / f"{take}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, _sound(random, pitch=90 + 10 * speaker, seconds=1 + 0.3 * take), 16000)
    for category in ("rain", "wind", "crowd"):
        for take in range(5):
            path = top / "noise" / category / f"{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, _sound(random, seconds=0.7), 22050)
    return top / "speech", top / "noise"


@pytest.fixture(scope="session")
def cache(tmp_path_factory, folders):
    """A cache folder with the corpus "tiny" in it."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUPCOMM_CACHE", str(path))
        build.build_folder(*folders, "tiny")
    return path


@pytest.fixture
def tiny(cache, monkeypatch):
    """The environment in which the corpus "tiny" is there."""
    monkeypatch.setenv("GROUPCOMM_CACHE", str(cache))


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("GROUPCOMM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
