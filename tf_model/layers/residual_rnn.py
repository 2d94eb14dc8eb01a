"""The module that the papers repeat everywhere: LSTM, projection, norm, residual."""

import math

import tf_keras as keras

from tf_model import macs
from tf_model.layers import parts
from tf_model.layers.blstm import BLSTM
from tf_model.layers.lstm import LSTM
from tf_model.layers.norm import Norm


class ResidualRNN(keras.layers.Layer):
    """``y = x + norm(W [h, h'] + b)``: h is the state of an LSTM that runs forwards along one axis, h' of one that runs backwards.

    Along time inside a chunk, along chunks, and, as the Group Communication of arXiv 2011.08397 (section 2.2), along the groups. All other
    axes are its batch, so groups share its weights. It starts from zero states, every time: along the groups, anew in every frame.

    Parameters
    ----------
    hidden : units of each direction.
    axis : axis it runs along.
    bidirectional : False leaves the backward LSTM out.
    per_frame : see `Norm`.

    Call with tensor [shape=(batch, time..., groups, width)]; returns the same shape. One direction only: call with ``state`` (h, c), each
    [shape=(batch of the LSTM, hidden)], to go on from an earlier part of the sequence; returns the pair (y, state).
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
        width = shape[-1]
        self.project = keras.layers.Dense(width, name="project")
        parts.build(self.rnn, width)
        parts.build(self.project, self.hidden * (1 + self.bidirectional))
        parts.build(self.norm, width)
        super().build(shape)

    def call(self, x, state=None):
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
        """Count for an input of this shape."""
        *rows, width = shape
        directions = 1 + self.bidirectional
        rows = math.prod(rows)
        return macs.lstm(rows, width, self.hidden, directions=directions) + macs.product(
            rows, directions * self.hidden, width
        )
