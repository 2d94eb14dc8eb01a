"""Depthwise convolution along time, for tensors with groups."""

import math

import tensorflow as tf
import tf_keras as keras

from tf_model import macs


class Depthwise(keras.layers.Layer):
    """Convolve every feature along time with its own kernel.

    ``y[t, c] = b[c] + sum_k w[k, c] x[stride t + (k - (size - 1) / 2) dilation, c]``; x is zero
    outside of the sequence.

    Parameters
    ----------
    size : int
        Taps of the kernel.
    dilation : int
        Frames between taps.
    stride : int
        Input frames per output frame.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, size: int, *, dilation: int = 1, stride: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.size, self.dilation, self.stride = size, dilation, stride

    def build(self, shape):
        """Create the kernel and the bias."""
        self.kernel = self.add_weight(name="kernel", shape=(self.size, shape[-1]))
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, frames, groups, width), dtype=float32]

        Returns
        -------
        tf.Tensor [shape=(batch, ceil(frames / stride), groups, width), dtype=float32]
        """
        reach = (self.size - 1) // 2 * self.dilation
        span = (tf.shape(x)[1] - 1) // self.stride * self.stride + 1
        x = tf.pad(x, [[0, 0], [reach, reach], [0, 0], [0, 0]])
        taps = [
            x[:, k * self.dilation :][:, : span : self.stride] * self.kernel[k]
            for k in range(self.size)
        ]
        return tf.add_n(taps) + self.bias

    def macs(self, shape: tuple[int, ...]) -> macs.Macs:
        """Count the multiply-accumulates for an input of this shape."""
        batch, frames, *rest = shape
        return macs.product(batch * -(-frames // self.stride) * math.prod(rest), self.size, 1)
