"""A bidirectional LSTM that TFLite can run again and again."""

import tensorflow as tf
import tf_keras as keras
from tf_keras.src.layers.rnn.lstm import lstm_with_backend_selection

from tf_model.layers.lstm import LSTM

_SHUT = -1e4  # of a gate's sum: its sigmoid is 0 in float32, whatever the other terms are


class BLSTM(keras.layers.Bidirectional):
    """An LSTM forwards and one backwards, outputs side by side; both start from zero states in every call, also in TFLite.

    The fused LSTM of TFLite and TFLM begins an Invoke with the state that the last one left. So, with ``export``, every sequence gets a
    first step that makes the state zero: it has a feature of its own, whose weights shut the input gate and the forget gate. The new cell
    is then 0 * cell + 0 * candidate, which is zero for all states that are numbers, and its output is dropped. It costs one step more, and
    no caller has to reset anything.

    Parameters
    ----------
    hidden : units of each direction.

    Call with tensor [shape=(batch, length, width)]; returns [shape=(batch, length, 2 * hidden)]. ``export`` is for the
    converter, and only inside a ``tf.function``; the weights are the same.
    """

    def __init__(self, hidden: int, **kwargs):
        super().__init__(LSTM(hidden, name="lstm"), **kwargs)
        self.export = False

    def call(self, x):
        if not self.export:
            return super().call(x)
        backwards = _from_zero(tf.reverse(x, [1]), self.backward_layer.cell)
        return tf.concat([_from_zero(x, self.forward_layer.cell), tf.reverse(backwards, [1])], -1)


def _from_zero(x, cell):
    """One direction, of the weights of a Keras cell, with the step before the first."""
    # The step is all ones. That it is 1 in the last feature, where all true steps are 0, is what counts.
    x = tf.pad(tf.pad(x, [[0, 0], [0, 0], [0, 1]]), [[0, 0], [1, 0], [0, 0]], constant_values=1)
    gates = tf.repeat(
        tf.constant([[_SHUT, _SHUT, 0, 0]]), cell.units, axis=1
    )  # input, forget, candidate, output
    kernel = tf.concat([cell.kernel, gates], 0)
    recurrent, bias = (
        tf.convert_to_tensor(cell.recurrent_kernel),
        tf.convert_to_tensor(cell.bias),
    )  # a variable crashes the converter
    zeros = tf.zeros([tf.shape(x)[0], cell.units])
    _, h, *_ = lstm_with_backend_selection(
        x, zeros, zeros, kernel, recurrent, bias, mask=None, time_major=False, go_backwards=False,
        sequence_lengths=None, zero_output_for_mask=False, return_sequences=True,
    )  # fmt: skip
    return h[:, 1:]
