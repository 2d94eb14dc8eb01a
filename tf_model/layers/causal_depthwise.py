"""Causal depthwise convolution along time, for tensors with groups."""

import tensorflow as tf
import tf_keras as keras


class CausalDepthwise(keras.layers.Layer):
    """Convolve every feature along time with its own kernel, which all groups share.

    ``y[t, g, c] = b[c] + sum_k w[k, c] x[t - (size - 1 - k) dilation, g, c]``; x is zero before the
    stream.

    For one frame at a time, the layer keeps the last ``(size - 1) dilation`` frames of its input.

    Parameters
    ----------
    size : int
        Taps of the kernel.
    dilation : int
        Frames between taps.
    stateful : bool
        For one frame at a time: keep the frames between calls. `reset_states` sets them to zero.
    **kwargs
        Arguments of `keras.layers.Layer`.

    Attributes
    ----------
    state : tf.Variable [shape=(1, frames, groups, width)] or None
        The frames, oldest first. It is not among the weights. None without ``stateful``, and where
        the kernel has one tap.
    """

    def __init__(self, size: int, *, dilation: int = 1, stateful: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.size, self.dilation, self.stateful = size, dilation, stateful
        self.frames = (size - 1) * dilation
        self.state = None

    @tf.__internal__.tracking.no_automatic_dependency_tracking
    def build(self, shape):
        """Create the kernel, the bias and the state."""
        self.kernel = self.add_weight(name="kernel", shape=(self.size, shape[-1]))
        self.bias = self.add_weight(name="bias", shape=(shape[-1],), initializer="zeros")
        if self.stateful and self.frames:
            self.state = tf.Variable(tf.zeros([1, self.frames, *shape[-2:]]), trainable=False)
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
        if len(x.shape) == 2:
            return self._frame(x)
        span = tf.shape(x)[1]
        padded = tf.pad(x, [[0, 0], [self.frames, 0], [0, 0], [0, 0]])
        taps = [padded[:, k * self.dilation :][:, :span] * self.kernel[k] for k in range(self.size)]
        return tf.add_n(taps) + self.bias

    def _frame(self, x):
        """Convolve the frames of the state and one more."""
        window = tf.reshape(x, [1, 1, *x.shape])
        if self.state is not None:
            window = tf.concat([self.state, window], 1)
            self.state.assign(window[:, 1:])
        y = tf.nn.depthwise_conv2d(
            window,
            self.kernel[:, None, :, None],
            [1, 1, 1, 1],
            "VALID",
            dilations=[self.dilation, 1],
        )
        return tf.reshape(y + self.bias, x.shape)

    def reset_states(self):
        """Set the state to zero (only with ``stateful=True``)."""
        if self.state is not None:
            self.state.assign(tf.zeros_like(self.state))
