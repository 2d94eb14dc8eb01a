"""Group Communication by transform, average and concatenate."""

import tf_keras as keras

from tf_model import macs


class TAC(keras.layers.Layer):
    """Let the groups talk: every group hears the mean of all (TAC, arXiv 2012.07291, section 2.2).

    With x_k one group's features and h hidden units::

        u_k = relu(W1 x_k + b1)
        m   = relu(W2 mean_k(u_k) + b2)
        y_k = x_k + W3 u_k + W4 m + b3

    ``W3 u_k + W4 m`` is the paper's linear layer on the concatenation [u_k, m], with its matrix in two halves: the second product
    is the same for all groups, so it is done once. ReLU stands for the paper's PReLU, and there is no normalisation: both are
    free or absent in int8.

    Parameters
    ----------
    hidden : width h inside the block.

    Call with tensor [shape=(..., groups, width)]; returns the same shape.
    """

    def __init__(self, hidden: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.transform = keras.layers.Dense(hidden, activation="relu", name="transform")
        self.average = keras.layers.Dense(hidden, activation="relu", name="average")

    def build(self, shape):
        width = shape[-1]
        self.own = keras.layers.Dense(width, name="own")
        self.common = keras.layers.Dense(width, use_bias=False, name="common")
        super().build(shape)

    def call(self, x):
        own = self.transform(x)
        mean = keras.backend.mean(own, axis=-2, keepdims=True)
        return x + self.own(own) + self.common(self.average(mean))

    macs = staticmethod(macs.tac)
