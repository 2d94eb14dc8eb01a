"""Time recurrence that all groups share."""

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers.lstm import LSTM


class GroupedLSTM(keras.layers.Layer):
    """One LSTM over time, shared by all groups, with projection and residual (arXiv 2011.08397, section 2.2, made causal).

    ``y_k[t] = x_k[t] + W h_k[t] + b``, where h_k is the LSTM's hidden state for group k. The groups are the LSTM's batch, so the
    weights are shared and each group has its own state.

    Parameters
    ----------
    hidden : units of the LSTM.
    stateful : for one frame at a time in Keras, keep the state from call to call; `reset_states` zeroes it.
    export : for the converter: the fused operator of TFLite keeps its state by itself.

    Call with a sequence [shape=(batch, frames, groups, width)] or one frame [shape=(groups, width)]; returns the same shape.
    """

    def __init__(self, hidden: int, *, stateful: bool = False, export: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.lstm = LSTM(hidden, stateful=stateful, export=export, name="lstm")

    def build(self, shape):
        self.project = keras.layers.Dense(shape[-1], name="project")
        super().build(shape)

    def call(self, x):
        groups, width = x.shape[-2:]
        if len(x.shape) == 2:
            h = self.lstm(tf.reshape(x, [groups, 1, width]))
            return x + self.project(tf.reshape(h, [groups, self.hidden]))
        frames = tf.shape(x)[1]
        h = self.lstm(tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, frames, width]))
        h = tf.reshape(self.project(h), [-1, groups, frames, width])
        return x + tf.transpose(h, [0, 2, 1, 3])

    def reset_states(self):
        """Forget what was heard (only with ``stateful=True``)."""
        self.lstm.reset_states()

    macs = staticmethod(macs.grouped_lstm)
