"""Normalisation of every group by itself."""

import tensorflow as tf
import tf_keras as keras


class Norm(keras.layers.Layer):
    """``gain * (x - mean) / sqrt(variance + 1e-5) + bias`` with a gain and a bias for every feature.

    PyTorch's ``GroupNorm(1, width)`` of tensors whose groups sit in the batch (arXiv 2011.08397, section 3.2): the mean is taken over all
    time and over the features of one group. ``per_frame`` takes it over the features of one group in one frame instead, which needs no
    future and no memory: the causal networks use that.

    Parameters
    ----------
    per_frame : statistics of every frame by itself.

    Call with tensor [shape=(batch, time..., groups, width)]; returns the same shape.
    """

    def __init__(self, *, per_frame: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.per_frame = per_frame

    def build(self, shape):
        self.gain = self.add_weight(name="gain", shape=(shape[-1],), initializer="ones")
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")
        super().build(shape)

    def call(self, x):
        rank = len(x.shape)
        axes = [-1] if self.per_frame else [i for i in range(1, rank) if i != rank - 2]

        def mean(y):
            for axis in reversed(
                axes
            ):  # one by one: a float32 sum over 4 s is off by 1e-5 of itself, sums of sums by 1e-7
                y = tf.reduce_mean(y, axis, keepdims=True)
            return y

        centred = x - mean(x)
        return centred * tf.math.rsqrt(mean(tf.square(centred)) + 1e-5) * self.gain + self.bias
