"""Quantization-aware training computes what the `.tflite` computes, with the trained ranges."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from convert import bundle
from convert.quantization import export, ptq, qat, quantizer
from convert.tflite import flatbuffer, graph, runtimes
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm, ok
from tests.helpers.streaming_models import NETS, run, snr
from tf_model.networks import streaming
from tf_model.training import checkpoint

pytestmark = pytest.mark.tensorflow

HOPS = 40
KINDS = NETS | {"tac": dataclasses.replace(NETS["tac"], blocks=1)}


@pytest.fixture(scope="module", params=KINDS)
def network(request, tmp_path_factory):
    """Return a network with weights as large as trained ones, and ranges of its activations."""
    folder, random = tmp_path_factory.mktemp("qat"), np.random.default_rng(1)
    model = streaming.build(KINDS[request.param])
    model.set_weights(
        [
            random.normal(0, 0.8 / np.sqrt(w.shape[0]) if w.ndim > 1 else 0.1, w.shape)
            for w in model.get_weights()
        ]
    )
    checkpoint.save(folder / "net", request.param, KINDS[request.param], {}, model)
    trained = checkpoint.load(str(folder / "net"))
    content, _, observed = ptq.observe(trained)
    return trained, quantizer.choose_ranges(content, observed, "percentile", is_16x8=False)


def input_index(trained) -> int:
    """Return the index of the tensor of the features."""
    return flatbuffer.read(export.to_float(trained)).graph.inputs[0].index


@pytest.mark.parametrize("weights", [8, 4])
def test_rounding_matches_tflm(network, random, weights):
    """Results differ only where a value is at half a step.

    There, float32 and TFLM's multipliers can round to different sides. Scales with 12 bits make
    halves more frequent: over five sounds, the margin is 4.8 to 6.5 dB, and 5.2 to 7.8 dB with 24.
    """
    trained, ranges = network
    features = random.uniform(0, 1, (HOPS, trained.net.signal.n_features)).astype(np.float32)
    scale = quantizer.scale_of(*ranges[input_index(trained)])
    inputs = scale.dequantize(scale.quantize(features))
    exact, _ = run(
        runtimes.Tflm,
        quantizer.quantize(export.to_float(trained), ranges, is_16x8=False, weights=weights),
        features,
    )
    model = trained.model()
    fake = qat.FakeQuantized("net", model, net=trained.net, ranges=ranges, weights=weights)
    compute = tf.function(fake, autograph=False)
    got = compute(tf.constant(np.stack([inputs, inputs[::-1]]))).numpy()
    plain = model(inputs[None]).numpy()[0]
    assert snr(got[0], exact) > snr(plain, exact) + 4
    assert np.mean(np.rint(256 * got[0]) == np.rint(256 * exact)) > 0.8
    # Sounds of a batch are independent.
    swapped = compute(tf.constant(np.stack([inputs[::-1], inputs]))).numpy()
    np.testing.assert_allclose(swapped, got[::-1], atol=1 / 256)


def test_output_equals_the_network_without_rounding(network, random, monkeypatch):
    trained, ranges = network
    monkeypatch.setattr(qat, "_round_to_grid", lambda x, *scale: x)
    monkeypatch.setattr(tf.quantization, "fake_quant_with_min_max_vars", lambda x, *limits: x)
    features = random.uniform(0, 1, (2, HOPS, trained.net.signal.n_features)).astype(np.float32)
    model = trained.model()
    fake = qat.FakeQuantized("net", model, net=trained.net, ranges=ranges)
    np.testing.assert_allclose(
        fake(tf.constant(features)).numpy(), model(features).numpy(), atol=1e-4
    )


def test_gradients_reach_every_weight_and_range(network, random):
    trained, ranges = network
    # With these ranges, every activation is clipped somewhere.
    narrow = {i: (low / 4, high / 4) for i, (low, high) in ranges.items()}
    fake = qat.FakeQuantized("net", trained.model(), net=trained.net, ranges=narrow)
    features = random.uniform(0, 1, (2, HOPS, trained.net.signal.n_features)).astype(np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(fake(tf.constant(features)) ** 2)
    gradients = dict(
        zip(
            [v.name for v in fake.trainable_variables],
            tape.gradient(loss, fake.trainable_variables),
            strict=True,
        )
    )
    silent = [name for name, gradient in gradients.items() if np.abs(gradient.numpy()).max() == 0]
    assert not [name for name in silent if not name.startswith(("low", "high"))]
    highs = [name for name in gradients if name.startswith("high")]
    # In such a short sound, not every range is reached.
    assert len(set(highs) & set(silent)) < len(highs) / 3


def test_bundle_has_the_trained_ranges(network, tmp_path):
    """The ranges survive saving, loading and conversion."""
    trained, ranges = network
    fake = qat.FakeQuantized("net", trained.model(), net=trained.net, ranges=ranges)
    for variable in fake.highs:
        variable.assign(variable * 1.25)
    checkpoint.save(tmp_path / "net", trained.name, trained.net, fake.metadata(), trained.model())
    written = bundle.write(checkpoint.load(str(tmp_path / "net")), tmp_path / "bundle")
    assert written.description["quantization"] == {
        "method": "qat",
        "ranges": "trained",
        "activations": 8,
        "calibration_hops": 0,
    }
    low, high = ranges[input_index(trained)]
    assert written.description["features"]["scale"] == quantizer.short_scale(
        (1.25 * high - low) / 255
    )
    chosen = bundle.write(
        checkpoint.load(str(tmp_path / "net")), tmp_path / "ptq", method="percentile"
    )
    assert chosen.description["quantization"]["method"] == "ptq" and chosen.model != written.model


def test_training_rounds_scales_as_the_conversion_does(random):
    scales = np.exp(random.uniform(-12, 3, 1000)).astype(np.float32)
    np.testing.assert_array_equal(qat._short_scale(scales), quantizer.short_scale(scales))


def test_four_bit_weights(network, tmp_path):
    """Weights take half a byte each and match the trained ones; the LSTM's stay int8."""
    trained, ranges = network
    fake = qat.FakeQuantized("net", trained.model(), net=trained.net, ranges=ranges, weights=4)
    checkpoint.save(tmp_path / "net", trained.name, trained.net, fake.metadata(), trained.model())
    written = bundle.write(checkpoint.load(str(tmp_path / "net")), tmp_path / "bundle")
    assert written.description["quantization"]["weights"] == 4
    four = flatbuffer.read(written.model).graph
    eight = flatbuffer.read(
        bundle.write(trained, tmp_path / "eight", method="percentile").model
    ).graph
    matrices = 0
    for a, b in zip(four.operators, eight.operators, strict=True):
        if len(a.inputs) < 2 or a.inputs[1].data is None:
            continue
        narrow, full = a.inputs[1], b.inputs[1]
        assert (narrow.dtype == "int4") == isinstance(a, graph.FullyConnected)
        if not isinstance(a, graph.FullyConnected):
            continue
        assert narrow.byte_size == -(-narrow.size // 2) and len(narrow.scales) == 1
        values = narrow.data * narrow.scale
        steps = full.scales[:, None]
        assert np.all(np.abs(values - full.data * steps) <= 0.501 * (narrow.scale + steps))
        matrices += 1
    assert matrices > 5


def test_missing_trained_ranges_are_reported(network):
    with pytest.raises(UserError, match="no ranges were trained; train them with `groupcomm qat`"):
        ptq.integers(network[0], method=None, is_16x8=False)


# The command is the same for every kind of network.
@pytest.mark.parametrize("network", ["tac"], indirect=True)
def test_command_trains_resumes_and_converts(network, tiny_corpus, tmp_path):
    trained, _ = network
    where = tmp_path / "start"
    checkpoint.save(
        where,
        trained.name,
        trained.net,
        {"recipe": {"corpus": tiny_corpus, "objective": "spectral", "noise": "varied"}},
        trained.model(),
    )
    arguments = (
        "qat",
        where,
        "--steps",
        4,
        "--batch",
        2,
        "--seconds",
        1,
        "--validate-every",
        2,
        "--validation-mixtures",
        2,
        "--out",
        tmp_path / "run",
    )
    found = ok(*arguments, "--json")
    assert found["steps"] == 4
    training = json.loads((tmp_path / "run" / "best" / "network.json").read_text())["training"]
    assert (training["recipe"]["objective"], training["recipe"]["noise"]) == (
        "spectral",
        "varied",
    ) and len(training["ranges"]) > 10
    assert "resuming at step 4 of 4" in groupcomm(*arguments).stderr
    assert (
        "ranges is percentile in the run, error requested"
        in groupcomm(*arguments, "--ranges", "error").stderr
    )
    assert (
        ok("convert", tmp_path / "run" / "best", "--out", tmp_path / "bundle", "--json")["method"]
        == "qat"
    )
