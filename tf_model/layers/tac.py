"""Group Communication by transform-average-concatenate, reduced for int8."""

import tf_keras as keras

from tf_model import macs


class TAC(keras.layers.Layer):
    """Combine every group with the mean of all groups (TAC, arXiv 2012.07291, section 2.2).

    With x_k the features of group k and h hidden units::

        u_k = relu(W1 x_k + b1)
        m   = relu(W2 mean_k(u_k) + b2)
        y_k = x_k + W3 u_k + W4 m + b3

    ``W3 u_k + W4 m`` is the paper's linear layer on the concatenation [u_k, m], with its matrix in
    two halves: the second product is the same for all groups, so it is computed once. ReLU replaces
    the paper's PReLU, because it costs nothing in int8. There is no normalization, which has no
    int8 form.

    Parameters
    ----------
    hidden : int
        Number of hidden units h.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, hidden: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.transform = keras.layers.Dense(hidden, activation="relu", name="transform")
        self.average = keras.layers.Dense(hidden, activation="relu", name="average")

    def build(self, shape):
        """Create the two halves of the last linear layer."""
        width = shape[-1]
        self.own = keras.layers.Dense(width, name="own")
        self.common = keras.layers.Dense(width, use_bias=False, name="common")
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
        own = self.transform(x)
        mean = keras.backend.mean(own, axis=-2, keepdims=True)
        return x + self.own(own) + self.common(self.average(mean))

    macs = staticmethod(macs.tac)
