"""The committed twins are what docs/design/paper.md says of them: the network, seed and recipe of their names, all trained alike."""

import dataclasses
import itertools

import numpy as np
import pytest

from tf_model import checkpoint, networks, train

pytestmark = pytest.mark.tensorflow

KINDS, TASKS, SEEDS = ("dprnn", "gc", "narrow"), ("separate", "enhance"), (0, 1)
DENSE = {
    f"twin-{kind}-{task}-seed{seed}": (kind, task, seed)
    for kind, task, seed in itertools.product(KINDS, TASKS, SEEDS)
}
PRUNED = {
    f"twin-dprnn-{task}-pruned-seed{seed}": ("dprnn", task, seed)
    for task, seed in itertools.product(TASKS, SEEDS)
}
ALIKE = train.Recipe(steps=3000, batch=4, seconds=2.0, objective="si-sdr")


@pytest.fixture(scope="module")
def loaded():
    """name -> (checkpoint, weights)"""
    return {
        name: (c := checkpoint.load(name), c.model().get_weights()) for name in (*DENSE, *PRUNED)
    }


def recipe(trained):
    """Some are older than the recipe's last fields."""
    return train.Recipe(**trained.training["recipe"])


def test_all_are_there_and_no_other():
    assert {name for name in checkpoint.names() if name.startswith("twin-")} == {*DENSE, *PRUNED}


@pytest.mark.parametrize("name", [*DENSE, *PRUNED])
def test_it_is_the_network_of_its_name(name, loaded):
    kind, task, _ = (DENSE | PRUNED)[name]
    trained, _ = loaded[name]
    assert trained.name == f"twin-{kind}-{task}"
    assert trained.net == networks.TWINS[trained.name]


@pytest.mark.parametrize("name", DENSE)
def test_dense_ones_are_trained_alike(name, loaded):
    assert recipe(loaded[name][0]) == dataclasses.replace(ALIKE, seed=DENSE[name][2])


@pytest.mark.parametrize("name", PRUNED)
def test_pruned_ones_start_from_their_dense_one_and_are_as_small_as_the_twin(name, loaded):
    _, task, seed = PRUNED[name]
    trained, weights = loaded[name]
    dense, twin = f"twin-dprnn-{task}-seed{seed}", f"twin-gc-{task}-seed{seed}"
    keep = sum(w.size for w in loaded[twin][1])
    assert recipe(trained) == dataclasses.replace(
        ALIKE, seed=seed, steps=1000, learning_rate=1e-3, start=dense, keep=keep
    )
    matrices = sum(np.count_nonzero(w) for w in weights if w.ndim > 1)
    vectors = sum(w.size for w in weights if w.ndim == 1)  # kept whole, zeros too
    assert matrices + vectors == keep


def test_no_two_have_the_same_weights(loaded):
    assert len({b"".join(w.tobytes() for w in weights) for _, weights in loaded.values()}) == len(
        loaded
    )
