"""Evaluation: measures, groups, worst mixtures, and fixed mixtures of the splits."""

import dataclasses

import numpy as np
import pytest
import soundfile

from calibration_data import corpus
from calibration_data.mixing import mixer
from groupcomm.errors import UserError
from tf_model.evaluation import evaluate, metrics


@pytest.mark.slow
def test_the_identity_has_no_improvement(tiny_corpus):
    result = evaluate.evaluate(
        lambda m: m[None], split="test", sources=1, mixtures=3, corpus=tiny_corpus
    )
    assert result["sisdri_db"] == {"mean": 0, "low": 0, "high": 0}
    assert result["sisdr_in_db"] == result["sisdr_out_db"]
    assert (result["split"], result["mixtures"]) == ("test", 3)
    for name, found in result["measures"].items():
        # eSTOI adds a little noise of its own.
        assert found["out"] == pytest.approx(found["in"], abs=1e-9) and found["mixtures"] == 3, name
        assert np.abs(list(found["improvement"].values())).max() < 1e-9, name


@pytest.mark.slow
def test_two_speakers_are_scored_in_their_best_order(tiny_corpus):
    data = corpus.open_corpus("train", name=tiny_corpus)
    made = [
        mixer.mix(data, mixer.SEPARATE_EVAL, seed=evaluate.EVALUATION_SEED, index=i)
        for i in range(2)
    ]
    # The exact sources, in the wrong order.
    by_sum = {m.mixture.tobytes(): m.sources[::-1] for m in made}
    result = evaluate.evaluate(
        lambda m: by_sum[m.tobytes()], split="train", sources=2, mixtures=2, corpus=tiny_corpus
    )
    assert result["sisdr_out_db"] == pytest.approx(80, abs=1)
    assert np.isfinite(result["sisdr_in_db"])


def test_an_output_that_is_not_finite_has_no_score(tiny_corpus):
    where = {"split": "test", "sources": 1, "corpus": tiny_corpus, "mixtures": 2}
    with pytest.raises(UserError, match="mixture 0 of test: the output of the network is not fin"):
        evaluate.scores(lambda m: m[None] * np.nan, **where)


def test_cached_scores_keep_a_measure_that_is_not_defined(tmp_path, monkeypatch):
    found = [evaluate.Score(0, {"rt60": None}, {"sisdr": 1.0}, {"pesq": np.nan})]
    monkeypatch.setattr(evaluate, "scores", lambda *_, **__: found)
    which = {"split": "test", "sources": 1}
    file = tmp_path / "scores.json"
    evaluate.cached_scores(file, {}, None, **which)
    assert "NaN" not in file.read_text()
    monkeypatch.delattr(evaluate, "scores")
    [score] = evaluate.cached_scores(file, {}, None, **which)
    assert np.isnan(score.after["pesq"]) and score.meta == {"rt60": None}


def test_groups_and_worst_mixtures_match_the_scores(tiny_corpus, tmp_path, monkeypatch):
    """The value of a group is the mean of its mixtures; the worst have the lowest improvement."""
    data = corpus.open_corpus("test", name=tiny_corpus)
    made = [
        mixer.mix(data, mixer.ENHANCE_EVAL, seed=evaluate.EVALUATION_SEED, index=i)
        for i in range(8)
    ]
    # Later mixtures have a higher improvement.
    left = {m.mixture.tobytes(): m.sources + (0.9 - 0.1 * i) * m.noise for i, m in enumerate(made)}

    def separate(mixture):
        return left[mixture.tobytes()].astype(np.float32)

    where = {"split": "test", "sources": 1, "corpus": tiny_corpus}
    monkeypatch.setattr(evaluate, "WORST", 5)
    result = evaluate.evaluate(separate, mixtures=8, measures=("sisdr",), **where)
    gained = [
        metrics.si_sdr_db(separate(m.mixture)[0], m.sources[0])
        - metrics.si_sdr_db(m.mixture, m.sources[0])
        for m in made
    ]
    assert result["measures"].keys() == {"sisdr"}
    assert [w["index"] for w in result["worst"]] == [0, 1, 2, 3, 4]
    assert [w["sisdri_db"] for w in result["worst"]] == pytest.approx(gained[:5])
    for kind, names in (("noise", "categories"), ("speaker", "speakers")):
        for name, found in result["by"][kind].items():
            own = [g for g, m in zip(gained, made, strict=True) if name in m.meta[names]]
            assert (found["mixtures"], found["mean"]) == (len(own), pytest.approx(np.mean(own)))
    for sexes, found in result["by"]["sexes"].items():  # a user's folders do not specify the sex
        assert (sexes, found["mixtures"]) == ("sex unknown", 8)
    for name, found in result["by"]["snr"].items():
        low, high = map(int, name.removesuffix(" dB").split(" to "))
        assert found["mean"] == pytest.approx(
            np.mean(
                [g for g, m in zip(gained, made, strict=True) if low <= m.meta["snr_db"] < high]
            )
        )
    for kind in ("snr", "room"):
        assert sum(found["mixtures"] for found in result["by"][kind].values()) == 8
    inside = [g for g, m in zip(gained, made, strict=True) if m.meta["rt60"] is not None]
    assert 0 < len(inside) < 8 and result["by"]["room"]["in a room"]["mean"] == pytest.approx(
        np.mean(inside)
    )
    humming = sum(m.meta["hum"] is not None for m in made)
    assert result["by"]["disturbance"].get("hum", {"mixtures": 0})["mixtures"] == humming

    # Groups by sex, for speakers whose sex is known.
    known = [
        dataclasses.replace(m, meta=m.meta | {"sexes": sexes})
        for m, sexes in zip(made, ["F", "M", "FM", "FF", "MM", "F", "M", ""], strict=True)
    ]
    monkeypatch.setattr(evaluate, "fixed_mixtures", lambda *_: known.__getitem__)
    by = evaluate.evaluate(separate, mixtures=8, measures=("sisdr",), **where)["by"]["sexes"]
    groups = {
        "a woman": [0, 5],
        "a man": [1, 6],
        "a woman and a man": [2],
        "two women": [3],
        "two men": [4],
        "sex unknown": [7],
    }
    assert {name: (found["mixtures"], found["mean"]) for name, found in by.items()} == {
        name: (len(own), pytest.approx(np.mean([gained[i] for i in own])))
        for name, own in groups.items()
    }
    monkeypatch.undo()

    files = evaluate.write_worst(separate, result["worst"][:1], tmp_path / "worst", **where)
    sounds = {file.rsplit("/", 1)[1]: soundfile.read(file, dtype="float32")[0] for file in files}
    assert sounds.keys() == {"000_mixture.wav", "000_source1.wav", "000_estimate1.wav"}
    np.testing.assert_array_equal(sounds["000_mixture.wav"], made[0].mixture)
    np.testing.assert_array_equal(sounds["000_source1.wav"], made[0].sources[0])
    np.testing.assert_array_equal(sounds["000_estimate1.wav"], separate(made[0].mixture)[0])


