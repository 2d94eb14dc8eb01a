"""Evaluation scores what it is given, and the splits' mixtures stay the same."""

import numpy as np
import pytest

from tf_model import evaluate


def test_doing_nothing_improves_nothing(tiny_corpus):
    result = evaluate.evaluate(lambda m: m[None], split="test", sources=1, mixtures=3, corpus=tiny_corpus)
    assert result["sisdri_db"] == {"mean": 0, "low": 0, "high": 0}
    assert result["sisdr_in_db"] == result["sisdr_out_db"]
    assert (result["split"], result["mixtures"]) == ("test", 3)


def test_two_speakers_are_scored_in_their_best_order(tiny_corpus):
    from calibration_data import corpus, mixer

    data = corpus.open_corpus("train", name=tiny_corpus)
    made = [mixer.mix(data, mixer.SEPARATE_EVAL, seed=evaluate.EVALUATION_SEED, index=i) for i in range(2)]
    by_sum = {m.mixture.tobytes(): m.sources[::-1] for m in made}  # the right answer, the wrong way round
    result = evaluate.evaluate(lambda m: by_sum[m.tobytes()], split="train", sources=2, mixtures=2, corpus=tiny_corpus)
    assert result["sisdr_out_db"] == pytest.approx(80, abs=1)
    assert np.isfinite(result["sisdr_in_db"])
