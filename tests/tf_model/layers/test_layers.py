"""Layers of the streaming family: float64 NumPy references from the docstrings, and invariances."""

import numpy as np
import pytest

from tf_model.layers import group
from tf_model.layers.bottleneck import Bottleneck
from tf_model.layers.causal_depthwise import CausalDepthwise
from tf_model.layers.group_blstm import GroupBLSTM
from tf_model.layers.grouped_lstm import GroupedLSTM
from tf_model.layers.grouped_tcn import GroupedTCN
from tf_model.layers.tac import TAC

pytestmark = pytest.mark.tensorflow


def randomize(layer, random):
    layer.set_weights(
        [random.standard_normal(w.shape).astype(np.float32) * 0.5 for w in layer.get_weights()]
    )


def test_split_makes_contiguous_groups_and_merge_inverts_it(random):
    x = random.standard_normal((2, 3, 12)).astype(np.float32)
    groups = group.split(x, 4).numpy()
    np.testing.assert_array_equal(groups[1, 2, 3], x[1, 2, 9:12])
    np.testing.assert_array_equal(group.merge(groups).numpy(), x)
    frame = group.split(x[0, :1], 4)
    assert frame.shape == (4, 3)
    np.testing.assert_array_equal(group.merge(frame).numpy(), x[0, :1])


def test_groups_that_do_not_divide_the_features_are_rejected():
    with pytest.raises(ValueError, match="5 groups do not divide 12 features"):
        group.split(np.zeros((1, 12), np.float32), 5)


def test_tac_matches_its_formula(random):
    x = random.standard_normal((2, 3, 5, 4)).astype(np.float32)
    layer = TAC(6)
    layer(x)
    randomize(layer, random)
    by_name = {
        "/".join(w.name.removesuffix(":0").split("/")[-2:]): w.numpy().astype(np.float64)
        for w in layer.weights
    }
    u = np.maximum(x @ by_name["transform/kernel"] + by_name["transform/bias"], 0)
    m = np.maximum(
        u.mean(-2, keepdims=True) @ by_name["average/kernel"] + by_name["average/bias"], 0
    )
    expected = x + u @ by_name["own/kernel"] + by_name["own/bias"] + m @ by_name["common/kernel"]
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(layer(x[0, 0]).numpy(), expected[0, 0], atol=1e-5)  # one frame


def test_tac_is_equivariant_to_the_order_of_groups(random):
    x = random.standard_normal((1, 2, 6, 4)).astype(np.float32)
    layer = TAC(6)
    layer(x)
    randomize(layer, random)
    order = random.permutation(6)
    np.testing.assert_allclose(
        layer(x[:, :, order]).numpy(), layer(x).numpy()[:, :, order], atol=1e-5
    )


def test_bottleneck_matches_its_formula(random):
    x = random.standard_normal((2, 3, 5, 4)).astype(np.float32)
    layer = Bottleneck(6)
    np.testing.assert_array_equal(layer(x), x)  # the identity, before training
    randomize(layer, random)
    down, down_bias, up, up_bias = (w.astype(np.float64) for w in layer.get_weights())
    flat = x.reshape(2, 3, 20)
    expected = x + (np.maximum(flat @ down + down_bias, 0) @ up + up_bias).reshape(x.shape)
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(layer(x[0, 0]).numpy(), expected[0, 0], atol=1e-5)  # one frame


def test_bottleneck_memory_runs_over_time_inside_the_narrow_layer(random):
    x = random.standard_normal((2, 7, 5, 4)).astype(np.float32)
    layer = Bottleneck(6, memory=3)
    np.testing.assert_array_equal(layer(x), x)  # the identity, before training
    randomize(layer, random)
    down, down_bias = (w.astype(np.float64) for w in layer.down.get_weights())
    up, up_bias = (w.astype(np.float64) for w in layer.up.get_weights())
    narrow = np.maximum(x.reshape(2, 7, 20) @ down + down_bias, 0)
    states = layer.lstm(narrow.astype(np.float32)).numpy()
    np.testing.assert_allclose(
        layer(x).numpy(), x + (states @ up + up_bias).reshape(x.shape), atol=1e-5
    )
    assert Bottleneck.macs(5, 4, 6, 3) == 20 * 6 + 4 * 3 * (6 + 3) + 3 * 20


