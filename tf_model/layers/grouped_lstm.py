"""A recurrence over time whose weights are shared by all groups."""

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers.lstm import LSTM


class GroupedLSTM(keras.layers.Layer):
    """Apply one LSTM over time to every group, with projection and residual connection.

    ``y_k[t] = x_k[t] + W h_k[t] + b``, where h_k is the hidden state of the LSTM for group k. The
    groups are the batch of the LSTM, so they share its weights and each group has its own state.

    Source: arXiv 2011.08397, section 2.2, here in a causal form.

    Parameters
    ----------
    hidden : int
        Units of the LSTM.
    stateful : bool
        For one frame at a time in Keras: keep the state between calls. `reset_states` resets it.
    export : bool
        For the converter: the fused operator of TFLite keeps its own state.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, hidden: int, *, stateful: bool = False, export: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.lstm = LSTM(hidden, stateful=stateful, export=export, name="lstm")

    def build(self, shape):
        """Create the projection."""
        self.project = keras.layers.Dense(shape[-1], name="project")
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, frames, groups, width), dtype=float32]
            Or one frame [shape=(groups, width)].

        Returns
        -------
        tf.Tensor
            Of the shape of ``x``.
        """
        groups, width = x.shape[-2:]
        if len(x.shape) == 2:
            h = self.lstm(tf.reshape(x, [groups, 1, width]))
            return x + self.project(tf.reshape(h, [groups, self.hidden]))
        frames = tf.shape(x)[1]
        h = self.lstm(tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, frames, width]))
        h = tf.reshape(self.project(h), [-1, groups, frames, width])
        return x + tf.transpose(h, [0, 2, 1, 3])

    def reset_states(self):
        """Reset the state of the LSTM to zero (only with ``stateful=True``)."""
        self.lstm.reset_states()

    macs = staticmethod(macs.grouped_lstm)
