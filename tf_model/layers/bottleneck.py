"""Group Communication through a narrow layer across all groups."""

import tensorflow as tf
import tf_keras as keras

from tf_model import macs
from tf_model.layers.lstm import LSTM


class Bottleneck(keras.layers.Layer):
    """Exchange information between groups through a narrow layer.

    With x the concatenated features of all groups::

        y = x + W2 relu(W1 x + b1) + b2

    TAC (arXiv 2012.07291, section 2.2) gives every group the same mean, in which the groups cannot
    be distinguished. Here each group has its own rows of W1 and columns of W2: where the groups are
    bands of the spectrum, a low band can inform a particular high band. This takes parameters, but
    few multiply-accumulates, because no product is computed once per group. W2 is initialized to
    zero, so the layer starts as the identity and can be added to a network that was trained without
    it.

    With ``memory`` units, one LSTM over time runs inside the narrow layer. It covers the whole
    spectrum, in addition to the LSTMs of the groups.

    Parameters
    ----------
    width : int
        Units of the narrow layer.
    memory : int
        Units of the LSTM in the narrow layer; 0: no LSTM.
    stateful : bool
        For one frame at a time in Keras: keep the state between calls. `reset_states` resets it.
    export : bool
        For the converter: the fused operator of TFLite keeps its own state.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        width: int,
        *,
        memory: int = 0,
        stateful: bool = False,
        export: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width = width
        # Checkpoints and the states of training runs store the two layers as "say" and "hear".
        self.say = self.down = keras.layers.Dense(width, activation="relu", name="say")
        self.lstm = LSTM(memory, stateful=stateful, export=export, name="lstm") if memory else None

    def build(self, shape):
        """Create the layer that expands the narrow layer to the features of all groups."""
        self.hear = self.up = keras.layers.Dense(
            shape[-2] * shape[-1], kernel_initializer="zeros", name="hear"
        )
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, frames, groups, features), dtype=float32]
            Or one frame [shape=(groups, features)].

        Returns
        -------
        tf.Tensor
            Of the shape of ``x``.
        """
        groups, features = x.shape[-2:]
        lead = [1] if len(x.shape) == 2 else [tf.shape(x)[0], tf.shape(x)[1]]
        y = self.down(tf.reshape(x, [*lead, groups * features]))
        if self.lstm is not None:
            y = self.lstm(y) if len(x.shape) > 2 else tf.reshape(self.lstm(y[None]), [1, -1])
        y = self.up(y)
        return x + tf.reshape(
            y, [*lead, groups, features] if len(x.shape) > 2 else [groups, features]
        )

    def reset_states(self):
        """Reset the state of the LSTM to zero (only with ``stateful=True``)."""
        if self.lstm is not None:
            self.lstm.reset_states()

    macs = staticmethod(macs.bottleneck)
