"""A block of the temporal convolutional network of Conv-TasNet."""

import math

import tf_keras as keras

from tf_model import macs
from tf_model.layers import parts
from tf_model.layers.depthwise import Depthwise
from tf_model.layers.norm import Norm
from tf_model.layers.prelu import PReLU


class TCNBlock(keras.layers.Layer):
    """Apply a dilated depthwise-separable convolution.

    With p1 and p2 PReLU::

        u = norm1(p1(W1 x + b1))
        v = norm2(p2(depthwise(u)))
        y = x + W2 v + b2,  skip = W3 v + b3

    Source: Luo and Mesgarani, "Conv-TasNet", TASLP 2019, section II-C.

    Parameters
    ----------
    hidden : int
        Number of features of u and v.
    dilation : int
        Dilation of the depthwise convolution, in frames. Its kernel has 3 taps.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, hidden: int, dilation: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.expand = keras.layers.Dense(hidden, name="expand")
        self.depthwise = Depthwise(3, dilation=dilation, name="depthwise")
        self.slopes = [PReLU(name=f"prelu_{i}") for i in range(2)]
        self.norms = [Norm(name=f"norm_{i}") for i in range(2)]

    def build(self, shape):
        """Create the weights of all parts."""
        width = shape[-1]
        self.residual = keras.layers.Dense(width, name="residual")
        self.skip = keras.layers.Dense(width, name="skip")
        parts.build(self.expand, width)
        for part in (self.depthwise, *self.slopes, *self.norms, self.residual, self.skip):
            parts.build(part, self.hidden)
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, frames, groups, width), dtype=float32]

        Returns
        -------
        y, skip : tf.Tensor [shape=(batch, frames, groups, width), dtype=float32]
        """
        u = self.norms[0](self.slopes[0](self.expand(x)))
        v = self.norms[1](self.slopes[1](self.depthwise(u)))
        return x + self.residual(v), self.skip(v)

    def macs(self, shape: tuple[int, ...]) -> macs.Macs:
        """Count the multiply-accumulates for an input of this shape.

        thop adds 1 per element of each PReLU.
        """
        *rows, width = shape
        dense = macs.product(math.prod(rows), 3 * width, self.hidden)
        inner = (*rows, self.hidden)
        return dense + self.depthwise.macs(inner) + PReLU.macs(2 * math.prod(inner))
