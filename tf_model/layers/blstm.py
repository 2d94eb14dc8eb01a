"""A bidirectional LSTM whose TFLite form starts from zero states in every call."""

import tensorflow as tf
import tf_keras as keras
from tf_keras.src.layers.rnn.lstm import lstm_with_backend_selection

from tf_model.layers.lstm import LSTM

# Added to the sum of a gate: its sigmoid is then 0 in float32, whatever the other terms are.
_CLOSED_GATE = -1e4


class BLSTM(keras.layers.Bidirectional):
    """Concatenate the outputs of a forward and a backward LSTM.

    Both directions start from zero states in every call, also in TFLite. The fused LSTM of TFLite
    and TFLM begins an invocation with the state that the previous one left. With ``export``, every
    sequence therefore gets a first step that resets the state: this step has a feature of its own,
    whose weights close the input gate and the forget gate. The new cell is then 0 * cell +
    0 * candidate, which is zero for every finite state. The output of the step is dropped. The cost
    is one additional step per direction, and no caller has to reset the state.

    Parameters
    ----------
    hidden : int
        Units of each direction.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Attributes
    ----------
    export : bool
        Build the form for the converter. Set it only inside a ``tf.function``; the weights are the
        same.
    """

    def __init__(self, hidden: int, **kwargs):
        super().__init__(LSTM(hidden, name="lstm"), **kwargs)
        self.export = False

    def call(self, x):
        """Run both directions.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, length, width), dtype=float32]

        Returns
        -------
        tf.Tensor [shape=(batch, length, 2 * hidden), dtype=float32]
        """
        if not self.export:
            return super().call(x)
        backwards = _run_from_zero_state(tf.reverse(x, [1]), self.backward_layer.cell)
        return tf.concat(
            [_run_from_zero_state(x, self.forward_layer.cell), tf.reverse(backwards, [1])], -1
        )


def _run_from_zero_state(x, cell):
    """Run one direction with the weights of a Keras cell, after a step that resets the state."""
    # All features of the reset step are 1. Only the last one matters, which is 0 in all other
    # steps.
    x = tf.pad(tf.pad(x, [[0, 0], [0, 0], [0, 1]]), [[0, 0], [1, 0], [0, 0]], constant_values=1)
    # Order of the gates: input, forget, candidate, output.
    gates = tf.repeat(tf.constant([[_CLOSED_GATE, _CLOSED_GATE, 0, 0]]), cell.units, axis=1)
    kernel = tf.concat([cell.kernel, gates], 0)
    # Tensors, because the converter crashes on variables here.
    recurrent, bias = tf.convert_to_tensor(cell.recurrent_kernel), tf.convert_to_tensor(cell.bias)
    zeros = tf.zeros([tf.shape(x)[0], cell.units])
    _, h, *_ = lstm_with_backend_selection(
        x, zeros, zeros, kernel, recurrent, bias, mask=None, time_major=False, go_backwards=False,
        sequence_lengths=None, zero_output_for_mask=False, return_sequences=True,
    )  # fmt: skip
    return h[:, 1:]