def test_a_measure_that_no_mixture_has():
    scored = [evaluate.Score(0, {}, {"pesq": 1.2}, {"pesq": np.nan})]
    assert evaluate._summary(scored, "pesq") == {
        "in": None,
        "out": None,
        "improvement": None,
        "mixtures": 0,
    }
    scored.append(evaluate.Score(1, {}, {"pesq": 1.0}, {"pesq": 1.5}))
    found = evaluate._summary(scored, "pesq")
    assert (found["in"], found["out"], found["improvement"]["mean"], found["mixtures"]) == (
        1.0,
        1.5,
        0.5,
        1,
    )


def test_harm_and_the_worst_twentieth(tiny_corpus):
    better = np.arange(-2.0, 38.0)
    assert (evaluate.worst_twentieth(better), evaluate.harm(better)) == (-1.5, 0.05)
    assert (evaluate.worst_twentieth(better[:3]), evaluate.harm(better[2:])) == (-2.0, 0.0)

    def spoil(mixture):
        return (
            mixture
            + 0.1 * np.random.default_rng(0).standard_normal(mixture.size).astype(np.float32)
        )[None]

    result = evaluate.evaluate(
        spoil, split="test", sources=1, mixtures=3, corpus=tiny_corpus, measures=("sisdr",)
    )
    assert result["harm"] == 1 and result["worst_twentieth_db"] == pytest.approx(
        result["worst"][0]["sisdri_db"]
    )
    for groups in result["by"].values():
        assert all(
            found["harm"] == 1 and found["worst_twentieth"] <= found["mean"]
            for found in groups.values()
        )


@pytest.mark.parametrize("sources", [1, 2])
def test_the_split_decides_what_mixtures_are_like(sources):
    new, old = evaluate.spec("test", sources), evaluate.spec("test-2026-11", sources)
    assert evaluate.spec("validation", sources) == new
    assert new == (mixer.ENHANCE_EVAL if sources == 1 else mixer.SEPARATE_EVAL)
    assert old == dataclasses.replace(
        old,
        room_probability=0,
        dc_probability=0,
        hum_probability=0,
        balanced=False,
        level_db=(-35, -15),
    )
    assert evaluate.spec("test", sources, 0.5).room_probability == 0.5
    assert evaluate.spec("test", sources, level_db=-20).level_db == (-20, -20)


def test_ranges_of_snr():
    assert evaluate._snr_range(24.9) == "20 to 25 dB" and evaluate._snr_range(-5.0) == "-5 to 0 dB"
    assert evaluate._snr_range(None) == "no noise" and evaluate._snr_range(40.0) == "another"
    assert evaluate._disturbances({"dc": 0.1, "hum": -30.0}) == ["offset (DC)", "hum"]
    assert evaluate._disturbances({"dc": None, "hum": None}) == ["neither offset nor hum"]


def test_ranges_of_snr_are_in_rising_order():
    groups = [["10 to 15 dB"], ["no noise"], ["5 to 10 dB"], ["-5 to 0 dB"]]
    result = evaluate._by(np.zeros(4), groups, evaluate._SNR_ORDER)
    assert list(result) == ["-5 to 0 dB", "5 to 10 dB", "10 to 15 dB", "no noise"]
