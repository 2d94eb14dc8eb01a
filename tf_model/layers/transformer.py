"""The improved transformer layer of DPTNet."""

import math

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers import parts
from tf_model.layers.blstm import BLSTM
from tf_model.layers.norm import Norm


class Transformer(keras.layers.Layer):
    """Apply self-attention and a BLSTM along one axis.

    ::

        q, k, v = the three thirds of W1 x + b1, each split into heads of d features
        a = W2 [softmax(q k^T / sqrt(d)) v, of all heads] + b2
        u = norm1(x + a)
        y = x + norm2(u + W3 relu(BLSTM(u)) + b3)

    The norms use the statistics of each frame. The BLSTM has ``2 width`` units in each direction.

    Source: Chen et al., "Dual-path transformer network", Interspeech 2020, section 2.2. The outer
    residual connection follows the program of the authors of arXiv 2012.07291.

    Parameters
    ----------
    axis : int
        The axis that the layer runs along.
    heads : int
        Attention heads.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, axis: int, *, heads: int = 4, **kwargs):
        super().__init__(**kwargs)
        self.axis, self.heads = axis, heads
        self.norms = [Norm(per_frame=True, name=f"norm_{i}") for i in range(2)]

    def build(self, shape):
        """Create the weights of all parts."""
        width = shape[-1]
        self.attend = keras.layers.Dense(3 * width, name="attend")
        self.join = keras.layers.Dense(width, name="join")
        self.rnn = BLSTM(2 * width, name="rnn")
        self.project = keras.layers.Dense(width, name="project")
        for part in (self.attend, self.join, self.rnn, *self.norms):
            parts.build(part, width)
        parts.build(self.project, 4 * width)
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, time..., groups, width), dtype=float32]

        Returns
        -------
        tf.Tensor
            Of the shape of ``x``.
        """
        return x + parts.along(x, self.axis, self._sequence)

    def _sequence(self, x):
        length, width = tf.shape(x)[1], x.shape[-1]
        size = width // self.heads
        qkv = tf.reshape(self.attend(x), [-1, length, 3, self.heads, size])
        q, k, v = tf.unstack(
            tf.transpose(qkv, [2, 0, 3, 1, 4])
        )  # each (batch, heads, length, size)
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / math.sqrt(size))
        attended = tf.reshape(
            tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3]), [-1, length, width]
        )
        u = self.norms[0](x + self.join(attended))
        return self.norms[1](u + self.project(tf.nn.relu(self.rnn(u))))

    def macs(self, shape: tuple[int, ...]) -> macs.Macs:
        """Count the multiply-accumulates for an input of this shape.

        thop counts nothing for the attention, and 4 per element of each norm.
        """
        *rows, width = shape
        rows = math.prod(rows)
        attention = macs.Macs(
            rows * (4 * width * width + 2 * shape[self.axis] * width), 8 * rows * width
        )
        return (
            attention
            + macs.lstm(rows, width, 2 * width, directions=2)
            + macs.product(rows, 4 * width, width)
        )
