"""Streaming equals sequence in Keras and in float TFLite, for every network."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from convert.quantization import export
from convert.tflite import counts, runtimes
from groupcomm.errors import UserError
from tf_model import cost
from tf_model.layers.bottleneck import Bottleneck
from tf_model.layers.tac import TAC
from tf_model.networks import STREAMING, Streaming, changed, find, streaming
from tf_model.training import checkpoint

pytestmark = pytest.mark.tensorflow

HOPS = 60


def views(net, random):
    sequence, stream = streaming.build(net), streaming.build(net, "streaming")
    # Weights of the size of trained ones, so that state and gates have an effect. Larger ones would
    # amplify rounding. Biases are not zero, because the converter would drop them.
    sequence.set_weights(
        [
            random.normal(0, 0.8 / np.sqrt(w.shape[0]) if w.ndim > 1 else 0.1, w.shape)
            for w in sequence.get_weights()
        ]
    )
    stream.set_weights(sequence.get_weights())
    return sequence, stream


NETS = {
    **STREAMING,
    "enhance-tasnet": dataclasses.replace(find("enhance-tasnet"), sources=2),
    "memory": dataclasses.replace(find("enhance-nano"), memory=12),
}


@pytest.mark.parametrize("name", NETS)
def test_streaming_equals_sequence_in_keras(name, random):
    net = NETS[name]
    sequence, stream = views(net, random)
    features = random.uniform(0, 1, (HOPS, net.signal.n_features)).astype(np.float32)
    whole = sequence(features[None]).numpy()[0]
    # Traced once, so that a hop does not run layer by layer in Python.
    hop = tf.function(lambda frame: stream(frame), autograph=False)
    first = np.concatenate([hop(f[None]).numpy() for f in features])
    np.testing.assert_allclose(first, whole, atol=1e-5)
    assert np.abs(whole[0] - whole[-1]).max() > 1e-3  # the output is not constant
    not_reset = hop(features[:1]).numpy()[0]
    assert np.abs(not_reset - whole[0]).max() > 1e-4  # the state has an effect
    streaming.reset(stream)
    np.testing.assert_array_equal(hop(features[:1]).numpy()[0], first[0])


@pytest.mark.parametrize("name", ["enhance", "enhance-nano", "separate"])
def test_ablations_have_the_stated_sizes(name):
    """MACs or parameters agree within 2 %, and "-no-groupcomm" lacks Group Communication only."""
    of = {
        kind: cost.cost(find(name + kind))
        for kind in ("-tac", "-no-groupcomm", "-dense-macs", "-dense-params")
    }
    own = cost.cost(find(name))
    assert of["-dense-macs"]["macs_per_hop"] == pytest.approx(own["macs_per_hop"], rel=0.02)
    assert of["-dense-params"]["params"] == pytest.approx(own["params"], rel=0.02)
    net = find(name)
    sizes = net.groups, net.features // net.groups
    tac, bottleneck = (
        net.blocks * macs
        for macs in (TAC.macs(*sizes, net.tac), Bottleneck.macs(*sizes, net.bottleneck))
    )
    assert of["-tac"]["macs_per_hop"] == own["macs_per_hop"] - bottleneck < own["macs_per_hop"]
    assert (
        of["-no-groupcomm"]["macs_per_hop"]
        == own["macs_per_hop"] - bottleneck - tac
        > 0.6 * own["macs_per_hop"]
    )


@pytest.fixture(scope="module", params=NETS)
def converted(request, tmp_path_factory):
    """Return sizes, sequence view and float `.tflite` of every network."""
    net = NETS[request.param]
    sequence, _ = views(net, np.random.default_rng(7))
    folder = tmp_path_factory.mktemp("float")
    checkpoint.save(folder / "net", request.param, net, {}, sequence)
    (folder / "m.tflite").write_bytes(export.to_float(checkpoint.load(str(folder / "net"))))
    return net, sequence, folder / "m.tflite"


@pytest.mark.parametrize("kind", [runtimes.TfliteRuntime, runtimes.LiteRT, runtimes.Tflm])
def test_streaming_equals_sequence_in_float_tflite(converted, kind, random):
    net, sequence, file = converted
    features = random.uniform(0, 1, (HOPS, net.signal.n_features)).astype(np.float32)
    whole = sequence(features[None]).numpy()[0]
    runtime = kind(file.read_bytes())
    first = runtime(features)
    np.testing.assert_allclose(first, whole, atol=1e-5)
    runtime.reset()
    np.testing.assert_array_equal(runtime(features), first)


def test_cost_matches_the_flatbuffer(converted):
    net, _, file = converted
    model = counts.read(file)
    figures = cost.cost(net)
    assert model.macs == figures["macs_per_hop"]
    assert model.parameters == figures["params"]
    found = {o.name: o.count for o in model.operators}
    is_tcn = net.over_time == "tcn"
    lstms = net.blocks * (2 * (net.group_comm == "blstm") + (not is_tcn)) + bool(net.memory)
    assert found.get("UNIDIRECTIONAL_SEQUENCE_LSTM", 0) == lstms
    assert found.get("DEPTHWISE_CONV_2D", 0) == is_tcn * net.blocks
    assert model.stateful_sequences == 0


@pytest.mark.parametrize(
    ("name", "params", "macs_per_second", "latency_ms"),
    [
        ("enhance", 50_000, 37e6, 16),
        ("enhance-max", 60_000, 50e6, 16),
        ("enhance-nano", 25_000, 14e6, 16),
        ("enhance-fast", 40_000, 37e6, 8),
        ("enhance-tasnet", 20_000, 40e6, 4),
        ("enhance-tcn", 26_000, 14e6, 16),
        ("separate", 40_000, 37e6, 16),
    ],
)
def test_networks_for_boards_are_within_budget(name, params, macs_per_second, latency_ms):
    net = find(name)
    figures = cost.cost(net)
    assert figures["params"] <= params
    assert figures["macs_per_second"] <= macs_per_second
    assert (
        figures["macs_per_second"]
        == figures["macs_per_hop"] * net.signal.sample_rate / net.signal.hop
    )
    assert figures["latency_ms"] == latency_ms


def test_only_the_recurrence_over_time_has_state():
    assert (
        cost.state_bytes(Streaming(group_comm="blstm"))
        == cost.state_bytes(Streaming())
        == 4 * 16 * 32 * 3
    )
    # Two frames for each frame between the taps of 1 + 2 + 4 + 8 + 16.
    assert cost.state_bytes(find("enhance-tcn")) == 2 * 31 * 10 * 40


def test_gradients_reach_every_weight(tiny_net, random):
    model = streaming.build(tiny_net)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(random.uniform(0, 1, (2, 5, 129)).astype(np.float32)) ** 2)
    for weight, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert gradient is not None and np.abs(gradient.numpy()).max() > 0, weight.name


def test_sizes_can_be_changed_by_name():
    net = changed(find("enhance-nano"), {"hidden": "32", "signal.level": 0.5, "group_comm": "none"})
    assert net == dataclasses.replace(
        find("enhance-nano"),
        hidden=32,
        group_comm="none",
        signal=dataclasses.replace(net.signal, level=0.5),
    )
    assert net.signal.level == 0.5
    assert changed(find("gc-dprnn"), {"causal": "true"}).causal is True


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("hiden=3", "no such field; did you mean hidden"),
        ("xyz=3", "no such field; choose one of sources, features"),
        ("hidden=many", "'many' is not a value of hidden, which has the type int"),
        ("groups=7", "7 groups do not divide"),
    ],
)
def test_invalid_set_options_are_rejected(size, message):
    with pytest.raises(UserError, match=message):
        changed(find("enhance-nano"), dict([size.split("=")]))


def test_invalid_sizes_are_rejected(tiny_net):
    with pytest.raises(UserError, match="memory 8: its LSTM is in the bottleneck"):
        dataclasses.replace(tiny_net, memory=8)
    with pytest.raises(UserError, match="5 groups do not divide 32 features"):
        dataclasses.replace(tiny_net, groups=5)
    with pytest.raises(
        UserError,
        match="group_comm 'gru': no such form of Group Communication; use 'tac', 'blstm' or 'none'",
    ):
        dataclasses.replace(tiny_net, group_comm="gru")
    with pytest.raises(UserError, match="over_time 'gru': .* use 'lstm' or 'tcn'"):
        dataclasses.replace(tiny_net, over_time="gru")
    for sizes in ({"blocks": 65536}, {"blocks": 16, "taps": 3}, {"taps": 65536}):
        with pytest.raises(UserError, match="more than 65536 frames, .*; use fewer blocks"):
            dataclasses.replace(tiny_net, over_time="tcn", **sizes)
    with pytest.raises(UserError, match="nosuch: no such network"):
        find("nosuch")
