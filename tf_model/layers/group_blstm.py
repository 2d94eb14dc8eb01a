"""Group Communication by a recurrence across the groups."""

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers.lstm import LSTM


class GroupBLSTM(keras.layers.Layer):
    """Apply a residual BLSTM along the groups (arXiv 2011.08397, section 2.2).

    ``y_k = x_k + W h_k + W' h'_k + b``, where h is the state of an LSTM that runs from the first
    group to the last, and h' that of an LSTM that runs from the last to the first. Both start from
    zero in every frame, so no state is carried along time.

    ``W h_k + W' h'_k`` is the paper's linear layer on the concatenation [h_k, h'_k], with its
    matrix in two halves. For a concatenation in int8, the converter would give the outputs of both
    LSTMs a common scale, which differs from that of their states. The normalization of the paper is
    left out, because it has no int8 form.

    Parameters
    ----------
    hidden : int
        Units of each direction.
    export : bool
        For the converter, see `LSTM`.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, hidden: int, *, export: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.forwards = LSTM(hidden, export=export, name="forwards")
        self.backwards = LSTM(hidden, export=export, name="backwards")

    def build(self, shape):
        """Create the two halves of the projection."""
        self.project = keras.layers.Dense(shape[-1], name="project")
        self.project_back = keras.layers.Dense(shape[-1], use_bias=False, name="project_back")
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
        back = self.project_back(self._hidden_states(self.backwards, _reverse_groups(x)))
        return x + self.project(self._hidden_states(self.forwards, x)) + _reverse_groups(back)

    def _hidden_states(self, lstm, x):
        groups, width = x.shape[-2:]
        h = lstm(tf.reshape(x, [-1, groups, width]))
        # Restored to the shape of x before the product: TFLM of 2024 treats the output of a fully
        # connected layer as a matrix, whatever its shape.
        return tf.reshape(h, [*tf.unstack(tf.shape(x)[:-2]), groups, self.hidden])

    macs = staticmethod(macs.group_blstm)


def _reverse_groups(x):
    """Reverse the order of the groups.

    tf.reverse is not used, because TFLM has GATHER in every version, but REVERSE_V2 only since
    2025.
    """
    return tf.gather(x, range(x.shape[-2])[::-1], axis=-2)
