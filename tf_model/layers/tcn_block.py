"""A block of Conv-TasNet's temporal convolutional network."""

import math

import tf_keras as keras

from tf_model import macs
from tf_model.layers import parts
from tf_model.layers.depthwise import Depthwise
from tf_model.layers.norm import Norm
from tf_model.layers.prelu import PReLU


class TCNBlock(keras.layers.Layer):
    """Dilated depthwise-separable convolution (Luo and Mesgarani, "Conv-TasNet", TASLP 2019, section II-C)::

        u = norm1(p1(W1 x + b1))
        v = norm2(p2(depthwise(u)))
        y = x + W2 v + b2,  skip = W3 v + b3

    Parameters
    ----------
    hidden : width of u and v.
    dilation : of the depthwise convolution of size 3.

    Call with tensor [shape=(batch, frames, groups, width)]; returns the pair (y, skip), both of the same shape.
    """

    def __init__(self, hidden: int, dilation: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.expand = keras.layers.Dense(hidden, name="expand")
        self.depthwise = Depthwise(3, dilation=dilation, name="depthwise")
        self.slopes = [PReLU(name=f"prelu_{i}") for i in range(2)]
        self.norms = [Norm(name=f"norm_{i}") for i in range(2)]

    def build(self, shape):
        width = shape[-1]
        self.residual = keras.layers.Dense(width, name="residual")
        self.skip = keras.layers.Dense(width, name="skip")
        parts.build(self.expand, width)
        for part in (self.depthwise, *self.slopes, *self.norms, self.residual, self.skip):
            parts.build(part, self.hidden)
        super().build(shape)

    def call(self, x):
        u = self.norms[0](self.slopes[0](self.expand(x)))
        v = self.norms[1](self.slopes[1](self.depthwise(u)))
        return x + self.residual(v), self.skip(v)

    def macs(self, shape: tuple[int, ...]) -> macs.Macs:
        """Count for an input of this shape; thop adds one for an element of each PReLU."""
        *rows, width = shape
        dense = macs.product(math.prod(rows), 3 * width, self.hidden)
        inner = (*rows, self.hidden)
        return dense + self.depthwise.macs(inner) + PReLU.macs(2 * math.prod(inner))
