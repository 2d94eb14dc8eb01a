"""Layers of the papers' family: float64 NumPy references from the docstrings, and invariances."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.numpy_layers import along, blstm, dense, depthwise, lstm, norm, prelu, weights
from tf_model.layers import chunks
from tf_model.layers.depthwise import Depthwise
from tf_model.layers.group_tac import GroupTAC
from tf_model.layers.norm import Norm
from tf_model.layers.prelu import PReLU
from tf_model.layers.residual_rnn import ResidualRNN
from tf_model.layers.tcn_block import TCNBlock
from tf_model.layers.transformer import Transformer
from tf_model.layers.u_block import UBlock
from tf_model.layers.waveform import Decoder, Encoder
from tf_model.macs import Macs

pytestmark = pytest.mark.tensorflow


def randomize(layer, random):
    layer.set_weights(
        [random.standard_normal(w.shape).astype(np.float32) * 0.5 for w in layer.get_weights()]
    )


def made(layer, x, random):
    """Build a layer with random weights for an input."""
    layer(x)
    randomize(layer, random)
    return layer


CHUNKED = (2, 3, 4, 5, 6)  # batch, chunks, chunk, groups, width
FLAT = (2, 11, 3, 4)  # batch, frames, groups, width


@pytest.fixture
def chunked(random):
    return random.standard_normal(CHUNKED).astype(np.float32)


@pytest.fixture
def flat(random):
    return random.standard_normal(FLAT).astype(np.float32)


def test_prelu(random, flat):
    np.testing.assert_allclose(
        PReLU()(flat).numpy(), np.where(flat > 0, flat, 0.25 * flat), atol=1e-6
    )


@pytest.mark.parametrize(("per_frame", "axes"), [(False, (1, 2, 4)), (True, -1)])
def test_norm(per_frame, axes, random, chunked):
    layer = made(Norm(per_frame=per_frame), chunked, random)
    np.testing.assert_allclose(
        layer(chunked).numpy(), norm(layer, chunked.astype(np.float64), axes), atol=1e-5
    )


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_residual_rnn(axis, bidirectional, random, chunked):
    layer = made(ResidualRNN(5, axis, bidirectional=bidirectional), chunked, random)
    x = chunked.astype(np.float64)
    run = (
        (lambda s: dense(layer.project, blstm(layer.rnn, s)))
        if bidirectional
        else (lambda s: dense(layer.project, lstm(layer.rnn, s)))
    )
    np.testing.assert_allclose(
        layer(chunked).numpy(), x + norm(layer.norm, along(x, axis, run), (1, 2, 4)), atol=1e-4
    )


def test_residual_rnn_goes_on_from_its_state(random, chunked):
    layer = made(ResidualRNN(5, 1, bidirectional=False, per_frame=True), chunked, random)
    state = (tf.zeros([2 * 4 * 5, 5]),) * 2
    first, state = layer(chunked[:, :1], state=state)
    rest, _ = layer(chunked[:, 1:], state=state)
    np.testing.assert_allclose(np.concatenate([first, rest], 1), layer(chunked).numpy(), atol=1e-5)


def test_group_tac(random, chunked):
    layer = made(GroupTAC(7), chunked, random)
    x = chunked.astype(np.float64)
    u = prelu(layer.slopes[0], dense(layer.transform, x))
    m = prelu(layer.slopes[1], dense(layer.average, u.mean(-2, keepdims=True)))
    # The concatenation [u_k, m] of the docstring, multiplied by one matrix.
    both = np.concatenate([u, np.broadcast_to(m, u.shape)], -1)
    w3 = np.concatenate([weights(layer.own)[0], weights(layer.common)[0]])
    y = prelu(layer.slopes[2], both @ w3 + weights(layer.own)[1])
    np.testing.assert_allclose(
        layer(chunked).numpy(), x + norm(layer.norm, y, (1, 2, 4)), atol=1e-4
    )


def test_transformer(random):
    x32 = random.standard_normal((2, 3, 4, 2, 8)).astype(np.float32)
    layer = made(Transformer(2, heads=4), x32, random)

    def sequence(x):
        q, k, v = np.split(dense(layer.attend, x), 3, -1)
        heads = []
        for h in range(4):
            s = slice(2 * h, 2 * h + 2)
            e = np.exp(q[..., s] @ np.swapaxes(k[..., s], -1, -2) / np.sqrt(2))
            heads.append(e / e.sum(-1, keepdims=True) @ v[..., s])
        u = norm(layer.norms[0], x + dense(layer.join, np.concatenate(heads, -1)), -1)
        return norm(
            layer.norms[1], u + dense(layer.project, np.maximum(blstm(layer.rnn, u), 0)), -1
        )

    x = x32.astype(np.float64)
    np.testing.assert_allclose(layer(x32).numpy(), x + along(x, 2, sequence), atol=1e-4)


@pytest.mark.parametrize(("size", "dilation", "stride"), [(3, 1, 1), (3, 4, 1), (5, 1, 2)])
@pytest.mark.parametrize("frames", [10, 11])
def test_depthwise(size, dilation, stride, frames, random, flat):
    layer = made(Depthwise(size, dilation=dilation, stride=stride), flat[:, :frames], random)
    y = layer(flat[:, :frames]).numpy()
    np.testing.assert_allclose(y, depthwise(layer, flat[:, :frames].astype(np.float64)), atol=1e-5)
    assert layer.macs((2, frames, 3, 4)).true == y.size * size


def test_tcn_block(random, flat):
    layer = made(TCNBlock(7, 2), flat, random)
    x = flat.astype(np.float64)
    u = norm(layer.norms[0], prelu(layer.slopes[0], dense(layer.expand, x)), (1, 3))
    v = norm(layer.norms[1], prelu(layer.slopes[1], depthwise(layer.depthwise, u)), (1, 3))
    y, skip = layer(flat)
    np.testing.assert_allclose(y.numpy(), x + dense(layer.residual, v), atol=1e-4)
    np.testing.assert_allclose(skip.numpy(), dense(layer.skip, v), atol=1e-4)
    assert layer.macs(FLAT).true == 2 * 11 * 3 * (3 * 4 * 7 + 3 * 7)


def test_u_block(random, flat):
    layer = made(UBlock(7, 3), flat, random)
    x = flat.astype(np.float64)
    d = [prelu(layer.ends[1], norm(layer.ends[0], dense(layer.expand, x), (1, 3)))]
    for down, level in zip(layer.down, layer.norms, strict=True):
        d.append(norm(level, depthwise(down, d[-1]), (1, 3)))
    _, d0, d1, d2 = d
    assert [level.shape[1] for level in (d0, d1, d2)] == [11, 6, 3]
    u1 = d1 + np.repeat(d2, 2, 1)
    u0 = d0 + np.repeat(u1, 2, 1)[:, :11]
    expected = x + dense(layer.project, prelu(layer.ends[3], norm(layer.ends[2], u0, (1, 3))))
    np.testing.assert_allclose(layer(flat).numpy(), expected, atol=1e-4)
    assert layer.macs(FLAT).true == 2 * 3 * (11 * 2 * 4 * 7 + (11 + 6 + 3) * 5 * 7)


def test_encoder_and_decoder(random):
    x = random.standard_normal((2, 40)).astype(np.float32)
    encoder = made(Encoder(6, 8), x, random)
    frames = np.stack([x[:, t : t + 8] for t in range(0, 36, 4)], 1)[:, :9]
    np.testing.assert_allclose(encoder(x).numpy(), frames @ encoder.kernel.numpy(), atol=1e-5)
    y = random.standard_normal((2, 5, 6)).astype(np.float32)
    decoder = made(Decoder(8), y, random)
    expected = np.zeros((2, 24))
    for t in range(5):
        expected[:, 4 * t : 4 * t + 8] += y[:, t] @ decoder.kernel.numpy()
    np.testing.assert_allclose(decoder(y).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 9, 10, 11, 20, 27])
@pytest.mark.parametrize("size", [2, 10])
def test_chunks_contain_every_frame_twice(frames, size, random):
    x = random.standard_normal((2, frames, 3, 2)).astype(np.float32)
    cut = chunks.split(x, size).numpy()
    assert cut.shape == (2, chunks.count(frames, size), size, 3, 2)
    np.testing.assert_array_equal(cut[:, 1:, : size // 2], cut[:, :-1, size // 2 :])
    np.testing.assert_array_equal(cut[:, 0, size // 2 :][:, :frames], x[:, : size // 2])
    np.testing.assert_allclose(chunks.merge(cut, frames).numpy(), 2 * x, atol=1e-6)


def test_chunks_without_overlap(random):
    x = random.standard_normal((2, 7, 3, 2)).astype(np.float32)
    cut = chunks.split(x, 3, overlap=False).numpy()
    assert cut.shape == (2, chunks.count(7, 3, overlap=False), 3, 3, 2)
    np.testing.assert_array_equal(cut[:, 2, 0], x[:, 6])
    assert not cut[:, 2, 1:].any()
    np.testing.assert_array_equal(chunks.merge(cut, 7, overlap=False).numpy(), x)


GROUP_BLIND = {
    "tac": lambda: GroupTAC(6),
    "intra": lambda: ResidualRNN(5, 2),
    "inter": lambda: ResidualRNN(5, 1),
    "transformer": lambda: Transformer(2, heads=2),
}


@pytest.mark.parametrize("name", GROUP_BLIND)
def test_layers_are_equivariant_to_the_order_of_groups(name, random, chunked):
    layer = made(GROUP_BLIND[name](), chunked, random)
    order = random.permutation(5)
    np.testing.assert_allclose(
        layer(chunked[:, :, :, order]).numpy(), layer(chunked).numpy()[:, :, :, order], atol=1e-5
    )


@pytest.mark.parametrize("name", GROUP_BLIND)
def test_identical_groups_stay_identical(name, random, chunked):
    x = np.repeat(chunked[:, :, :, :1], 3, axis=3)
    y = made(GROUP_BLIND[name](), x, random)(x).numpy()
    np.testing.assert_allclose(y, np.repeat(y[:, :, :, :1], 3, axis=3), atol=1e-5)


@pytest.mark.parametrize("kind", [lambda **k: GroupTAC(6, **k), lambda **k: ResidualRNN(5, 3, **k)])
def test_group_communication_connects_groups_but_not_frames(kind, random, chunked):
    layer = made(kind(per_frame=True), chunked, random)
    before = layer(chunked).numpy()
    chunked[0, 1, 2, 3] += 1
    moved = np.abs(layer(chunked).numpy() - before).max(-1) > 1e-5  # (batch, chunks, chunk, groups)
    assert moved[0, 1, 2].all()
    moved[0, 1, 2] = False
    assert not moved.any()


def test_mac_counts_match_the_formulas():
    assert Macs(1, 2) + Macs(10, 20) == Macs(11, 22)
    rnn = ResidualRNN(5, 3)
    assert rnn.macs((2, 3, 4)).true == 6 * (2 * 4 * 5 * (4 + 5) + 2 * 5 * 4)
    assert rnn.macs((2, 3, 4)).thop - rnn.macs((2, 3, 4)).true == 6 * 2 * 16 * 5
    assert GroupTAC(7).macs((2, 3, 4)).true == 6 * (4 * 7 + 7 * 4) + 2 * (7 * 7 + 7 * 4)
    assert Transformer(1).macs((2, 3, 4)).true == 6 * (
        3 * 16 + 16 + 2 * 3 * 4 + 2 * 4 * 8 * 12 + 16 * 4
    )
