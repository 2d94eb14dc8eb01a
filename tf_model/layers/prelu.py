"""The leaky rectifier with one learned slope."""

import tensorflow as tf
import tf_keras as keras

from tf_model.macs import Macs


class PReLU(keras.layers.Layer):
    """``max(x, 0) + a min(x, 0)`` with one slope a for the whole layer, 0.25 at first (He et al., "Delving deep into rectifiers", 2015)."""

    def build(self, shape):
        self.slope = self.add_weight(
            name="slope", shape=(), initializer=keras.initializers.Constant(0.25)
        )
        super().build(shape)

    def call(self, x):
        return tf.nn.relu(x) - self.slope * tf.nn.relu(-x)

    @staticmethod
    def macs(elements: int) -> Macs:
        """None; thop counts one an element."""
        return Macs(0, elements)
