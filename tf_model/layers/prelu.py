"""The parametric rectified linear unit with one slope per layer."""

import tensorflow as tf
import tf_keras as keras

from tf_model.macs import Macs


class PReLU(keras.layers.Layer):
    """Compute ``max(x, 0) + a min(x, 0)`` with one learned slope a for the whole layer.

    The initial slope is 0.25 (He et al., "Delving deep into rectifiers", ICCV 2015).
    """

    def build(self, shape):
        """Create the slope."""
        self.slope = self.add_weight(
            name="slope", shape=(), initializer=keras.initializers.Constant(0.25)
        )
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(...), dtype=float32]

        Returns
        -------
        tf.Tensor [shape=(...), dtype=float32]
        """
        return tf.nn.relu(x) - self.slope * tf.nn.relu(-x)

    @staticmethod
    def macs(elements: int) -> Macs:
        """Count the multiply-accumulates: none, but thop counts 1 per element."""
        return Macs(0, elements)
