"""Whole networks match float64 NumPy references, written from the papers and the docstrings."""

import numpy as np
import pytest

from tests.helpers.numpy_layers import along, blstm, dense, depthwise, norm, prelu, weights
from tests.helpers.tasnet_models import NETS, SMALL, TAC, randomized
from tf_model.networks.tasnet import TasNet

pytestmark = pytest.mark.tensorflow

WHOLE = {name: NETS[name] for name in ("plain", "flstm", "gc", "one source", "gc3")} | {
    "tcn": TasNet("tcn", **SMALL | {"blocks": 8}, bottleneck=8),  # more blocks than dilations
    "gc3-tcn": TasNet("tcn", **SMALL, **TAC, context=4),
}


def pieces(x, size):
    """Split time (axis 1) into half-overlapping pieces.

    The padding is that of the GC3 authors: half a piece of zeros at both ends, and before the last
    of them 1 to ``size`` more zeros, which make whole pieces.
    """
    half = size // 2
    more = next(n for n in range(1, size + 1) if (half + x.shape[1] + n) % size == 0)
    x = np.pad(x, [(0, 0), (half, more + half)] + [(0, 0)] * (x.ndim - 2))
    return np.stack([x[:, t : t + size] for t in range(0, x.shape[1] - half, half)], 1)


def overlap_add(x, length):
    """Overlap-add pieces [shape=(batch, pieces, size, ...)] to a sequence."""
    half = x.shape[2] // 2
    y = np.zeros((len(x), (x.shape[1] + 1) * half, *x.shape[3:]))
    for i in range(x.shape[1]):
        y[:, i * half : (i + 2) * half] += x[:, i]
    return y[:, half : half + length]


def global_norm(part, x):
    """Normalize over all time and the features of one group."""
    return norm(part, x, tuple(i for i in range(1, x.ndim) if i != x.ndim - 2))


def residual_rnn(part, x, axis):
    return x + global_norm(
        part.norm, along(x, axis, lambda s: dense(part.project, blstm(part.rnn, s)))
    )


def group_tac(part, x):
    u = prelu(part.slopes[0], dense(part.transform, x))
    m = prelu(part.slopes[1], dense(part.average, u.mean(-2, keepdims=True)))
    return x + global_norm(
        part.norm, prelu(part.slopes[2], dense(part.own, u) + dense(part.common, m))
    )


def dual_path_block(net, block, x):
    """Apply a block: across groups, along the frames of a chunk, and along the chunks."""
    if net.group_comm == "tac":
        x = group_tac(block.group_comm, x)
    elif net.group_comm == "blstm":
        x = residual_rnn(block.group_comm, x, 3)
    elif net.group_comm == "flstm":  # across sub-bands; then all sub-bands together along time
        x = residual_rnn(block.group_comm, x.reshape(*x.shape[:3], net.groups, -1), 3).reshape(
            x.shape
        )
    intra, inter = block.paths
    return residual_rnn(inter, residual_rnn(intra, x, 2), 1)


def tcn_block(part, x, dilation):
    u = global_norm(part.norms[0], prelu(part.slopes[0], dense(part.expand, x)))
    assert part.depthwise.dilation == dilation  # which the reference reads
    v = global_norm(part.norms[1], prelu(part.slopes[1], depthwise(part.depthwise, u)))
    return x + dense(part.residual, v), dense(part.skip, v)


def separator(net, model, x):
    """Apply the separator to a tensor [shape=(batch, frames, groups, width)]."""
    if net.separator == "dprnn":
        chunked = pieces(x, net.chunk)
        for block in model.blocks:
            chunked = dual_path_block(net, block, chunked)
        return overlap_add(dense(model.tail, chunked), x.shape[1])
    skips = 0
    for i, block in enumerate(model.blocks):
        x, skip = tcn_block(
            block.paths[0],
            group_tac(block.group_comm, x) if block.group_comm else x,
            (1, 2, 4, 8, 16, 32)[i % 6],
        )
        skips += skip
    return dense(model.tail, skips) if net.group_comm == "tac" else prelu(model.tail, skips)


def codec(half, x):
    """Apply twice to every context: TAC across groups, then a BLSTM along the context."""
    one_each = x.reshape(-1, *x.shape[2:])
    for i in (0, 2):
        one_each = residual_rnn(half.pairs[i + 1], group_tac(half.pairs[i], one_each), 1)
    return one_each.reshape(x.shape)


def estimates(model, x):
    """Map mixtures [shape=(batch, samples)] to estimates [shape=(batch, sources, samples)]."""
    net = model.net
    groups = 1 if net.group_comm in ("none", "flstm") else net.groups
    encoded = pieces(x, net.window) @ weights(model.encoder)[0]
    batch, frames, features = encoded.shape
    h = norm(model.norm, encoded, (1, 2))
    if net.bottleneck:
        h = dense(model.bottleneck, h)
    h = h.reshape(batch, frames, groups, -1)
    if net.context:
        contexts = pieces(h, net.context)
        summary = separator(net, model, codec(model.context_encoder, contexts).mean(2))
        h = overlap_add(codec(model.context_decoder, contexts + summary[:, :, None]), frames)
    else:
        h = separator(net, model, h)
    # For every group, the masks of the first source precede those of the second.
    masks = np.maximum(dense(model.masks, h), 0)
    per_group = features // groups
    out = []
    for s in range(net.sources):
        mask = np.concatenate(
            [masks[:, :, g, s * per_group : (s + 1) * per_group] for g in range(groups)], -1
        )
        out.append(overlap_add((mask * encoded) @ weights(model.decoder)[0], x.shape[1]))
    return np.stack(out, 1)


# 132 samples need a whole window of additional zeros.
@pytest.mark.parametrize(("name", "samples"), [*((name, 133) for name in WHOLE), ("gc", 132)])
def test_a_network_matches_the_numpy_reference(name, samples, random):
    model = randomized(WHOLE[name], random)
    x = random.standard_normal((2, samples)).astype(np.float32)
    expected = estimates(model, x.astype(np.float64))
    np.testing.assert_allclose(
        model(x).numpy(), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
    )
