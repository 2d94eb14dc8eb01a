"""Networks of the papers' family: shapes, invariances, gradients, counts, and streaming."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from groupcomm.errors import UserError
from tests.helpers.tasnet_models import NETS, SMALL, randomized
from tf_model import networks
from tf_model.cost import cost, paper_params
from tf_model.layers import chunks
from tf_model.networks import CAUSAL, find, tasnet
from tf_model.networks.tasnet import TasNet
from tf_model.training import checkpoint, train

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", NETS)
def test_estimates_have_the_length_of_the_mixture_and_all_weights_gradients(name, random):
    net = NETS[name]
    model = randomized(net, random)
    with tf.GradientTape() as tape:
        y = tf.function(model)(random.standard_normal((2, 133)).astype(np.float32))
        loss = tf.reduce_sum(y**2)
    assert y.shape == (2, net.sources, 133)
    # Only the skip output of the last block of a TCN is used, as in the papers. Its residual output
    # has no gradient.
    unused = (
        {id(w) for w in model.blocks[-1].paths[0].residual.weights}
        if net.separator == "tcn"
        else set()
    )
    assert len(unused) in (0, 2)
    for weight, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert (gradient is None) == (id(weight) in unused), weight.name
        assert gradient is None or np.abs(gradient.numpy()).max() > 0, weight.name


@pytest.mark.parametrize("name", NETS)
def test_mac_counts_use_the_actual_shapes(name, random, monkeypatch):
    net = NETS[name]
    shapes = []
    for kind in (tasnet._Block, tasnet._Codec):

        def spy(self, x, *args, original=kind.__call__, **kwargs):
            shapes.append((self, tuple(x.shape)))
            return original(self, x, *args, **kwargs)

        monkeypatch.setattr(kind, "__call__", spy)
    model = tasnet.build(net)
    model(np.zeros((1, 133), np.float32))
    blocks = [layer.macs(shape) for layer, shape in shapes if isinstance(layer, tasnet._Block)]
    assert len(blocks) == net.blocks
    outer = tasnet.build(dataclasses.replace(net, blocks=0)).macs(133)
    assert model.macs(133) == sum(blocks, outer)
    frames = model.encoder(np.zeros((1, 133 + sum(tasnet.padding(net, 133))))).shape[1]
    assert net.frames(133) == frames
    for _, shape in [s for s in shapes if isinstance(s[0], tasnet._Codec)]:
        assert shape == (
            1,
            chunks.count(frames, 4, overlap=not net.causal),
            4,
            net.groups,
            net.width,
        )


@pytest.mark.parametrize("group_comm", ["tac", "blstm"])
def test_one_group_without_communication_is_the_ungrouped_network(group_comm, random):
    plain = randomized(TasNet(**SMALL), random)
    grouped = randomized(TasNet(**SMALL, group_comm=group_comm, groups=1, tac=6), random)
    for ours, theirs in zip(grouped.blocks, plain.blocks, strict=True):
        ours.group_comm.norm.set_weights([0 * w for w in ours.group_comm.norm.get_weights()])
        for path, source in zip(ours.paths, theirs.paths, strict=True):
            path.set_weights(source.get_weights())
    for part in ("encoder", "norm", "tail", "masks", "decoder"):
        getattr(grouped, part).set_weights(getattr(plain, part).get_weights())
    x = random.standard_normal((1, 133)).astype(np.float32)
    np.testing.assert_array_equal(grouped(x).numpy(), plain(x).numpy())


def test_groups_share_all_weights():
    """More groups of the same width add weights only in the filterbank and its norm."""
    few, many = (
        tasnet.build(TasNet(**SMALL | {"features": 8 * k}, group_comm="tac", groups=k, tac=6))
        for k in (2, 4)
    )
    assert many.count_params() - few.count_params() == 16 * (2 * 8 + 2)
    # A second bias for each of 2 layers x 2 directions x 2 blocks.
    assert paper_params(few) == few.count_params() + 2 * 2 * 2 * 4 * 5


@pytest.fixture(scope="module", params=["gc-causal", "gc3-causal", *CAUSAL])
def stream(request):
    """Run a causal network with random weights on two mixtures, as a sequence and hop by hop."""
    net = NETS.get(request.param) or find(request.param)
    random = np.random.default_rng(3)
    model = randomized(net, random)
    mixtures = random.standard_normal((2, 12 * net.hop)).astype(np.float32)
    whole = model(mixtures).numpy()
    step, state, hops, states = tf.function(model.step), model.initial_state(2), [], []
    for i in range(0, mixtures.shape[1], net.hop):
        hop, state = step(tf.constant(mixtures[:, i : i + net.hop]), state)
        hops.append(hop.numpy())
        states.append(state)
    return net, model, mixtures, whole, np.concatenate(hops, -1), states


def test_streaming_equals_sequence(stream):
    net, model, mixtures, whole, streamed, states = stream
    late = net.window // 2
    scale = np.abs(whole).max()
    np.testing.assert_allclose(streamed[..., late:] / scale, whole[..., :-late] / scale, atol=1e-5)
    again, _ = model.step(tf.constant(mixtures[:, : net.hop]), model.initial_state(2))
    # The initial state resets the stream.
    np.testing.assert_allclose(again / scale, streamed[..., : net.hop] / scale, atol=1e-6)
    kept, _ = model.step(tf.constant(mixtures[:, : net.hop]), states[-1])
    forgot, _ = model.step(
        tf.constant(mixtures[:, : net.hop]), states[-1] | {"cells": model.initial_state(2)["cells"]}
    )
    assert np.abs(kept - forgot).max() > 1e-3 * scale  # the recurrent state has an effect


def test_the_state_does_not_grow(stream):
    net, model, *_, states = stream
    assert tf.nest.map_structure(lambda t: tuple(t.shape), states[-1]) == tf.nest.map_structure(
        lambda t: tuple(t.shape), model.initial_state(2)
    )
    one = model.initial_state(1)
    cells = sum(int(tf.size(h)) for h, _ in one["cells"])
    samples = int(tf.size(one["history"]) + tf.size(one["overlap"]))
    assert cost(net)["state_bytes"] == cells * (1 + 2) + samples * 2
    assert cost(net)["macs_per_hop"] * net.sample_rate == cost(net)["macs_per_second"] * net.hop


def test_a_causal_network_has_no_look_ahead(stream):
    net, model, mixtures, whole, *_ = stream
    changed = mixtures.copy()
    changed[:, 6 * net.hop :] += 1
    same = 6 * net.hop - net.window // 2  # samples that are output by then
    moved = np.abs(model(changed).numpy() - whole).max((0, 1))
    assert moved[:same].max() < 1e-5 * np.abs(whole).max()
    assert moved[same:].max() > 1e-2 * np.abs(whole).max()


def test_the_published_form_is_not_causal(random):
    model = randomized(NETS["gc"], random)
    x = random.standard_normal((1, 133)).astype(np.float32)
    before = model(x).numpy()
    x[:, -10:] += 1
    assert np.abs(model(x).numpy() - before)[..., :20].max() > 1e-4


def test_a_saved_checkpoint_loads_unchanged(random, tmp_path):
    net = NETS["gc3"]
    model = randomized(net, random)
    checkpoint.save(tmp_path / "net", "gc3", net, {"step": 1}, model)
    loaded = checkpoint.load(str(tmp_path / "net"))
    assert loaded.net == net
    x = random.standard_normal((1, 133)).astype(np.float32)
    np.testing.assert_array_equal(loaded.model()(x).numpy(), model(x).numpy())
    exported, whole = tf.function(loaded.model("export"))(x).numpy(), model(x).numpy()
    np.testing.assert_allclose(exported, whole, rtol=0, atol=1e-5 * np.abs(whole).max())
    with pytest.raises(UserError, match="no 'streaming' view; use 'sequence'"):
        loaded.model("streaming")


def test_a_network_can_be_trained(tiny_corpus, tmp_path):
    recipe = train.Recipe(
        steps=2,
        batch=2,
        seconds=0.5,
        learning_rate=1e-2,
        validate_every=2,
        validation_mixtures=1,
        patience=9,
        corpus=tiny_corpus,
    )
    net = dataclasses.replace(NETS["gc"], window=256, blocks=1)
    result = train.train("gc", net, recipe, tmp_path / "run")
    assert result["steps"] == 2 and np.isfinite(result["sisdri_db"])
    assert checkpoint.load(result["checkpoint"]).net == net


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"group_comm": "tac", "groups": 5}, "5 groups do not divide 128 features"),
        (
            {"group_comm": "tac", "groups": 2, "bottleneck": 64},
            "bottleneck 64: only networks without groups",
        ),
        ({"chunk": 25}, "chunk 25 is odd.*use 26"),
        ({"separator": "tcn", "causal": True}, "tcn has no causal form"),
        ({"context": 8, "chunk": 4, "causal": True}, "chunk 4: .* causal GC3"),
    ],
)
def test_invalid_sizes_are_rejected(sizes, message):
    with pytest.raises(UserError, match=message):
        TasNet(**sizes)


def test_every_network_survives_a_round_trip_through_its_family():
    for name, net in networks.NETWORKS.items():
        sizes = dataclasses.asdict(net)
        assert networks.from_dict(networks.family_name(net), sizes) == net, name
