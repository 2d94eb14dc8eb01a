"""Group Communication by transform-average-concatenate, as published."""

import math

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers import parts
from tf_model.layers.norm import Norm
from tf_model.layers.prelu import PReLU


class GroupTAC(keras.layers.Layer):
    """Combine every group with the mean of all groups (arXiv 2012.07291, section III-A).

    `tac.TAC` is the reduced form for int8. With x_k the features of group k, p1..p3 PReLU, and h
    hidden units::

        u_k = p1(W1 x_k + b1)
        m   = p2(W2 mean_k(u_k) + b2)
        y_k = x_k + norm(p3(W3 [u_k, m] + b3))

    W3 is stored in two halves, because its product with m is the same for all groups.

    Parameters
    ----------
    hidden : int
        Number of hidden units h.
    per_frame : bool
        See `Norm`.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, hidden: int, *, per_frame: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.transform = keras.layers.Dense(hidden, name="transform")
        self.average = keras.layers.Dense(hidden, name="average")
        self.slopes = [PReLU(name=f"prelu_{i}") for i in range(3)]
        self.norm = Norm(per_frame=per_frame, name="norm")

    def build(self, shape):
        """Create the weights of all parts."""
        width = shape[-1]
        self.own = keras.layers.Dense(width, name="own")
        self.common = keras.layers.Dense(width, use_bias=False, name="common")
        parts.build(self.transform, width)
        for part in (self.average, self.own, self.common, *self.slopes):
            parts.build(part, self.hidden)
        parts.build(self.norm, width)
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
        own = self.slopes[0](self.transform(x))
        mean = self.slopes[1](self.average(tf.reduce_mean(own, axis=-2, keepdims=True)))
        return x + self.norm(self.slopes[2](self.own(own) + self.common(mean)))

    def macs(self, shape: tuple[int, ...]) -> macs.Macs:
        """Count the multiply-accumulates for an input of this shape.

        thop counts the product with the concatenation, and 1 per element of each PReLU.
        """
        *frames, groups, width = shape
        frames, h = math.prod(frames), self.hidden
        rows = frames * groups
        own = (
            macs.product(rows, width, h) + macs.product(frames, h, h) + macs.product(rows, h, width)
        )
        common = macs.Macs(frames * h * width, rows * h * width)
        return (
            own + common + PReLU.macs(rows * h) + PReLU.macs(frames * h) + PReLU.macs(rows * width)
        )
