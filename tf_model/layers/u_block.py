"""A block of the network Sudo rm -rf."""

import math

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers import parts
from tf_model.layers.depthwise import Depthwise
from tf_model.layers.norm import Norm
from tf_model.layers.prelu import PReLU


class UBlock(keras.layers.Layer):
    """Downsample a sequence in steps, and resample and add the results.

    With p a PReLU and depthwise convolutions with kernels of 5 taps::

        d_0 = norm(depthwise(p(norm(W1 x + b1))))
        d_i = norm(depthwise(d_{i-1}))            half the frames of d_{i-1}
        u_i = d_i + up(u_{i+1}),  u_last = d_last   up repeats every frame
        y   = x + W2 p(norm(u_0)) + b2

    Source: Tzinis et al., "Sudo rm -rf", MLSP 2020, section 2.2, the block of the "improved" model.

    Parameters
    ----------
    hidden : int
        Number of features of d_i and u_i.
    depth : int
        Number of d_i.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, hidden: int, depth: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.expand = keras.layers.Dense(hidden, name="expand")
        self.down = [
            Depthwise(5, stride=1 if i == 0 else 2, name=f"down_{i}") for i in range(depth)
        ]
        self.norms = [Norm(name=f"norm_{i}") for i in range(depth)]
        self.ends = [
            Norm(name="first_norm"),
            PReLU(name="first_prelu"),
            Norm(name="last_norm"),
            PReLU(name="last_prelu"),
        ]

    def build(self, shape):
        """Create the weights of all parts."""
        width = shape[-1]
        self.project = keras.layers.Dense(width, name="project")
        parts.build(self.expand, width)
        for part in (*self.down, *self.norms, *self.ends, self.project):
            parts.build(part, self.hidden)
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, frames, groups, width), dtype=float32]

        Returns
        -------
        tf.Tensor
            Of the shape of ``x``.
        """
        d = self.ends[1](self.ends[0](self.expand(x)))
        levels = []
        for down, norm in zip(self.down, self.norms, strict=True):
            d = norm(down(d))
            levels.append(d)
        u = levels.pop()
        while levels:
            d = levels.pop()
            u = d + tf.repeat(u, 2, axis=1)[:, : tf.shape(d)[1]]
        return x + self.project(self.ends[3](self.ends[2](u)))

    def macs(self, shape: tuple[int, ...]) -> macs.Macs:
        """Count the multiply-accumulates for an input of this shape.

        thop adds 1 per element of each PReLU and of each upsampled signal.
        """
        batch, frames, groups, width = shape
        inner = batch * frames * groups * self.hidden
        total = macs.product(math.prod(shape[:-1]), 2 * width, self.hidden) + PReLU.macs(2 * inner)
        for down in self.down:
            total += down.macs((batch, frames, groups, self.hidden))
            frames = -(-frames // down.stride)
            if down.stride == 2:
                total += macs.Macs(0, batch * 2 * frames * groups * self.hidden)
        return total
