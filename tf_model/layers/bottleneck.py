"""Group Communication through a narrow layer in which every group has its own place."""

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers.lstm import LSTM


class Bottleneck(keras.layers.Layer):
    """Let the groups talk: what all of them say is pressed into a few values, and every group hears all of those.

    With x the features of all groups side by side::

        y = x + W2 relu(W1 x + b1) + b2

    TAC (arXiv 2012.07291, section 2.2) tells every group the same mean, in which no group is known from another. Here each group has
    rows and columns of its own: where the groups are bands of the spectrum, a low one can tell a high one what it needs to know. That
    takes parameters, but few multiply-accumulates: no product is done once for every group. W2 begins at zero, so the layer begins as
    the identity, and a network that was trained without it can go on with it.

    With ``memory`` units, an LSTM over time runs inside the narrow layer: one for the whole spectrum, beside those of the groups.

    Parameters
    ----------
    width : int
        Units of the narrow layer.
    memory : int
        Units of the LSTM in it; 0: none.
    stateful : bool
        For one frame at a time in Keras: keep the state from call to call; `reset_states` zeroes it.
    export : bool
        For the converter: the fused operator of TFLite keeps its state by itself.

    Call with tensor [shape=(batch, frames, groups, features)] or one frame [shape=(groups, features)]; returns the same shape.
    """

    def __init__(
        self, width: int, *, memory: int = 0, stateful: bool = False, export: bool = False, **kwargs
    ):
        super().__init__(**kwargs)
        self.width = width
        self.say = keras.layers.Dense(width, activation="relu", name="say")
        self.lstm = LSTM(memory, stateful=stateful, export=export, name="lstm") if memory else None

    def build(self, shape):
        self.hear = keras.layers.Dense(
            shape[-2] * shape[-1], kernel_initializer="zeros", name="hear"
        )
        super().build(shape)

    def call(self, x):
        groups, features = x.shape[-2:]
        lead = [1] if len(x.shape) == 2 else [tf.shape(x)[0], tf.shape(x)[1]]
        y = self.say(tf.reshape(x, [*lead, groups * features]))
        if self.lstm is not None:
            y = self.lstm(y) if len(x.shape) > 2 else tf.reshape(self.lstm(y[None]), [1, -1])
        y = self.hear(y)
        return x + tf.reshape(
            y, [*lead, groups, features] if len(x.shape) > 2 else [groups, features]
        )

    def reset_states(self):
        """Zero the state of the LSTM (only with ``stateful=True``)."""
        if self.lstm is not None:
            self.lstm.reset_states()

    macs = staticmethod(macs.bottleneck)
