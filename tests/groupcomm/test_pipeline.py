"""The functions of the public API that train, convert, evaluate and compare reach a result."""

import pytest

import groupcomm
from tf_model.evaluation import evaluate as evaluation
from tf_model.training import train as training

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


def recorded(monkeypatch, module, name):
    """Record what a function returns, as dicts in the order of the calls."""
    calls, original = [], getattr(module, name)

    def call(*arguments, **options):
        calls.append(original(*arguments, **options))
        return calls[-1]

    monkeypatch.setattr(module, name, call)
    return calls


@pytest.mark.train
def test_a_network_of_other_sizes_is_trained_converted_and_evaluated(
    tiny_corpus, tmp_path, monkeypatch
):
    trained = recorded(monkeypatch, training, "train")
    scored = recorded(monkeypatch, evaluation, "evaluate")
    recipe = {"steps": 2, "batch": 2, "seconds": 0.5, "validate_every": 1, "validation_mixtures": 2}
    run = groupcomm.train(
        "enhance-nano", tmp_path / "run", sizes={"hidden": 8}, corpus=tiny_corpus, **recipe
    )
    assert isinstance(run, groupcomm.Training) and run.steps == 2
    assert run.to_dict() == trained[0]

    converted = groupcomm.convert(run.checkpoint, tmp_path / "bundle", name="mine")
    assert isinstance(converted, groupcomm.Conversion) and converted.method == "ptq"
    opened = groupcomm.load(converted.bundle)
    assert opened.name == "mine" and opened.description["network"]["hidden"] == 8
    assert converted.model_bytes == (tmp_path / "bundle" / "model.tflite").stat().st_size

    for network, runtime in ((run.checkpoint, "keras"), (converted.bundle, "tflm")):
        found = groupcomm.evaluate(network, mixtures=2, corpus=tiny_corpus)
        assert isinstance(found, groupcomm.Evaluation) and found.runtime == runtime
        named = {"name": str(network), "runtime": runtime, "corpus": tiny_corpus}
        assert found.to_dict() == named | scored[-1]
    assert len(scored) == 2


@pytest.mark.bazel
def test_parity_is_exact(monkeypatch):
    from convert.verify import parity as comparison

    compared = recorded(monkeypatch, comparison, "parity")
    found = groupcomm.parity("enhance-nano", hops=20)
    assert isinstance(found, groupcomm.Parity) and found.exact
    assert found.to_dict() == compared[0]
