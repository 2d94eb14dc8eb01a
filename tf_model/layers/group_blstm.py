"""Group Communication by a recurrence across the groups."""

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers.lstm import LSTM


class GroupBLSTM(keras.layers.Layer):
    """A residual BLSTM along the groups: every group hears all others (arXiv 2011.08397, section 2.2).

    ``y_k = x_k + W h_k + W' h'_k + b``: h is the state of an LSTM that runs from the first group to the last, h' of one that runs from the
    last to the first. Both begin from zero in every frame, so nothing is carried along time.

    ``W h_k + W' h'_k`` is the paper's linear layer on the concatenation [h_k, h'_k], with its matrix in two halves. To concatenate them in
    int8, the converter would give the outputs of both LSTMs one scale, which is not that of their states. The paper's norm is left out:
    there is none in int8.

    Parameters
    ----------
    hidden : units of each direction.
    export : for the converter.

    Call with tensor [shape=(..., groups, width)]; returns the same shape.
    """

    def __init__(self, hidden: int, *, export: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.forwards = LSTM(hidden, export=export, name="forwards")
        self.backwards = LSTM(hidden, export=export, name="backwards")

    def build(self, shape):
        self.project = keras.layers.Dense(shape[-1], name="project")
        self.project_back = keras.layers.Dense(shape[-1], use_bias=False, name="project_back")
        super().build(shape)

    def call(self, x):
        back = self.project_back(self._states(self.backwards, _turn(x)))
        return x + self.project(self._states(self.forwards, x)) + _turn(back)

    def _states(self, lstm, x):
        groups, width = x.shape[-2:]
        h = lstm(tf.reshape(x, [-1, groups, width]))
        # In the shape of x before the product: TFLM of 2024 reads the output of a fully connected layer as a matrix, whatever its shape.
        return tf.reshape(h, [*tf.unstack(tf.shape(x)[:-2]), groups, self.hidden])

    macs = staticmethod(macs.group_blstm)


def _turn(x):
    """The last group first. Not tf.reverse: TFLM has GATHER in every version, REVERSE_V2 only since 2025."""
    return tf.gather(x, range(x.shape[-2])[::-1], axis=-2)
