"""Robustness conditions change what their names say, and nothing else."""

import dataclasses

import numpy as np
import pytest

from calibration_data import corpus
from calibration_data.mixing import mixer
from tf_model.evaluation import evaluate, metrics, robustness


def test_the_identity_has_no_improvement(tiny_corpus):
    found = robustness.robustness(
        lambda m: m[None], split="test", sources=1, mixtures=2, corpus=tiny_corpus
    )
    assert (found["split"], found["mixtures"], found["silence_dbfs"]) == ("test", 2, None)
    # This corpus has no music.
    assert len(found["conditions"]) == 19 and "music" not in found["conditions"]
    for name, scores in found["conditions"].items():
        assert scores["sisdri_db"] == {"mean": 0, "low": 0, "high": 0}, name
        assert scores["sisdr_out_db"] == scores["sisdr_in_db"], name
        against = scores["sisdr_out_db"] - found["conditions"]["as they are"]["sisdr_out_db"]
        assert scores["against_db"]["mean"] == pytest.approx(against, abs=1e-6), name
    plain, clipped = (
        found["conditions"][name]["sisdr_in_db"] for name in ("as they are", "clipped by 15 dB")
    )
    assert clipped < plain - 1
    assert found["noise_alone_db"]["mean"] == 0
    assert found["without_noise_db"]["mean"] > 50  # 16-bit PCM


def test_attenuation_and_output_for_silence_are_reported(tiny_corpus):
    """The separator attenuates by 20 dB and outputs a constant for silence."""

    def softer(mixture):
        return 0.1 * mixture[None] + (0.01 if not mixture.any() else 0)

    found = robustness.robustness(softer, split="test", sources=1, mixtures=2, corpus=tiny_corpus)
    assert found["noise_alone_db"]["mean"] == pytest.approx(20, abs=0.1)
    assert found["silence_dbfs"] == pytest.approx(-40, abs=0.01)
    assert found["conditions"]["as they are"]["sisdri_db"]["mean"] == pytest.approx(0, abs=1e-3)


def test_conditions_have_the_named_properties(tiny_corpus):
    data, spec = (
        corpus.open_corpus("test", name=tiny_corpus),
        robustness._plain(evaluate.spec("test", 1)),
    )
    music = dataclasses.replace(data.categories[0], name="music")
    made = robustness._conditions(
        dataclasses.replace(data, categories=(*data.categories, music)), spec
    )
    assert {make(i).meta["categories"][0] for make in [made["music"]] for i in range(4)} == {
        "music"
    }
    assert all(20 <= made["SNR of 20 to 40 dB"](i).meta["snr_db"] <= 40 for i in range(4))
    assert all(0.1 <= made["rooms, RT60 0.1 to 0.8 s"](i).meta["rt60"] <= 0.8 for i in range(2))
    assert all(
        made["as they are"](i).meta[key] is None for key in ("rt60", "dc", "hum") for i in range(8)
    )
    for level in robustness.LEVELS[:-1]:
        source = made[f"speech at {level} dBFS"](0).sources[0]
        assert 10 * np.log10(np.mean(source**2)) == pytest.approx(level, abs=0.1)
    loud = made["loudest without clipping"](0).mixture
    assert np.abs(loud).max() == pytest.approx(mixer.PEAK, abs=1e-3)
    beyond = made["clipped by 5 dB"](0).mixture
    assert 20 * np.log10(np.abs(beyond).max()) == pytest.approx(5, abs=0.01)
    assert np.abs(robustness._pcm(beyond)).max() <= 1
    plain, resampled = made["as they are"](0).mixture, made["by way of 44.1 kHz"](0).mixture
    assert (
        resampled.shape == plain.shape
        and np.abs(resampled - plain).max() > 0
        and metrics.si_sdr_db(resampled, plain) > 30
    )


@pytest.mark.parametrize("split", ["test", "test-2026-11"])
def test_conditions_use_the_same_mixtures(tiny_corpus, split):
    """Speech and noise of a mixture are the same in all conditions."""
    data, spec = (
        corpus.open_corpus("test", name=tiny_corpus),
        robustness._plain(evaluate.spec(split, 1)),
    )
    made = robustness._conditions(data, spec)
    plain = made["as they are"](1)
    for name, make in made.items():
        m = make(1)
        assert (m.meta["speakers"], m.meta["categories"]) == (
            plain.meta["speakers"],
            plain.meta["categories"],
        ), name
        if "SNR" not in name:
            assert m.meta["snr_db"] == plain.meta["snr_db"], name
        if "rooms" not in name:
            # SI-SDR does not depend on the level.
            assert metrics.si_sdr_db(plain.sources[0], m.sources[0]) > 60, name


def test_disturbances_change_the_mixture_but_not_the_sources(tiny_corpus):
    data, spec = (
        corpus.open_corpus("test", name=tiny_corpus),
        robustness._plain(evaluate.spec("test", 1)),
    )
    made = robustness._conditions(data, spec)
    plain = made["as they are"](0)

    def added(name):
        m = made[name](0)
        np.testing.assert_array_equal(m.sources, plain.sources)
        np.testing.assert_allclose(m.sources.sum(0) + m.noise, m.mixture, atol=1e-6)
        return (m.mixture - plain.mixture).astype(np.float64)

    for offset in robustness.OFFSETS:
        np.testing.assert_allclose(added(f"DC of {offset:g} of full scale"), offset, atol=1e-6)
    for hz in (50, 60):
        hum = added(f"hum of {hz} Hz at -35 dBFS")
        assert 10 * np.log10(np.mean(hum**2)) == pytest.approx(-35, abs=0.01)
        power = np.abs(np.fft.rfft(hum)) ** 2
        # The signal has 4 s.
        assert (
            power[hz * 4 * np.arange(1, 11)].sum() > 0.999 * power.sum()
            and power[hz * 4] > 3 * power[hz * 8]
        )
    infrasound = added("8 Hz at -20 dBFS")
    assert np.abs(np.fft.rfft(infrasound)).argmax() == 32 and 10 * np.log10(
        np.mean(infrasound**2)
    ) == pytest.approx(-20, abs=0.01)
    pop = added("a pop at the start")
    assert pop[0] == pytest.approx(0.5) and np.abs(pop[3200:]).max() < 1e-3
