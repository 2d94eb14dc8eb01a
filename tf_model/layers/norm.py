"""Normalization of every group by itself."""

import tensorflow as tf
import tf_keras as keras


class Norm(keras.layers.Layer):
    """Normalize every group: ``gain * (x - mean) / sqrt(variance + 1e-5) + bias``.

    Every feature has its own gain and bias. This is PyTorch's ``GroupNorm(1, width)`` for tensors
    whose groups are part of the batch (arXiv 2011.08397, section 3.2): mean and variance are taken
    over all time and over the features of one group. With ``per_frame`` they are taken over the
    features of one group in one frame, which needs neither look-ahead nor memory. The causal
    networks use that form.

    Parameters
    ----------
    per_frame : bool
        Compute the statistics of every frame separately.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, *, per_frame: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.per_frame = per_frame

    def build(self, shape):
        """Create gain and bias."""
        self.gain = self.add_weight(name="gain", shape=(shape[-1],), initializer="ones")
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")
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
        rank = len(x.shape)
        axes = [-1] if self.per_frame else [i for i in range(1, rank) if i != rank - 2]

        def mean(y):
            # One axis at a time: the relative error of a float32 sum over 4 s is 1e-5, that of
            # nested sums 1e-7.
            for axis in reversed(axes):
                y = tf.reduce_mean(y, axis, keepdims=True)
            return y

        centred = x - mean(x)
        return centred * tf.math.rsqrt(mean(tf.square(centred)) + 1e-5) * self.gain + self.bias
