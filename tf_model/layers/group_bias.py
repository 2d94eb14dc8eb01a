"""What tells groups with the same weights apart."""

import tf_keras as keras


class GroupBias(keras.layers.Layer):
    """``y_k = x_k + b_k``: a learned constant for every feature of every group.

    Groups that are bands of the spectrum share all weights; this is how a band knows where it lies.

    Call with tensor [shape=(..., groups, width)]; returns the same shape.
    """

    def build(self, shape):
        self.bias = self.add_weight("bias", shape=shape[-2:], initializer="zeros")
        super().build(shape)

    def call(self, x):
        return x + self.bias
