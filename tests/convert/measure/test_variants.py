"""Comparison of one network in every arithmetic, on the same mixtures."""

import dataclasses
import json

import numpy as np
import pytest

from convert.measure import variants
from convert.quantization import ptq, quantizer
from groupcomm.errors import UserError
from tests.helpers.streaming_models import NETS
from tf_model.networks import streaming
from tf_model.training import checkpoint

pytestmark = [pytest.mark.tensorflow, pytest.mark.bazel, pytest.mark.board, pytest.mark.slow]

NET = dataclasses.replace(NETS["tac"], blocks=1)
OPTIONS = {"split": "validation", "mixtures": 2, "levels": 2}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Return a network as trained, and after quantization-aware training with other ranges."""
    folder, random = tmp_path_factory.mktemp("variants"), np.random.default_rng(1)
    model = streaming.build(NET)
    model.set_weights(
        [
            random.normal(0, 0.8 / np.sqrt(w.shape[0]) if w.ndim > 1 else 0.1, w.shape)
            for w in model.get_weights()
        ]
    )
    checkpoint.save(folder / "net", "tac", NET, {}, model)
    trained = checkpoint.load(str(folder / "net"))
    content, _, observed = ptq.observe(trained)
    ranges = quantizer.choose_ranges(content, observed, "min-max", is_16x8=False)
    checkpoint.save(
        folder / "qat",
        "tac",
        NET,
        {"ranges": [[i, 3 * low, 3 * high] for i, (low, high) in ranges.items()]},
        model,
    )
    return trained, [checkpoint.load(str(folder / "qat"))]


def _once_for_each_arithmetic(bench):
    counted = {}

    def once(bundle, board):
        bits = bundle.description["quantization"]["activations"]
        if bits not in counted:
            counted[bits] = bench(bundle, board)
        return counted[bits]

    return once


def test_every_variant_is_compared_with_float(network, tiny_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(variants, "BOARDS", ("cortex-m4",))
    monkeypatch.setattr(variants, "LEVELS", (-30.0,))
    # The search takes seconds for each bundle, and is tested elsewhere.
    monkeypatch.setattr(variants.bundle, "smallest_arena", lambda model: 1024)
    # The ranges do not change the firmware, so one with int8 stands for the others.
    monkeypatch.setattr(variants.bench, "bench", _once_for_each_arithmetic(variants.bench.bench))
    found = variants.compare(*network, tmp_path, corpus=tiny_corpus, **OPTIONS)
    assert json.loads((tmp_path / "variants.json").read_text()) == found
    assert (tmp_path / "variants.png").read_bytes().startswith(b"\x89PNG")
    rows = {row["name"]: row for row in found["variants"]}
    assert list(rows) == [
        "float",
        "ptq-min-max",
        "ptq-percentile",
        "ptq-error",
        "int4",
        "qat",
        "16x8",
    ]
    for name, row in rows.items():
        if name != "float":
            lost = rows["float"]["sisdri_db"]["mean"] - row["sisdri_db"]["mean"]
            assert row["loss"]["sisdr"]["mean"] == pytest.approx(lost, abs=1e-9)
            assert list(row["loss"]["levels"]) == ["-30"]
            assert row["model_bytes"] > 1000
            assert (
                row["instructions"] == {}
                if name == "int4"
                else row["instructions"]["cortex-m4"] > 1000
            )
    losses = {
        name: abs(row["loss"]["sisdr"]["mean"]) for name, row in rows.items() if name != "float"
    }
    assert rows["int4"]["model_bytes"] < rows["ptq-percentile"]["model_bytes"]
    assert losses["16x8"] < losses["qat"]  # the QAT ranges are three times too wide here

    def again(*args):
        raise AssertionError("scored again")

    monkeypatch.setattr(variants.evaluate, "score", again)  # the second run reads all scores
    assert variants.compare(*network, tmp_path, corpus=tiny_corpus, **OPTIONS) == found


def test_checkpoint_with_other_sizes_is_rejected(network, tmp_path):
    with pytest.raises(UserError, match="its sizes differ from those of tac"):
        variants.compare(
            network[0], [checkpoint.load("enhance-nano")], tmp_path, corpus="tiny", **OPTIONS
        )
