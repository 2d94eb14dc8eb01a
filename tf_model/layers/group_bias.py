"""A bias per group, for groups that share all other weights."""

import tf_keras as keras


class GroupBias(keras.layers.Layer):
    """Add a learned constant to every feature of every group: ``y_k = x_k + b_k``.

    Groups that are bands of the spectrum share all other weights. The constant encodes the position
    of a band in the spectrum.
    """

    def build(self, shape):
        """Create the constants."""
        self.bias = self.add_weight("bias", shape=shape[-2:], initializer="zeros")
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(..., groups, width), dtype=float32]

        Returns
        -------
        tf.Tensor [shape=(..., groups, width), dtype=float32]
        """
        return x + self.bias
