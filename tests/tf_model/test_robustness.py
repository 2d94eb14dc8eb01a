"""Conditions are what their names say."""

import dataclasses

import numpy as np
import pytest

from calibration_data import corpus, mixer
from tf_model import evaluate, robustness


def test_what_changes_nothing_improves_nothing(tiny_corpus):
    found = robustness.robustness(lambda m: m[None], split="test", sources=1, mixtures=2, corpus=tiny_corpus)
    assert (found["split"], found["mixtures"], found["silence_dbfs"]) == ("test", 2, None)
    assert len(found["conditions"]) == 10 and "music" not in found["conditions"]  # this corpus has none
    for name, scores in found["conditions"].items():
        assert scores["sisdri_db"] == {"mean": 0, "low": 0, "high": 0}, name
    plain, clipped = (found["conditions"][name]["sisdr_in_db"] for name in ("as they are", "clipped, 15 dB beyond full scale"))
    assert clipped < plain - 1
    assert found["noise_alone_db"]["mean"] == 0
    assert found["without_noise_db"]["mean"] > 50  # 16-bit PCM


def test_what_the_separator_does_is_what_is_reported(tiny_corpus):
    """One that takes the sound down by 20 dB and hums in silence."""

    def softer(mixture):
        return 0.1 * mixture[None] + (0.01 if not mixture.any() else 0)

    found = robustness.robustness(softer, split="test", sources=1, mixtures=2, corpus=tiny_corpus)
    assert found["noise_alone_db"]["mean"] == pytest.approx(20, abs=0.1)
    assert found["silence_dbfs"] == pytest.approx(-40, abs=0.01)
    assert found["conditions"]["as they are"]["sisdri_db"]["mean"] == pytest.approx(0, abs=1e-3)


def test_conditions(tiny_corpus):
    data, spec = corpus.open_corpus("test", name=tiny_corpus), evaluate.spec(1)
    music = dataclasses.replace(data.categories[0], name="music")
    made = robustness._conditions(dataclasses.replace(data, categories=(*data.categories, music)), spec)
    assert {make(i).meta["categories"][0] for make in [made["music"]] for i in range(4)} == {"music"}
    assert all(0.1 <= made["rooms, RT60 0.1 to 0.5 s"](i).meta["rt60"] <= 0.5 for i in range(4))
    for level in robustness.LEVELS[:-1]:
        source = made[f"speech at {level} dBFS"](0).sources[0]
        assert 10 * np.log10(np.mean(source**2)) == pytest.approx(level, abs=0.1)
    loud = made["as loud as fits into 16 bits"](0).mixture
    assert np.abs(loud).max() == pytest.approx(mixer.PEAK, abs=1e-3)
    beyond = made["clipped, 5 dB beyond full scale"](0).mixture
    assert 20 * np.log10(np.abs(beyond).max()) == pytest.approx(5, abs=0.01)
    assert np.abs(robustness._pcm(beyond)).max() <= 1
    plain, resampled = made["as they are"](0).mixture, made["by way of 44.1 kHz"](0).mixture
    assert resampled.shape == plain.shape and np.abs(resampled - plain).max() > 0 and evaluate.si_sdr_db(resampled, plain) > 30