def test_only_group_communication_connects_groups(random):
    x = random.standard_normal((1, 4, 3, 4)).astype(np.float32)
    changed = x.copy()
    changed[:, :, 2] += 1
    for layer, connects_groups in (
        (TAC(6), True),
        (Bottleneck(6), True),
        (GroupBLSTM(5), True),
        (GroupedLSTM(5), False),
        (GroupedTCN(5, taps=3, dilation=2), False),
    ):
        layer(x)
        randomize(layer, random)
        moved = np.abs(layer(x).numpy() - layer(changed).numpy())[:, :, :2].max()
        assert (moved > 1e-3) == connects_groups


def test_identical_groups_stay_identical(random):
    x = np.repeat(random.standard_normal((1, 7, 1, 4)).astype(np.float32), 3, axis=2)
    for layer in (TAC(6), GroupedLSTM(5), GroupedTCN(5, taps=3, dilation=2)):
        layer(x)
        randomize(layer, random)
        y = layer(x).numpy()
        np.testing.assert_allclose(y, np.repeat(y[:, :, :1], 3, axis=2), atol=1e-6)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, kernel, recurrent, bias):
    """Return the hidden states along the second axis, from zero states."""
    h = c = np.zeros((*x[:, 0].shape[:-1], len(recurrent)))
    states = []
    for t in range(x.shape[1]):
        # Order of the gates in Keras.
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, 1)


def test_grouped_lstm_matches_its_formula(random):
    x = random.standard_normal((2, 6, 3, 4)).astype(np.float32)  # (batch, frames, groups, width)
    layer = GroupedLSTM(5)
    layer(x)
    randomize(layer, random)
    *weights, project, project_bias = (w.astype(np.float64) for w in layer.get_weights())
    np.testing.assert_allclose(
        layer(x).numpy(), x + lstm(x, *weights) @ project + project_bias, atol=1e-5
    )


def test_group_blstm_matches_its_formula_in_every_frame(random):
    x = random.standard_normal((2, 3, 5, 4)).astype(np.float32)  # (batch, frames, groups, width)
    layer = GroupBLSTM(6)
    layer(x)
    randomize(layer, random)

    def of(part):
        return [w.numpy().astype(np.float64) for w in part.weights]

    for i in range(2):  # the frames of one mixture are the batch: no state passes between them
        h, back = (
            lstm(x[i], *of(layer.forwards)),
            lstm(x[i][:, ::-1], *of(layer.backwards))[:, ::-1],
        )
        (project, bias), (project_back,) = of(layer.project), of(layer.project_back)
        expected = x[i] + h @ project + bias + back @ project_back
        np.testing.assert_allclose(layer(x).numpy()[i], expected, atol=1e-5)
        np.testing.assert_allclose(layer(x[i, 1]).numpy(), expected[1], atol=1e-5)  # one frame


@pytest.mark.parametrize(("taps", "dilation"), [(3, 1), (2, 3), (4, 2), (1, 1)])
def test_causal_convolution_matches_its_formula_as_a_sequence_and_as_a_stream(
    taps, dilation, random
):
    x = random.standard_normal((2, 12, 3, 4)).astype(np.float32)  # (batch, frames, groups, width)
    layer = CausalDepthwise(taps, dilation=dilation)
    layer(x)
    randomize(layer, random)
    kernel, bias = (w.astype(np.float64) for w in layer.get_weights())
    expected = np.zeros(x.shape) + bias
    for t in range(12):
        for k in range(taps):
            at = t - (taps - 1 - k) * dilation
            if at >= 0:
                expected[:, t] += kernel[k] * x[:, at]
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-5)
    stream = CausalDepthwise(taps, dilation=dilation, stateful=True)
    stream(x[0, 0])
    stream.set_weights(layer.get_weights())
    for i in range(2):
        stream.reset_states()
        frames = np.stack([stream(frame).numpy() for frame in x[i]])
        np.testing.assert_allclose(frames, expected[i], atol=1e-5)


def test_grouped_tcn_matches_its_formula(random):
    x = random.standard_normal((2, 6, 3, 4)).astype(np.float32)
    layer = GroupedTCN(5, taps=3, dilation=2)
    layer(x)
    randomize(layer, random)
    expand, expand_bias, *_, project, project_bias = (
        w.astype(np.float64) for w in layer.get_weights()
    )
    u = np.maximum(x @ expand + expand_bias, 0)
    v = np.maximum(layer.convolve(u.astype(np.float32)).numpy(), 0)
    np.testing.assert_allclose(layer(x).numpy(), x + v @ project + project_bias, atol=1e-5)
    assert GroupedTCN.macs(3, 4, 5, 3) == 3 * (4 * 5 + 5 * 3 + 5 * 4)
