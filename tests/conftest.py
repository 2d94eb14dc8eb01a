"""Shared by all rooms' tests."""

import os

import numpy as np
import pytest
import soundfile

import tf_model

if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
tf_model.load_tensorflow()

from tf_model.networks.streaming import Streaming  # noqa: E402


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def tiny_net() -> Streaming:
    """A network small enough to build and convert in seconds."""
    return Streaming(features=32, groups=4, blocks=2, tac=6, hidden=8)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory) -> str:
    """Name of a corpus of six buzzing 'speakers' and three noises, under a cache folder of its own."""
    from calibration_data import build

    root = tmp_path_factory.mktemp("corpus")
    patch = pytest.MonkeyPatch()
    patch.setenv("GROUPCOMM_CACHE", str(root / "cache"))
    random = np.random.default_rng(0)
    t = np.arange(3 * 16000) / 16000
    for speaker in range(6):
        folder = root / "speech" / f"speaker{speaker}"
        folder.mkdir(parents=True)
        for take in range(2):
            pitch = 90 + 30 * speaker + 5 * take
            buzz = sum(np.sin(2 * np.pi * pitch * h * t) / h for h in range(1, 12)) * (1 + np.sin(2 * np.pi * 3 * t)) * 0.1
            soundfile.write(folder / f"{take}.wav", buzz, 16000)
    for kind in range(6):
        folder = root / "noise" / f"kind{kind}"
        folder.mkdir(parents=True)
        soundfile.write(folder / "0.wav", np.convolve(random.standard_normal(4 * 16000) * 0.1, np.ones(kind + 1), "same"), 16000)
    build.build_folder(root / "speech", root / "noise", "tiny")
    yield "tiny"
    patch.undo()
