"""Group Communication by transform, average and concatenate, as the follow-up paper has it."""

import math

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers import parts
from tf_model.layers.norm import Norm
from tf_model.layers.prelu import PReLU


class GroupTAC(keras.layers.Layer):
    """Every group hears the mean of all (arXiv 2012.07291, section III-A). `tac.TAC` is its reduction for int8.

    With x_k one group's features, p1..p3 PReLU, and h hidden units::

        u_k = p1(W1 x_k + b1)
        m   = p2(W2 mean_k(u_k) + b2)
        y_k = x_k + norm(p3(W3 [u_k, m] + b3))

    W3 is kept in two halves, because its product with m is the same for all groups.

    Parameters
    ----------
    hidden : width h.
    per_frame : see `Norm`.

    Call with tensor [shape=(batch, time..., groups, width)]; returns the same shape.
    """

    def __init__(self, hidden: int, *, per_frame: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.transform = keras.layers.Dense(hidden, name="transform")
        self.average = keras.layers.Dense(hidden, name="average")
        self.slopes = [PReLU(name=f"prelu_{i}") for i in range(3)]
        self.norm = Norm(per_frame=per_frame, name="norm")

    def build(self, shape):
        width = shape[-1]
        self.own = keras.layers.Dense(width, name="own")
        self.common = keras.layers.Dense(width, use_bias=False, name="common")
        parts.build(self.transform, width)
        for part in (self.average, self.own, self.common, *self.slopes):
            parts.build(part, self.hidden)
        parts.build(self.norm, width)
        super().build(shape)

    def call(self, x):
        own = self.slopes[0](self.transform(x))
        mean = self.slopes[1](self.average(tf.reduce_mean(own, axis=-2, keepdims=True)))
        return x + self.norm(self.slopes[2](self.own(own) + self.common(mean)))

    def macs(self, shape: tuple[int, ...]) -> macs.Macs:
        """Count for an input of this shape. thop sees the concatenation, and one a PReLU's element."""
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
