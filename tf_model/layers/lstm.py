"""The LSTM of all networks: the Keras layer, trained with a fused operator of TensorFlow."""

import tensorflow as tf
import tf_keras as keras


class LSTM(keras.layers.LSTM):
    """Return the whole sequence of an LSTM, in about 60 % of the time that Keras takes.

    The sequence goes through TensorFlow's BlockLSTM, which has the same weights and the same result
    and no loop in the graph. TFLite does not know that operator. For the converter, and for one
    frame at a time with a state in Keras, the layer is that of Keras.

    Parameters
    ----------
    units : int
        Units of the hidden state.
    export : bool
        For the converter, which makes TFLite's fused operator from the loop of Keras.
    **kwargs
        Arguments of `keras.layers.LSTM`.
    """

    def __init__(self, units: int, *, export: bool = False, **kwargs):
        super().__init__(units, **{**kwargs, "return_sequences": True})
        self.export = export

    def call(self, x, mask=None, training=None, initial_state=None):
        """Run the LSTM along a sequence.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, length, width), dtype=float32]
        mask : tf.Tensor or None
        training : bool or None
            Arguments of `keras.layers.LSTM`, which the fused operator ignores.
        initial_state : sequence of tf.Tensor or None
            (h, c), each [shape=(batch, units)]; None: zeros.

        Returns
        -------
        tf.Tensor [shape=(batch, length, units), dtype=float32]
            The hidden states. With ``return_state``, a list of them and the last h and c, each
            [shape=(batch, units)].
        """
        if self.export or self.stateful:
            return super().call(x, mask=mask, training=training, initial_state=initial_state)
        x = tf.transpose(x, [1, 0, 2])  # (length, batch, width)
        x = tf.reverse(x, [0]) if self.go_backwards else x
        length, batch = tf.unstack(tf.shape(x)[:2])
        zeros = tf.zeros([batch, self.units], x.dtype)
        h, c = (zeros, zeros) if initial_state is None else initial_state
        none = tf.zeros([self.units], x.dtype)  # no peepholes
        # BlockLSTMV2 takes the gates in the order of Keras, but its gradient in TensorFlow 2.21 is
        # wrong.
        run = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.cast(length, tf.int64), x=x, cs_prev=c, h_prev=h,
            wci=none, wcf=none, wco=none,
            w=_block_order(tf.concat([self.cell.kernel, self.cell.recurrent_kernel], 0)),
            b=_block_order(self.cell.bias), forget_bias=0.0, cell_clip=-1.0,
        )  # fmt: skip
        states = tf.transpose(run.h, [1, 0, 2])
        return [states, run.h[-1], run.cs[-1]] if self.return_state else states

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "export": self.export}


def _block_order(weights):
    """Reorder gates from i, f, c, o (Keras) to i, c, f, o (BlockLSTM); c is the candidate."""
    i, f, c, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, c, f, o], -1)
