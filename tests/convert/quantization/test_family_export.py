"""The papers' family in float TFLite equals Keras in every runtime, and handles state correctly."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from convert.quantization import export, ptq
from convert.run import separator
from convert.tflite import runtimes
from convert.verify import inspection, state
from groupcomm.errors import UserError
from tf_model.layers.blstm import BLSTM
from tf_model.networks import find, tasnet
from tf_model.networks.tasnet import TasNet
from tf_model.training import checkpoint

pytestmark = pytest.mark.tensorflow

SMALL = {"blocks": 1, "chunk": 6, "features": 16, "hidden": 5, "window": 8}
NETS = {
    "gc": TasNet(**SMALL, group_comm="blstm", groups=2),
    "dptnet": TasNet("dptnet", **SMALL, bottleneck=8),
    "gc-dprnn-causal": find("gc-dprnn-causal"),
    "gc3-dprnn-causal": find("gc3-dprnn-causal"),
}
# With two of those above, a small network of every kind that takes a whole mixture
# (docs/design/paper.md).
GC3 = {"group_comm": "tac", "groups": 2, "tac": 6, "codec_hidden": 3, "codec_tac": 4, "context": 4}
SEPARATORS = ("dprnn", "tcn", "dptnet", "sudo")
OTHERS = {
    name: TasNet(name, **SMALL, depth=3, bottleneck=8) for name in SEPARATORS if name not in NETS
}
OTHERS |= {f"gc3-{name}": TasNet(name, **SMALL, **GC3, depth=3) for name in SEPARATORS}
OTHERS |= {"flstm": TasNet(**SMALL | {"hidden": 6}, bottleneck=8, group_comm="flstm", groups=2)}
KINDS = [runtimes.LiteRT, runtimes.TfliteRuntime, runtimes.Tflm]
SAMPLES = 400


@pytest.fixture(scope="module", params=NETS)
def converted(request):
    """Return a network with random weights, a mixture, its estimates, and its float `.tflite`."""
    network = checkpoint.Checkpoint(request.param, NETS[request.param], {}, None)
    net = network.net
    samples = 24 * net.hop - 5 if net.causal else SAMPLES
    mixture = np.random.default_rng(3).normal(0, 0.5, samples).astype(np.float32)
    expected = network.model()(mixture[None]).numpy()[0]
    return net, mixture, expected, export.to_float(network, seconds=SAMPLES / net.sample_rate)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_keras(converted, kind):
    net, mixture, expected, content = converted
    separate = separator.from_float(net, kind(content))
    loud = np.abs(expected).max()
    first = separate(mixture)
    assert np.abs(first - expected).max() < 1e-5 * loud
    assert np.abs(expected).mean() > 1e-2 * loud  # the equal signals are not silence
    np.testing.assert_array_equal(separate(mixture), first)


def test_state_persists_only_between_hops(converted):
    """A whole mixture starts from zero in every call; a stream keeps its state.

    The fused LSTM keeps its state in both cases.
    """
    net, mixture, _, content = converted
    runtime = runtimes.LiteRT(content)
    once = mixture[None] if not net.causal else mixture[None, : net.hop + net.window // 2]
    first, second = runtime(once), runtime(once)
    assert (np.abs(first - second).max() > 1e-3 * np.abs(first).max()) == net.causal
    runtime.reset()
    np.testing.assert_array_equal(runtime(once), first)


def lstm_model(layer):
    @dataclasses.dataclass
    class Model:
        weights: list
        submodules: tuple = ()

        def __call__(self, x):
            return tf.reshape(layer(tf.reshape(x, [3, 4, 8])), [3, -1])

    return export._converter(Model(layer.weights), shape=(1, 96)).convert()


def test_plain_blstm_keeps_state_and_inspect_reports_it(random, tmp_path):
    layer = BLSTM(5)
    layer.build(tf.TensorShape([None, None, 8]))
    layer.set_weights([random.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    x = random.normal(0, 1, (1, 96)).astype(np.float32)
    expected = layer(x.reshape(3, 4, 8)).numpy().reshape(3, -1)
    for part in (layer.forward_layer, layer.backward_layer):
        part.export = True  # use TFLite's fused operator
    for layer.export in (False, True):
        content = lstm_model(layer)
        for kind in KINDS:
            runtime = kind(content)
            np.testing.assert_allclose(runtime(x), expected, atol=1e-6)
            off = np.abs(runtime(x) - expected).max()
            assert off < 1e-6 if layer.export else off > 1e-2, kind
            runtime(1e4 * x)  # some earlier state
            assert not layer.export or np.abs(runtime(x) - expected).max() < 1e-6
        (tmp_path / "m.tflite").write_bytes(content)
        found = inspection.inspect(str(tmp_path / "m.tflite"))
        assert found["unsupported"] == []
        assert found["notes"] == (
            [] if layer.export else [f"2 LSTMs {state.CARRIES_OVER_SEQUENCES}"]
        )


def test_tflm_runs_it(converted, tmp_path):
    net, _, _, content = converted
    (tmp_path / "m.tflite").write_bytes(content)
    found = inspection.inspect(str(tmp_path / "m.tflite"))
    assert found["unsupported"] == [] and found["arena_bytes"] < (2**18 if net.causal else 2**24)
    assert found["notes"] == (
        [f"state of {net.blocks} LSTMs: {state.CARRIES_TO_THE_NEXT}"] if net.causal else []
    )
    assert "WHILE" not in {o["name"] for o in found["operators"]}
    samples = net.window // 2 + net.hop if net.causal else SAMPLES
    assert found["inputs"][0]["shape"] == [1, samples]
    assert found["outputs"][0]["shape"] == [1, net.sources, samples]


@pytest.mark.parametrize("name", OTHERS)
def test_every_kind_of_network_converts(name, tmp_path, monkeypatch):
    # One pair is enough, and the converter takes a second for every LSTM.
    monkeypatch.setattr(tasnet, "CODEC_LAYERS", 1)
    network = checkpoint.Checkpoint(name, OTHERS[name], {}, None)
    mixture = np.random.default_rng(3).normal(0, 0.5, 133).astype(np.float32)
    expected = network.model()(mixture[None]).numpy()[0]
    file = tmp_path / "m.tflite"
    file.write_bytes(export.to_float(network, seconds=133 / 16000))
    got = separator.from_float(network.net, runtimes.LiteRT(file.read_bytes()))(mixture)
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(expected).mean() > 1e-2 * np.abs(expected).max()
    codes = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0).operatorCodes
    assert not {schema.BuiltinOperator.CUSTOM, schema.BuiltinOperator.WHILE} & {
        code.builtinCode for code in codes
    }
    lacking = [operator["name"] for operator in inspection.inspect(str(file))["unsupported"]]
    assert lacking == (["TILE"] if "sudo" in name else [])


def test_mixture_of_another_length_is_rejected(converted):
    net, mixture, _, content = converted
    if net.causal:
        pytest.skip("takes any length")
    with pytest.raises(UserError, match="399 samples, but the model takes 400"):
        separator.from_float(net, runtimes.LiteRT(content))(mixture[1:])


def test_unsupported_conversion_is_reported():
    network = checkpoint.untrained("gc-dprnn")
    with pytest.raises(
        UserError, match="0.001 s are 16 samples, a window is 32; use 0.002 s or more"
    ):
        export.to_float(network, seconds=0.001)
    with pytest.raises(
        UserError,
        match="gc-dprnn: networks of the papers' family are not quantized; convert with --float",
    ):
        ptq.integers(network, method="min-max", is_16x8=False)
