"""The learned filterbank that stands for the STFT in a time-domain network, and its inverse (Luo and Mesgarani, TasNet, 2018)."""

import tensorflow as tf
import tf_keras as keras

from tf_model import macs


class Encoder(keras.layers.Layer):
    """Frames of ``window`` samples, half over each other, times a matrix: a convolution without bias or activation.

    Call with tensor [shape=(batch, samples)]; returns [shape=(batch, samples // (window / 2) - 1, features)].
    """

    def __init__(self, features: int, window: int, **kwargs):
        super().__init__(**kwargs)
        self.features, self.window = features, window

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(self.window, self.features))
        super().build(shape)

    def call(self, x):
        half = self.window // 2
        count = tf.shape(x)[1] // half
        halves = tf.reshape(
            x[:, : count * half], [-1, count, half]
        )  # tf.signal.frame would put an index for every sample into a `.tflite`
        return tf.matmul(tf.concat([halves[:, :-1], halves[:, 1:]], 2), self.kernel)

    def macs(self, frames: int) -> macs.Macs:
        """Count for so many frames."""
        return macs.product(frames, self.window, self.features)


class Decoder(keras.layers.Layer):
    """Features times a matrix, overlapped and added: a transposed convolution without bias.

    Call with tensor [shape=(..., frames, features)]; returns [shape=(..., (frames + 1) * window / 2)].
    """

    def __init__(self, window: int, **kwargs):
        super().__init__(**kwargs)
        self.window = window

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.window))
        super().build(shape)

    def call(self, x):
        frames = tf.tensordot(
            x, self.kernel, 1
        )  # tf.matmul ends the process for some shapes of one source (TensorFlow 2.21, oneDNN)
        return tf.signal.overlap_and_add(frames, self.window // 2)

    def macs(self, frames: int, features: int, sources: int) -> macs.Macs:
        """Count for so many frames. thop multiplies output samples by the kernel, as if each heard ``window`` frames: it hears two."""
        samples = (frames + 1) * self.window // 2
        return macs.Macs(
            sources * frames * features * self.window, sources * samples * features * self.window
        )
