"""A convolution over time whose weights are shared by all groups."""

import tf_keras as keras

from tf_model import macs
from tf_model.layers.causal_depthwise import CausalDepthwise


class GroupedTCN(keras.layers.Layer):
    """Apply one causal depthwise-separable convolution over time to every group.

    With * the dilated depthwise convolution, and x_k the features of group k::

        u_k = relu(W1 x_k + b1)
        v_k = relu(w * u_k + b)
        y_k = x_k + W2 v_k + b2

    This is the block of the temporal convolutional network of Conv-TasNet (Luo and Mesgarani, TASLP
    2019, section II-C), in the grouped form of arXiv 2012.07291. ReLU replaces PReLU, because it
    costs nothing in int8. There is no normalization over time, which a stream does not have, and no
    skip connection.

    Parameters
    ----------
    hidden : int
        Features of a group inside the block.
    taps : int
        Taps of the convolution.
    dilation : int
        Frames between taps.
    stateful : bool
        For one frame at a time, also for the converter: keep the frames that the convolution needs
        between calls. `reset_states` sets them to zero.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, hidden: int, *, taps: int, dilation: int, stateful: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.expand = keras.layers.Dense(hidden, activation="relu", name="expand")
        self.convolve = CausalDepthwise(taps, dilation=dilation, stateful=stateful, name="convolve")
        self.activate = keras.layers.ReLU(name="activate")

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
        return x + self.project(self.activate(self.convolve(self.expand(x))))

    def reset_states(self):
        """Set the state of the convolution to zero (only with ``stateful=True``)."""
        self.convolve.reset_states()

    macs = staticmethod(macs.grouped_tcn)
