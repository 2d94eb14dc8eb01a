"""Rounding at one point at a time, and the use of the ranges."""

import json

import numpy as np
import pytest
import tensorflow as tf

from convert.measure import sensitivity
from convert.quantization import export, ptq, qat, quantizer
from tests.helpers.streaming_models import BANDS, random_checkpoint
from tf_model.networks.streaming import Streaming

pytestmark = pytest.mark.tensorflow

HOPS = 40
NET = Streaming(signal=BANDS, features=24, groups=6, blocks=1, tac=4, hidden=4, bottleneck=3)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Return a network with weights as large as trained ones, and ranges of its activations."""
    folder = tmp_path_factory.mktemp("sensitivity")
    trained = random_checkpoint(folder / "net", NET, "tac", np.random.default_rng(1))
    content, _, observed = ptq.observe(trained)
    return trained, quantizer.choose_ranges(content, observed, "min-max", is_16x8=False)


def fake(network, ranges=None, **options):
    trained, chosen = network
    return qat.FakeQuantized(
        "net", trained.model(), net=trained.net, ranges=ranges or chosen, **options
    )


@pytest.fixture
def features(network, random):
    return tf.constant(
        random.uniform(0, 1, (2, HOPS, network[0].net.signal.n_features)).astype(np.float32)
    )


def test_no_points_equal_float_and_all_points_equal_int8(network, features):
    selective = fake(network, selective=True)
    np.testing.assert_allclose(selective(features), network[0].model()(features), atol=1e-4)
    selective.enable_only(set(selective.points))
    np.testing.assert_array_equal(selective(features), fake(network)(features))


def test_every_point_changes_the_output_and_is_listed_once(network, features):
    selective = fake(network, selective=True)
    run = tf.function(selective, autograph=False)
    assert len(set(selective.points)) == len(selective.points)
    exact = run(features).numpy()
    for place in selective.points:
        selective.enable_only({place})
        assert np.abs(run(features) - exact).max() > 1e-7, place


def test_utilization_doubles_when_ranges_are_halved(network, features):
    narrow = {i: (low / 2, high / 2) for i, (low, high) in network[1].items()}
    once, twice = fake(network, selective=True), fake(network, narrow, selective=True)
    ratios = dict(
        zip(
            once.points,
            (twice.range_utilization(features) / once.range_utilization(features)).numpy(),
            strict=True,
        )
    )
    for place, ratio in ratios.items():
        if place.what == "values" and "LOGISTIC" not in place.name:
            assert ratio == pytest.approx(2, rel=1e-4), place
        elif place.what in ("weights", "gates"):
            assert np.isnan(ratio)


def test_clipped_point_has_the_largest_loss(network, tiny_corpus, tmp_path, monkeypatch):
    trained, ranges = network
    group = max(
        (g for g in quantizer.scale_groups(export.to_float(trained)) if not g.kind),
        key=lambda g: len(g.tensors),
    )
    bad = ranges | {i: tuple(end / 50 for end in ranges[i]) for i in group.tensors}
    monkeypatch.setattr(ptq, "trained_ranges", lambda trained: bad)
    monkeypatch.setattr(sensitivity, "STREAM", 4)
    options = {
        "method": None,
        "split": "validation",
        "mixtures": 3,
        "minutes": 1,
        "corpus": tiny_corpus,
    }
    found = sensitivity.sensitivity(trained, tmp_path, **options)
    assert json.loads((tmp_path / "sensitivity.json").read_text()) == found
    assert (tmp_path / "sensitivity.png").read_bytes().startswith(b"\x89PNG")
    worst = max(found["places"], key=lambda place: abs(place["loss_db"]["mean"]))
    assert worst["what"] == "values" and worst["used"] > 5
    assert max(abs(found["all"]["mean"]), 0.01) > 0.2 * abs(worst["loss_db"]["mean"])
