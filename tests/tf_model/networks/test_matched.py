"""The networks of the paper comparison have the sizes, seeds and recipes that their names state."""

import dataclasses
import itertools

import numpy as np
import pytest

from tf_model import networks
from tf_model.training import checkpoint, train

pytestmark = pytest.mark.tensorflow

KINDS, TASKS, SEEDS = ("dprnn", "gc", "narrow"), ("separate", "enhance"), (0, 1)
DENSE = {
    f"matched-{kind}-{task}-seed{seed}": (kind, task, seed)
    for kind, task, seed in itertools.product(KINDS, TASKS, SEEDS)
}
PRUNED = {
    f"matched-dprnn-{task}-pruned-seed{seed}": ("dprnn", task, seed)
    for task, seed in itertools.product(TASKS, SEEDS)
}
# The validation set and the corpus were the defaults of release 0.1.0.
ALIKE = train.Recipe(
    steps=3000,
    batch=4,
    seconds=2.0,
    objective="si-sdr",
    validation_mixtures=64,
    corpus="debian",
)


@pytest.fixture(scope="module")
def loaded():
    """Load all checkpoints: a dictionary of (checkpoint, weights) by name."""
    return {
        name: (c := checkpoint.load(name), c.model().get_weights()) for name in (*DENSE, *PRUNED)
    }


def recipe(trained):
    """Return the recipe; fields that older checkpoints lack have their defaults."""
    return train.Recipe(**trained.training["recipe"])


def test_exactly_the_expected_checkpoints_exist():
    assert {name for name in checkpoint.names() if name.startswith("matched-")} == {*DENSE, *PRUNED}


@pytest.mark.parametrize("name", [*DENSE, *PRUNED])
def test_every_checkpoint_has_the_network_of_its_name(name, loaded):
    kind, task, _ = (DENSE | PRUNED)[name]
    trained, _ = loaded[name]
    assert trained.name == f"matched-{kind}-{task}"
    assert trained.net == networks.MATCHED[trained.name]


@pytest.mark.parametrize("name", DENSE)
def test_dense_networks_have_the_same_recipe(name, loaded):
    assert recipe(loaded[name][0]) == dataclasses.replace(ALIKE, seed=DENSE[name][2])


@pytest.mark.parametrize("name", PRUNED)
def test_pruned_networks_start_from_the_dense_one_and_match_the_gc_size(name, loaded):
    _, task, seed = PRUNED[name]
    trained, weights = loaded[name]
    dense, grouped = f"matched-dprnn-{task}-seed{seed}", f"matched-gc-{task}-seed{seed}"
    keep = sum(w.size for w in loaded[grouped][1])
    assert recipe(trained) == dataclasses.replace(
        ALIKE, seed=seed, steps=1000, learning_rate=1e-3, start=dense, keep=keep
    )
    matrices = sum(np.count_nonzero(w) for w in weights if w.ndim > 1)
    vectors = sum(w.size for w in weights if w.ndim == 1)  # not pruned; zeros count
    assert matrices + vectors == keep


def test_all_checkpoints_have_different_weights(loaded):
    assert len({b"".join(w.tobytes() for w in weights) for _, weights in loaded.values()}) == len(
        loaded
    )
