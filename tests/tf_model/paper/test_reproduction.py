"""The table of `groupcomm reproduce`: parameters, bytes and the network of every line."""

import json

import numpy as np
import pytest
import tf_keras as keras

from groupcomm.errors import UserError
from tf_model.evaluation import evaluate
from tf_model.networks import tasnet
from tf_model.networks.tasnet import TasNet
from tf_model.paper import reproduction
from tf_model.training import checkpoint

pytestmark = pytest.mark.tensorflow


def test_rounded_weights_are_on_a_grid_of_their_column(random):
    w = random.standard_normal((6, 5)).astype(np.float32) * [1, 10, 0.1, 1, 0]
    bias = random.standard_normal(5).astype(np.float32)
    for bits in (2, 4, 8):
        rounded, same = reproduction.round_weights([w.astype(np.float32), bias], bits)
        np.testing.assert_array_equal(same, bias)
        step = np.abs(w).max(0) / (2 ** (bits - 1) - 1)
        assert (np.abs(rounded - w) <= step / 2 + 1e-6).all()
        assert all(len(np.unique(column)) <= 2**bits - 1 for column in rounded.T)
    np.testing.assert_array_equal(reproduction.round_weights([w], 32)[0], w)


def test_size_counts_what_is_kept():
    dense, bias = np.ones((10, 8), np.float32), np.zeros(8, np.float32)
    assert reproduction.size([dense, bias], 32) == (88, 4 * 88)
    assert reproduction.size([dense, bias], 8) == (88, 80 + 4 * 8 + 4 * 8)
    sparse = np.zeros((10, 8), np.float32)
    sparse[0, :4] = 1
    assert reproduction.size([sparse, bias], 32) == (12, 4 * 4 + 80 // 8 + 4 * 8)


def macs_per_second(net):
    """Return the MACs per second of a network without blocks: a quarter of those of 4 s.

    The parts are the filterbank, the masks, the inverse, and the layer before the masks, in chunks.
    """
    n, frames, chunks = net.features, 2002, 42  # of windows of 64 samples, and of 100 frames
    return (
        frames * (64 * n + n * net.sources * n + net.sources * n * 64) + chunks * 100 * n * n
    ) // 4


def weight_bytes(net, bits):
    n, outputs = net.features, net.sources * net.features
    places, columns = 64 * n + n * n + n * outputs + n * 64, n + n + outputs + 64
    vectors = 2 * n + n + outputs
    return places * bits // 8 + 4 * vectors + (4 * columns if bits < 32 else 0)


@pytest.fixture
def baselines(tmp_path, monkeypatch):
    """Untrained baselines without blocks under the names of the trained ones."""
    monkeypatch.setattr(checkpoint, "TRAINED", tmp_path / "trained")
    for number, (kind, name) in enumerate({s.kind: s for s in reproduction.SYSTEMS}.items()):
        for task, sources in (("separate", 2), ("enhance", 1)):
            for seed in reproduction.SEEDS:
                keras.utils.set_random_seed(100 * number + seed)
                net = TasNet(blocks=0, features=8 + 2 * number, window=64, sources=sources)
                checkpoint.save(
                    tmp_path / "trained" / reproduction._name(name, task, seed),
                    kind,
                    net,
                    {},
                    tasnet.build(net),
                )
    return tmp_path


def test_every_line_is_scored_and_a_second_run_scores_nothing(baselines, tiny_corpus, monkeypatch):
    result = reproduction.reproduce(baselines / "out", mixtures=3, corpus=tiny_corpus)
    assert [(r["task"], r["system"]) for r in result["rows"]] == [
        (t, s.label) for t in reproduction.TASKS for s in reproduction.SYSTEMS
    ]
    assert json.loads((baselines / "out" / "reproduction.json").read_text()) == result
    assert (baselines / "out" / "reproduction.png").read_bytes().startswith(b"\x89PNG")
    for row in result["rows"]:
        assert row["sisdri_db"]["low"] <= row["sisdri_db"]["mean"] <= row["sisdri_db"]["high"]
        assert row["sisdri_db"]["mean"] == pytest.approx(np.mean(row["seeds_db"]))
        assert row["seeds_db"][0] != row["seeds_db"][1]
        assert (row["against_baseline_db"]["mean"] == 0) == (
            row["system"] == reproduction.BASELINE.label
        )
        kind = next(s for s in reproduction.SYSTEMS if s.label == row["system"]).kind
        net = checkpoint.load(
            reproduction._name(
                next(s for s in reproduction.SYSTEMS if s.kind == kind), row["task"], 0
            )
        ).net
        assert row["params"] == tasnet.build(net).count_params()
        assert row["macs_per_second"] == macs_per_second(net)
        assert row["weight_bytes"] == weight_bytes(
            net, bits=8 if "8-bit" in row["system"] else 4 if "4-bit" in row["system"] else 32
        )

    def improvements(name, bits):
        """Return the SI-SDR improvement of a committed network on unseen speakers."""
        trained = checkpoint.load(name)
        model = trained.model()
        model.set_weights(reproduction.round_weights(model.get_weights(), bits))
        scored = evaluate.scores(
            lambda m: model(m[None]).numpy()[0],
            split="test",
            sources=2,
            mixtures=3,
            corpus=tiny_corpus,
        )
        return np.array([s.after["sisdr"] - s.before["sisdr"] for s in scored])

    row = next(
        r
        for r in result["rows"]
        if (r["task"], r["system"]) == ("separate", "GC-DPRNN, K = 16, 8-bit weights")
    )
    ours, baseline = (
        [improvements(f"matched-{kind}-separate-seed{seed}", bits) for seed in (0, 1)]
        for kind, bits in (("gc", 8), ("dprnn", 32))
    )
    assert row["seeds_db"] == pytest.approx([each.mean() for each in ours], abs=1e-3)
    assert row["sisdri_db"]["mean"] == pytest.approx(np.mean(ours), abs=1e-3)
    assert row["against_baseline_db"]["mean"] == pytest.approx(
        np.mean(ours) - np.mean(baseline), abs=1e-3
    )

    def again(*args, **kwargs):
        raise AssertionError("scored twice")

    monkeypatch.setattr(reproduction.evaluate, "scores", again)
    assert reproduction.reproduce(baselines / "out", mixtures=3, corpus=tiny_corpus) == result
    with pytest.raises(AssertionError, match="scored twice"):
        reproduction.reproduce(baselines / "out", mixtures=2, corpus=tiny_corpus)


def test_a_baseline_that_is_not_trained_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "TRAINED", tmp_path)
    with pytest.raises(
        UserError,
        match="matched-dprnn-enhance-pruned-seed0: not under tf_model/trained .16 of 16 missing",
    ):
        reproduction.reproduce(tmp_path / "out")
