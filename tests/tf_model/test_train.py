"""Training goes on exactly where it stopped, learns, and says what is wrong."""

import dataclasses
import json

import numpy as np
import pytest

from groupcomm.errors import UserError
from tf_model import checkpoint, train

RECIPE = train.Recipe(steps=6, batch=2, seconds=0.5, learning_rate=1e-2, validate_every=2, validation_mixtures=2, patience=9, corpus="tiny")


def weights(folder):
    return checkpoint.load(str(folder / "best")).model("sequence").get_weights()


def history_of(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_a_stopped_run_ends_with_the_same_weights(tiny_net, tiny_corpus, tmp_path, monkeypatch):
    straight = train.train("tiny", tiny_net, RECIPE, tmp_path / "straight")
    assert straight["steps"] == 6 and not straight["stopped_early"]

    class StopAfter:  # what Ctrl-C sets, after three steps, between two validations
        asked = 0

        def __bool__(self):
            self.asked += 1
            return self.asked > 2

    class Context:
        def __enter__(self):
            return StopAfter()

        def __exit__(self, *_):
            return False

    with monkeypatch.context() as patch:
        patch.setattr(train, "_finish_step_first", Context)
        with pytest.raises(KeyboardInterrupt):
            train.train("tiny", tiny_net, RECIPE, tmp_path / "stopped")
    again = train.train("tiny", tiny_net, RECIPE, tmp_path / "stopped")
    assert again["steps"] == 6
    assert again["sisdri_db"] == straight["sisdri_db"]
    for a, b in zip(weights(tmp_path / "straight"), weights(tmp_path / "stopped"), strict=True):
        np.testing.assert_array_equal(a, b)
    history = [
        [json.loads(line) for line in (tmp_path / run / "history.jsonl").read_text().splitlines()] for run in ("straight", "stopped")
    ]
    assert [h["step"] for h in history[0]] == [2, 4, 6]
    assert [h["sisdri_db"] for h in history[0]] == [h["sisdri_db"] for h in history[1]]
    assert (tmp_path / "stopped" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_it_learns_and_stops_early(tiny_net, tiny_corpus, tmp_path):
    recipe = dataclasses.replace(RECIPE, steps=40, validate_every=10)
    train.train("tiny", tiny_net, recipe, tmp_path / "run")
    losses = [h["loss"] for h in history_of(tmp_path / "run")]
    assert losses[-1] < losses[0] - 1  # dB
    lazy = dataclasses.replace(RECIPE, learning_rate=0.0, steps=40, validate_every=1, patience=3)
    result = train.train("tiny", tiny_net, lazy, tmp_path / "lazy")
    assert result["stopped_early"] and result["steps"] == 4 and result["best_step"] == 1


def test_another_recipe_in_the_same_folder_is_refused(tiny_net, tiny_corpus, tmp_path):
    recipe = dataclasses.replace(RECIPE, steps=1)
    train.train("tiny", tiny_net, recipe, tmp_path / "run")
    with pytest.raises(UserError, match="batch 2 there, 3 asked"):
        train.train("tiny", tiny_net, dataclasses.replace(recipe, batch=3), tmp_path / "run")


def test_no_corpus_of_that_name(tiny_net, tiny_corpus, tmp_path):
    with pytest.raises(UserError, match="'nosuch'.*groupcomm data"):
        train.train("tiny", tiny_net, dataclasses.replace(RECIPE, corpus="nosuch"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
