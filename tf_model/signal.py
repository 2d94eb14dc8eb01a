"""The signal path: STFT, its inverse, and the network's features. One definition; `micro/stream` is its twin in C++.

Analysis and synthesis use the same periodic square-root Hann window, so that the window applied twice overlaps to a constant for
every hop that divides half the window (Allen and Rabiner, "A unified approach to short-time Fourier analysis and synthesis",
Proc. IEEE 65(11), 1977). A stream starts as if ``window - hop`` zeros had come before its first sample.
"""

import dataclasses

import numpy as np

from groupcomm.errors import UserError

PCM_SCALE = 32768.0  # int16 PCM of this value is a sample of 1.0


@dataclasses.dataclass(frozen=True)
class Signal:
    """Sizes of the signal path.

    Parameters
    ----------
    sample_rate : samples a second.
    window : samples in a frame; its length is the latency.
    hop : samples between frames; divides half the window.
    exponent : compression of the magnitude that the network sees, ``|X| ** exponent``.

    Raises
    ------
    UserError
        For a window that is no power of two (the FFT of the boards) or a hop that does not divide half of it.
    """

    sample_rate: int = 16000
    window: int = 256
    hop: int = 128
    exponent: float = 0.3

    def __post_init__(self):
        if self.window < 32 or self.window & (self.window - 1):
            raise UserError(f"window {self.window} is not a power of two of at least 32; use 128, 256 or 512")
        if self.hop < 1 or (self.window // 2) % self.hop:
            half = self.window // 2
            raise UserError(f"hop {self.hop} does not divide half the window of {self.window}; use {half} or {half // 2}")

    @property
    def bins(self) -> int:
        """Frequency bins of the real FFT."""
        return self.window // 2 + 1

    def analysis_window(self) -> np.ndarray:
        """Periodic square-root Hann [shape=(window,), float32]."""
        n = np.arange(self.window)
        return np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * n / self.window)).astype(np.float32)

    def synthesis_window(self) -> np.ndarray:
        """Analysis window over the constant to which its square overlaps [shape=(window,), float32]."""
        return self.analysis_window() / np.float32(self.window / (2 * self.hop))

    def frames(self, samples: int) -> int:
        """Frames that `stft` makes of ``samples``: every hop, and as many more as flush the last sample out."""
        return -(-samples // self.hop) + (self.window - self.hop) // self.hop

    def padding(self, samples: int) -> tuple[int, int]:
        """Zeros before and after ``samples`` that give exactly `frames` frames."""
        front = self.window - self.hop
        return front, (self.frames(samples) - 1) * self.hop + self.window - front - samples


def stft(x: np.ndarray, signal: Signal) -> np.ndarray:
    """Short-time Fourier transform.

    Parameters
    ----------
    x : np.ndarray [shape=(..., samples), float]
        Samples in -1..1.

    Returns
    -------
    np.ndarray [shape=(..., frames, bins), complex64]
    """
    x = np.asarray(x, np.float32)
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [signal.padding(x.shape[-1])])
    frames = np.lib.stride_tricks.sliding_window_view(padded, signal.window, axis=-1)[..., :: signal.hop, :]
    return np.fft.rfft(frames * signal.analysis_window()).astype(np.complex64)


def istft(spectrum: np.ndarray, samples: int, signal: Signal) -> np.ndarray:
    """Inverse of `stft`: ``istft(stft(x, s), x.shape[-1], s) == x`` but for rounding.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., frames, bins), complex]
    samples : length of the result.

    Returns
    -------
    np.ndarray [shape=(..., samples), float32]
    """
    frames = np.fft.irfft(spectrum, signal.window).astype(np.float32) * signal.synthesis_window()
    count = frames.shape[-2]
    out = np.zeros((*frames.shape[:-2], (count - 1) * signal.hop + signal.window), np.float32)
    for i in range(count):
        out[..., i * signal.hop : i * signal.hop + signal.window] += frames[..., i, :]
    front = signal.window - signal.hop
    return out[..., front : front + samples]


def features(spectrum: np.ndarray, signal: Signal) -> np.ndarray:
    """Compressed magnitude ``(re^2 + im^2) ** (exponent / 2)`` [shape=(..., frames, bins), float32]."""
    power = spectrum.real.astype(np.float32) ** 2 + spectrum.imag.astype(np.float32) ** 2
    return power ** np.float32(signal.exponent / 2)


def apply_masks(spectrum: np.ndarray, masks: np.ndarray, sources: int) -> np.ndarray:
    """Multiply the mixture's spectrum by each source's mask.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., frames, bins), complex]
    masks : np.ndarray [shape=(..., frames, sources * bins), float]

    Returns
    -------
    np.ndarray [shape=(..., sources, frames, bins), complex]
    """
    bins = spectrum.shape[-1]
    masks = masks.reshape(*masks.shape[:-1], sources, bins)
    return np.moveaxis(masks, -2, -3) * spectrum[..., None, :, :]


def tf_stft(x, signal: Signal):
    """`stft` in TensorFlow: float32 [batch, samples] -> complex64 [batch, frames, bins]."""
    import tensorflow as tf

    padded = tf.pad(x, [(0, 0), signal.padding(x.shape[-1])])
    return tf.signal.rfft(tf.signal.frame(padded, signal.window, signal.hop) * signal.analysis_window())


def tf_istft(spectrum, samples: int, signal: Signal):
    """`istft` in TensorFlow: complex64 [..., frames, bins] -> float32 [..., samples]."""
    import tensorflow as tf

    frames = tf.signal.irfft(spectrum, [signal.window]) * signal.synthesis_window()
    front = signal.window - signal.hop
    return tf.signal.overlap_and_add(frames, signal.hop)[..., front : front + samples]


def tf_features(spectrum, signal: Signal):
    """`features` in TensorFlow; the tiny floor keeps the gradient finite at silence, and the value within float32 rounding."""
    import tensorflow as tf

    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    return tf.maximum(power, 1e-30) ** (signal.exponent / 2)
