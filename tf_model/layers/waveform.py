"""The learned filterbank that replaces the STFT in a time-domain network, and its inverse.

Source: Luo and Mesgarani, "TasNet", ICASSP 2018.
"""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tf_model import macs


class Encoder(keras.layers.Layer):
    """Multiply half-overlapping frames by a matrix: a convolution without bias or activation.

    Parameters
    ----------
    features : int
        Features per frame.
    window : int
        Samples per frame; even.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, features: int, window: int, **kwargs):
        super().__init__(**kwargs)
        self.features, self.window = features, window

    def build(self, shape):
        """Create the matrix."""
        self.kernel = self.add_weight(name="kernel", shape=(self.window, self.features))
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, samples), dtype=float32]

        Returns
        -------
        tf.Tensor [shape=(batch, samples // (window // 2) - 1, features), dtype=float32]
        """
        half = self.window // 2
        count = tf.shape(x)[1] // half
        # tf.signal.frame would put an index for every sample into the `.tflite`.
        halves = tf.reshape(x[:, : count * half], [-1, count, half])
        return tf.matmul(tf.concat([halves[:, :-1], halves[:, 1:]], 2), self.kernel)

    def macs(self, frames: int) -> macs.Macs:
        """Count the multiply-accumulates for this number of frames."""
        return macs.product(frames, self.window, self.features)


class Decoder(keras.layers.Layer):
    """Multiply features by a matrix and overlap-add: a transposed convolution without bias.

    Parameters
    ----------
    window : int
        Samples per frame; even.
    **kwargs
        Arguments of `keras.layers.Layer`.
    """

    def __init__(self, window: int, **kwargs):
        super().__init__(**kwargs)
        self.window = window

    def build(self, shape):
        """Create the matrix."""
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.window))
        super().build(shape)

    def call(self, x):
        """Apply the layer.

        Parameters
        ----------
        x : tf.Tensor [shape=(..., frames, features), dtype=float32]

        Returns
        -------
        tf.Tensor [shape=(..., (frames + 1) * window // 2), dtype=float32]
        """
        # tf.matmul aborts the process for some shapes with one source (TensorFlow 2.21, oneDNN).
        frames = tf.tensordot(x, self.kernel, 1)
        return tf.signal.overlap_and_add(frames, self.window // 2)

    def macs(self, frames: int, features: int, sources: int) -> macs.Macs:
        """Count the multiply-accumulates for this number of frames.

        thop counts a product with the whole kernel per output sample, as if each sample were the
        sum of ``window`` frames; it is the sum of two.
        """
        samples = (frames + 1) * self.window // 2
        return macs.Macs(
            sources * frames * features * self.window, sources * samples * features * self.window
        )


def analysis(window: int, features: int) -> keras.layers.Dense:
    """Create the filterbank of a frame, for boards: a Dense layer without bias.

    Its initial weights, and those of `synthesis`, are `sinusoids`.
    """
    return keras.layers.Dense(
        features,
        use_bias=False,
        kernel_initializer=lambda shape, dtype=None: tf.constant(sinusoids(*shape), dtype),
        name="analysis",
    )


def synthesis(window: int, features: int) -> keras.layers.Dense:
    """Create the inverse of `analysis`, whose frames of ``window`` samples overlap-add."""
    return keras.layers.Dense(
        window,
        use_bias=False,
        kernel_initializer=lambda shape, dtype=None: tf.constant(sinusoids(*shape[::-1]).T, dtype),
        name="synthesis",
    )


def sinusoids(window: int, features: int) -> np.ndarray:
    """Compute pairs of a cosine and a sine under a square-root Hann window.

    The frequencies are (k + 1 / 2) / ``features`` of the sample rate. For ``features = window``
    they are orthogonal, so half-overlapping frames give back the signal.

    Parameters
    ----------
    window, features : int

    Returns
    -------
    np.ndarray [shape=(window, features), dtype=float32]
    """
    n, k = np.arange(window)[:, None], np.arange(features)
    phase = 2 * np.pi * (k // 2 + 0.5) * n / features - np.pi / 2 * (k % 2)
    return (np.sin(np.pi * n / window) * np.sqrt(2 / features) * np.cos(phase)).astype(np.float32)
