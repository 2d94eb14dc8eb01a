"""The residual recurrent module of the papers: LSTM, projection, norm and residual connection."""

import math

import tf_keras as keras

from tf_model import macs
from tf_model.layers import parts
from tf_model.layers.blstm import BLSTM
from tf_model.layers.lstm import LSTM
from tf_model.layers.norm import Norm


class ResidualRNN(keras.layers.Layer):
    """Apply an LSTM along one axis: ``y = x + norm(W [h, h'] + b)``.

    h is the state of an LSTM that runs forwards along the axis, h' that of one that runs backwards.
    The papers use this module along time inside a chunk, along chunks, and, as the Group
    Communication of arXiv 2011.08397 (section 2.2), along the groups. All other axes are its batch,
    so groups share its weights. The state is zero at the start of every sequence; along the groups,
    in every frame.

    Parameters
    ----------
    hidden : int
        Units of each direction.
    axis : int
        The axis that the LSTM runs along.
    bidirectional : bool
        False leaves out the backward LSTM.
    per_frame : bool
        See `Norm`.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        hidden: int,
        axis: int,
        *,
        bidirectional: bool = True,
        per_frame: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden, self.axis, self.bidirectional = hidden, axis, bidirectional
        self.rnn = (
            BLSTM(hidden, name="rnn")
            if bidirectional
            else LSTM(hidden, return_state=True, name="lstm")
        )
        self.norm = Norm(per_frame=per_frame, name="norm")

    def build(self, shape):
        """Create the weights of all parts."""
        width = shape[-1]
        self.project = keras.layers.Dense(width, name="project")
        parts.build(self.rnn, width)
        parts.build(self.project, self.hidden * (1 + self.bidirectional))
        parts.build(self.norm, width)
        super().build(shape)

    def call(self, x, state=None):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, time..., groups, width), dtype=float32]
        state : tuple of tf.Tensor or None
            (h, c) after an earlier part of the sequence, each [shape=(batch of the LSTM, hidden)],
            for one direction only. None: zeros.

        Returns
        -------
        tf.Tensor
            Of the shape of ``x``. With ``state``, a tuple of it and the new state.
        """
        after = []

        def run(sequences):
            if self.bidirectional:
                return self.project(self.rnn(sequences))
            h, *last = self.rnn(sequences, initial_state=None if state is None else list(state))
            after.extend(last)
            return self.project(h)

        y = x + self.norm(parts.along(x, self.axis, run))
        return y if state is None else (y, tuple(after))

    def macs(self, shape: tuple[int, ...]) -> macs.Macs:
        """Count the multiply-accumulates for an input of this shape."""
        *rows, width = shape
        directions = 1 + self.bidirectional
        rows = math.prod(rows)
        return macs.lstm(rows, width, self.hidden, directions=directions) + macs.product(
            rows, directions * self.hidden, width
        )
