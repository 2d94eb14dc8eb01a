"""Pruning keeps the requested number of the largest weights; a pruned run resumes exactly."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from groupcomm.errors import UserError
from tf_model.training import checkpoint, pruning, train

pytestmark = pytest.mark.tensorflow

RECIPE = train.Recipe(
    steps=6,
    batch=2,
    seconds=0.5,
    learning_rate=1e-2,
    validate_every=1,
    validation_mixtures=2,
    patience=9,
    corpus="tiny",
)
KEEP = 2000


def test_the_largest_weights_remain(random):
    matrix, kernel, bias = (
        tf.Variable(random.standard_normal(shape).astype(np.float32))
        for shape in ((10, 10), (3, 4, 5), (7,))
    )
    before = [v.numpy() for v in (matrix, kernel, bias)]
    pruner = pruning.Pruner([matrix, kernel, bias], keep=7 + 32, steps=8)
    assert [pruner.left(step) for step in (0, 2, 4, 8)] == [160, 32 + 16, 32, 32]
    pruner(4)
    sizes = np.sort(np.abs(np.concatenate([before[0].ravel(), before[1].ravel()])))
    for v, was in zip((matrix, kernel), before[:2], strict=True):
        np.testing.assert_array_equal(v.numpy(), np.where(np.abs(was) >= sizes[-32], was, 0))
    np.testing.assert_array_equal(bias.numpy(), before[2])
    for keep in (7, 168):
        with pytest.raises(
            UserError, match=f"keep {keep}: the network has 167 parameters, 7 of them in vectors"
        ):
            pruning.Pruner([matrix, kernel, bias], keep=keep, steps=8)


def test_a_pruned_run_keeps_the_requested_number_and_resumes_exactly(
    tiny_net, tiny_corpus, tmp_path, train_and_stop, capsys
):
    train.train("tiny", tiny_net, RECIPE, tmp_path / "dense")
    dense = str(tmp_path / "dense" / "best")
    recipe = dataclasses.replace(RECIPE, start=dense, keep=KEEP)
    result = train.train("tiny", tiny_net, recipe, tmp_path / "straight")
    assert result["best_step"] >= pruning.ramp_end(recipe.steps)
    straight = checkpoint.load(result["checkpoint"]).model().get_weights()
    assert sum(w.size for w in straight) > KEEP
    # A bias may be zero without pruning.
    assert KEEP - 20 <= sum(np.count_nonzero(w) for w in straight) <= KEEP

    assert pruning.ramp_end(recipe.steps) == 3
    train_and_stop(2, "tiny", tiny_net, recipe, tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "best").exists()  # pruning was not complete
    lines = capsys.readouterr().err
    assert "step 1: loss" in lines and "inf" not in lines  # nothing is the best yet
    train.train("tiny", tiny_net, recipe, tmp_path / "stopped")
    for a, b in zip(
        straight,
        checkpoint.load(str(tmp_path / "stopped" / "best")).model().get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_a_run_starts_from_the_trained_weights(tiny_net, tiny_corpus, tmp_path):
    train.train("tiny", tiny_net, RECIPE, tmp_path / "dense")
    still = dataclasses.replace(
        RECIPE, steps=1, learning_rate=0.0, start=str(tmp_path / "dense" / "best"), seed=5
    )
    train.train("tiny", tiny_net, still, tmp_path / "still")
    pair = [
        checkpoint.load(str(tmp_path / run / "best")).model().get_weights()
        for run in ("dense", "still")
    ]
    for a, b in zip(*pair, strict=True):
        np.testing.assert_array_equal(a, b)
    other = dataclasses.replace(tiny_net, hidden=40)  # more units than were trained
    with pytest.raises(UserError, match="its sizes are not those of other"):
        train.train("other", other, still, tmp_path / "other")
    assert not (tmp_path / "other").exists()
