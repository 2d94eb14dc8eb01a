"""The layers of the papers' family in float64 NumPy, written from their docstrings."""

import numpy as np


def weights(part):
    return [w.numpy().astype(np.float64) for w in part.weights]


def dense(part, x):
    kernel, *bias = weights(part)
    return x @ kernel + (bias[0] if bias else 0)


def norm(part, x, axes):
    gain, bias = weights(part)
    mean = x.mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + 1e-5) * gain + bias


def prelu(part, x):
    return np.where(x > 0, x, part.slope.numpy().astype(np.float64) * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(part, x):
    """[batch, length, width] to the hidden states."""
    kernel, recurrent, bias = weights(part)
    h = c = np.zeros((len(x), recurrent.shape[0]))
    out = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(
            x[:, t] @ kernel + h @ recurrent + bias, 4, axis=-1
        )  # Keras' order of gates
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    return np.stack(out, 1)


def blstm(part, x):
    return np.concatenate(
        [lstm(part.forward_layer, x), lstm(part.backward_layer, x[:, ::-1])[:, ::-1]], -1
    )


def along(x, axis, function):
    moved = np.moveaxis(x, axis, -2)
    return np.moveaxis(
        function(moved.reshape(-1, *moved.shape[-2:])).reshape(*moved.shape[:-1], -1), -2, axis
    )


def depthwise(part, x):
    kernel, bias = weights(part)
    batch, frames, *rest = x.shape
    y = np.zeros((batch, -(-frames // part.stride), *rest)) + bias
    for t in range(y.shape[1]):
        for k in range(part.size):
            at = part.stride * t + (k - (part.size - 1) // 2) * part.dilation
            if 0 <= at < frames:
                y[:, t] += kernel[k] * x[:, at]
    return y
