"""The signal path: STFT, inverse STFT, and the features of the network.

This is the reference definition; `micro/stream` implements it in C++.

Analysis and synthesis use the same periodic square-root Hann window. The product of both windows
overlaps to a constant for every hop that divides half the window (Allen and Rabiner, "A unified
approach to short-time Fourier analysis and synthesis", Proc. IEEE 65(11), 1977). A stream starts as
if ``window - hop`` zeros had preceded its first sample.

With ``waveform`` there is no STFT: the network maps the samples of a frame to samples of every
source, which overlap-add. In the functions below, a frame then takes the place of a spectrum: its
samples divided by the running RMS, and the RMS.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import TYPE_CHECKING

import numpy as np

from groupcomm.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

PCM_SCALE = 32768.0  # int16 PCM value of a sample of 1.0
# Added to the running mean of the power, so that the normalization does not amplify very quiet
# input. It is the mean power of a bin for white noise of -81 dBFS, with a window of 256 samples.
LEVEL_FLOOR = 1e-6
# The same for the mean square of samples: -80 dBFS.
SAMPLE_FLOOR = 1e-8


@dataclasses.dataclass(frozen=True)
class Signal:
    """Sizes of the signal path.

    Parameters
    ----------
    sample_rate : int
        Samples per second.
    window : int
        Samples per frame; its length is the latency.
    hop : int
        Samples between frames; divides half the window.
    exponent : float
        Exponent of the power-law compression of the magnitudes, ``|X| ** exponent``, in 0.05..2.
    level : float
        Time constant in s of the running mean of the power by which the spectrum is normalized. The
        features are then independent of the input level, and use the same part of the int8 range.
        0: no normalization.
    bands : int
        Number of bands of equal width into which the features and masks are arranged, band by band.
        0: bin by bin.
    pool : int
        With bands, the number of bins in the upper half of the spectrum that share a mean power and
        a mask.
    neighbours : int
        With bands, the number of values of the next lower and of the next higher band that are also
        features of a band.
    dc : float
        Time constant in s of the running mean of the input, which is subtracted from every hop
        before framing. 0: no subtraction.
    waveform : bool
        The network receives the samples of a frame, divided by their running RMS with the time
        constant ``level``, and returns as many samples for every source.

    Raises
    ------
    UserError
        When the window is not a power of two (as the FFT on the boards requires), the hop does not
        divide half of it, or the bands do not divide the spectrum.
    """

    sample_rate: int = 16000
    window: int = 256
    hop: int = 128
    exponent: float = 0.3
    level: float = 0.0
    bands: int = 0
    pool: int = 1
    neighbours: int = 0
    dc: float = 0.0
    waveform: bool = False

    def __post_init__(self) -> None:
        """Check that the sizes fit together."""
        if self.window < 32 or self.window & (self.window - 1):
            raise UserError(
                f"window {self.window} is not a power of two of at least 32; use 128, 256 or 512"
            )
        if self.hop < 1 or (self.window // 2) % self.hop:
            half = self.window // 2
            raise UserError(
                f"hop {self.hop} does not divide half the window of {self.window}; "
                f"use {half} or {half // 2}"
            )
        # An integer of a file may be beyond every float.
        if not 0 <= self.level <= sys.float_info.max:
            raise UserError(
                f"level {self.level}: not a time constant; use seconds, or 0 for no normalization"
            )
        if not 0.05 <= self.exponent <= 2:  # beyond, float32 features overflow or are all alike
            raise UserError(
                f"exponent {self.exponent}: not in 0.05 to 2; use 0.3, or 1 for no compression"
            )
        if self.waveform and (self.bands, self.exponent) != (0, 1.0):
            raise UserError(
                f"bands {self.bands}, exponent {self.exponent}: with waveform there is no "
                "spectrum; use bands 0 and exponent 1"
            )
        if not self.bands and (self.pool, self.neighbours) != (1, 0):
            raise UserError(
                f"pool {self.pool} and neighbours {self.neighbours} need bands; set the number of "
                "bands, or use 1 and 0"
            )
        if self.bands and (self.bands < 0 or self.pool < 1 or self.window // 4 % self.pool):
            raise UserError(
                f"{self.bands} bands, pool {self.pool}: not valid sizes; "
                f"use {self.window // 16} bands and pool 1"
            )
        if self.bands and self.n_values % self.bands:
            raise UserError(
                f"{self.bands} bands, pool {self.pool}: {self.n_values} values do not divide into "
                f"them; use {self.n_values // 8} bands"
            )
        if not 0 <= self.neighbours <= self.band_width:
            raise UserError(
                f"neighbours {self.neighbours}: a band has {self.band_width} values; "
                f"use 0 to {self.band_width}"
            )
        # A board stores `dc_decay` as float32, where a time constant of microseconds would give 0
        # and one of days would give 1.
        if not 0 <= self.dc <= sys.float_info.max or (
            self.dc and not 0 < np.float32(self.dc_decay) < 1
        ):
            raise UserError(
                f"dc {self.dc}: not a time constant; use seconds, for example 0.5, or 0 for no "
                "DC removal"
            )

    @property
    def bins(self) -> int:
        """Number of frequency bins of the real FFT."""
        return self.window // 2 + 1

    @property
    def n_values(self) -> int:
        """Number of distinct features of a spectrum, and of masks per source.

        Without bands it is the number of bins; with bands, the single bins of the lower half of the
        spectrum and the pools of the upper half; with waveform, the samples of a frame.
        """
        if self.waveform:
            return self.window
        return self.window // 4 * (1 + self.pool) // self.pool if self.bands else self.bins

    @property
    def band_width(self) -> int:
        """Number of values in a band."""
        return self.n_values // max(1, self.bands)

    @property
    def n_features(self) -> int:
        """Number of network inputs per frame, including those that bands take from neighbours."""
        return max(1, self.bands) * (self.band_width + 2 * self.neighbours)

    @property
    def level_decay(self) -> float:
        """Decay factor per hop of the running mean of the power; 0 without normalization."""
        return math.exp(-self.hop / self.sample_rate / self.level) if self.level else 0.0

    @property
    def dc_decay(self) -> float:
        """Decay factor per hop of the running mean of the input; 0 without DC removal."""
        return math.exp(-self.hop / self.sample_rate / self.dc) if self.dc else 0.0

    def gather_indices(self) -> np.ndarray:
        """Return the index of the value of each network input.

        Returns
        -------
        np.ndarray [shape=(n_features,), dtype=int64]
            `n_values`, the index of a zero, where a band has no neighbour.
        """
        offsets = np.arange(-self.neighbours, self.band_width + self.neighbours)
        index = (np.arange(max(1, self.bands))[:, None] * self.band_width + offsets).ravel()
        return np.where((index >= 0) & (index < self.n_values), index, self.n_values)

    def value_of_bin(self) -> np.ndarray:
        """Return the index of the value of each bin.

        With bands, the last bin, at half the sample rate, belongs to the last value.

        Returns
        -------
        np.ndarray [shape=(bins,), dtype=int64]
        """
        if not self.bands:
            return np.arange(self.bins)
        half = self.window // 4
        return np.concatenate(
            [np.arange(half), half + np.arange(half) // self.pool, [self.n_values - 1]]
        )

    def analysis_window(self) -> np.ndarray:
        """Return the periodic square-root Hann window; ones with waveform.

        Returns
        -------
        np.ndarray [shape=(window,), dtype=float32]
        """
        n = np.arange(self.window)
        if self.waveform:
            return np.ones(self.window, np.float32)
        return np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * n / self.window)).astype(np.float32)

    def synthesis_window(self) -> np.ndarray:
        """Return the analysis window, divided by the constant to which its square overlaps.

        Returns
        -------
        np.ndarray [shape=(window,), dtype=float32]
        """
        return self.analysis_window() / np.float32(self.window / (2 * self.hop))

    def frames(self, samples: int) -> int:
        """Return the number of frames that `stft` makes of a signal.

        There is one frame per hop, and as many more as flush the last sample out.

        Parameters
        ----------
        samples : int
            Length of the signal.

        Returns
        -------
        int
        """
        return -(-samples // self.hop) + (self.window - self.hop) // self.hop

    def padding(self, samples: int) -> tuple[int, int]:
        """Return the padding of a signal that gives exactly `frames` frames.

        Parameters
        ----------
        samples : int
            Length of the signal.

        Returns
        -------
        front, back : int
            Numbers of zeros before and after the signal.
        """
        front = self.window - self.hop
        return front, (self.frames(samples) - 1) * self.hop + self.window - front - samples


def to_pcm(audio: np.ndarray) -> np.ndarray:
    """Convert samples to 16-bit PCM, rounded and saturated.

    Parameters
    ----------
    audio : np.ndarray [shape=(...), dtype=float]
        Samples in -1..1.

    Returns
    -------
    np.ndarray [shape=(...), dtype=int16]
    """
    return np.clip(np.rint(audio * PCM_SCALE), -32768, 32767).astype(np.int16)


class RunningMean:
    """Exponentially weighted mean of a sequence that arrives in parts, without start-up bias.

    Parameters
    ----------
    decay : float
        Factor by which the weight of a value decreases per step, in 0..1.
    """

    def __init__(self, decay: float):
        self._decay = decay
        self.reset()

    def reset(self) -> None:
        """Discard all values."""
        self._sum: float | np.ndarray = 0.0
        self._weight = 0.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the mean after each of the next values.

        Parameters
        ----------
        x : np.ndarray [shape=(..., values), dtype=float]

        Returns
        -------
        np.ndarray [shape=(..., values), dtype=float64]
        """
        x = np.asarray(x, np.float64)
        means = np.empty(x.shape)
        for i in range(x.shape[-1]):
            self._sum = x[..., i] + self._decay * self._sum
            self._weight = 1 + self._decay * self._weight
            means[..., i] = self._sum / self._weight
        return means


def remove_dc(x: np.ndarray, signal: Signal, mean: RunningMean | None = None) -> np.ndarray:
    """Subtract from every hop the running mean of the input up to the end of the hop.

    The samples are not filtered: there is no delay and no phase shift.

    Parameters
    ----------
    x : np.ndarray [shape=(..., hops * hop), dtype=float32]
    signal : Signal
    mean : RunningMean or None
        State of the stream that ``x`` continues; None: ``x`` starts a stream.

    Returns
    -------
    np.ndarray [shape=(..., hops * hop), dtype=float32]
    """
    if not signal.dc:
        return x
    mean = mean or RunningMean(signal.dc_decay)
    hops = x.reshape(*x.shape[:-1], -1, signal.hop)
    means = mean(hops.mean(-1, dtype=np.float64))
    return (hops - means[..., None].astype(np.float32)).reshape(x.shape)


def _spectra(x: np.ndarray, signal: Signal, level: RunningMean | None = None) -> np.ndarray:
    """Compute the spectra of all complete frames; see `stft` for the shape."""
    frames = np.lib.stride_tricks.sliding_window_view(x, signal.window, axis=-1)
    frames = frames[..., :: signal.hop, :]
    if not signal.waveform:
        return np.fft.rfft(frames * signal.analysis_window()).astype(np.complex64)
    rms = np.ones(frames.shape[:-1])
    if signal.level:
        level = level or RunningMean(signal.level_decay)
        rms = np.sqrt(level(np.mean(frames**2, -1)) + SAMPLE_FLOOR)
    rms = rms[..., None].astype(np.float32)
    return np.concatenate([frames / rms, rms], -1)


def stft(x: np.ndarray, signal: Signal) -> np.ndarray:
    """Compute the short-time Fourier transform of the output of `remove_dc`.

    The zeros that flush the last sample out count as samples for `remove_dc`.

    Parameters
    ----------
    x : np.ndarray [shape=(..., samples), dtype=float]
        Samples in -1..1.
    signal : Signal

    Returns
    -------
    np.ndarray [shape=(..., frames, bins), dtype=complex64]
        With waveform, [shape=(..., frames, window + 1), dtype=float32]: the samples of each frame,
        divided by the running RMS, and the RMS.
    """
    x = np.asarray(x, np.float32)
    front, back = signal.padding(x.shape[-1])
    others = [(0, 0)] * (x.ndim - 1)
    x = remove_dc(np.pad(x, [*others, (0, back)]), signal)
    return _spectra(np.pad(x, [*others, (front, 0)]), signal)


def _overlap_add(
    spectrum: np.ndarray, signal: Signal, before: np.ndarray | None = None
) -> np.ndarray:
    """Overlap-add all frames [shape=(..., (frames - 1) * hop + window), dtype=float32].

    ``before`` is the sum of earlier frames in the first ``window - hop`` samples.
    """
    frames = spectrum
    if not signal.waveform:
        frames = np.fft.irfft(spectrum, signal.window).astype(np.float32)
        frames = frames * signal.synthesis_window()
    count = frames.shape[-2]
    out = np.zeros((*frames.shape[:-2], (count - 1) * signal.hop + signal.window), np.float32)
    if before is not None:
        out[..., : signal.window - signal.hop] = before
    for i in range(count):
        out[..., i * signal.hop : i * signal.hop + signal.window] += frames[..., i, :]
    return out


def istft(spectrum: np.ndarray, samples: int, signal: Signal) -> np.ndarray:
    """Invert `stft`.

    ``istft(stft(x, s), x.shape[-1], s) == x``, except for rounding and, with ``dc``, for the
    running mean.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., frames, bins), dtype=complex]
    samples : int
        Length of the result.
    signal : Signal

    Returns
    -------
    np.ndarray [shape=(..., samples), dtype=float32]
    """
    front = signal.window - signal.hop
    return _overlap_add(spectrum, signal)[..., front : front + samples]


def features(spectrum: np.ndarray, signal: Signal, level: RunningMean | None = None) -> np.ndarray:
    """Compute the features: compressed magnitudes, ``power ** (exponent / 2)``.

    The power is that of bins or of bands, normalized by its running mean if ``signal.level`` is
    set. With waveform, the features are the samples.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., frames, bins), dtype=complex]
    signal : Signal
    level : RunningMean or None
        State of the stream that ``spectrum`` continues; None: ``spectrum`` starts a stream.

    Returns
    -------
    np.ndarray [shape=(..., frames, n_features), dtype=float32]
        Band by band.
    """
    if signal.waveform:
        return spectrum[..., :-1]
    power = spectrum.real.astype(np.float32) ** 2 + spectrum.imag.astype(np.float32) ** 2
    if signal.level:
        level = level or RunningMean(signal.level_decay)
        power = power / (level(power.mean(-1)) + LEVEL_FLOOR)[..., None].astype(np.float32)
    if signal.bands:
        low, high = power[..., : signal.window // 4], power[..., signal.window // 4 : -1]
        high = high.reshape(*high.shape[:-1], -1, signal.pool).mean(-1)
        power = np.concatenate([low, high, np.zeros_like(low[..., :1])], -1)[
            ..., signal.gather_indices()
        ]
    return power ** np.float32(signal.exponent / 2)


def apply_masks(
    spectrum: np.ndarray, masks: np.ndarray, sources: int, signal: Signal
) -> np.ndarray:
    """Multiply the spectrum of the mixture by the mask of each source.

    With waveform, the masks are the samples of the sources, and are multiplied by the running RMS.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., frames, bins), dtype=complex]
    masks : np.ndarray [shape=(..., frames, sources * n_values), dtype=float]
        Band by band, and in each band source by source.
    sources : int
        Number of sources.
    signal : Signal

    Returns
    -------
    np.ndarray [shape=(..., sources, frames, bins), dtype=complex]
        With waveform, [shape=(..., sources, frames, window), dtype=float32].
    """
    masks = masks.reshape(*masks.shape[:-1], max(1, signal.bands), sources, signal.band_width)
    masks = np.moveaxis(masks, -2, -4)  # (..., sources, frames, bands, width)
    if signal.waveform:
        return masks[..., 0, :] * spectrum[..., None, :, -1:]
    masks = masks.reshape(*masks.shape[:-2], signal.n_values)[..., signal.value_of_bin()]
    return masks * spectrum[..., None, :, :]


def unity_masks(features: np.ndarray, sources: int, signal: Signal) -> np.ndarray:
    """Return the masks with which every source is the input.

    Parameters
    ----------
    features : np.ndarray [shape=(frames, n_features), dtype=float32]
    sources : int
    signal : Signal

    Returns
    -------
    np.ndarray [shape=(frames, sources * n_values), dtype=float32]
    """
    if signal.waveform:
        return np.tile(features, sources) * np.float32(signal.hop / signal.window)
    return np.ones((len(features), sources * signal.n_values), np.float32)


class SignalStream:
    """The signal path of a stream whose samples arrive in parts of whole hops.

    The output is delayed by ``window - hop`` samples. The concatenated parts equal the result of
    `stft`, `features`, `apply_masks` and `istft` on the whole signal.

    Parameters
    ----------
    signal : Signal
    sources : int
        Number of sources for which the network computes masks.
    """

    def __init__(self, signal: Signal, sources: int):
        self.signal, self.sources = signal, sources
        self._mean, self._level = RunningMean(signal.dc_decay), RunningMean(signal.level_decay)
        self.reset()

    def reset(self) -> None:
        """Return to the start of a stream."""
        overlap = self.signal.window - self.signal.hop
        self._mean.reset()
        self._level.reset()
        self._history = np.zeros(overlap, np.float32)
        self._overlap = np.zeros((self.sources, overlap), np.float32)

    def analyze(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the spectrum and the features of the next hops.

        Parameters
        ----------
        x : np.ndarray [shape=(hops * hop,), dtype=float32]
            Samples in -1..1.

        Returns
        -------
        spectrum : np.ndarray [shape=(hops, bins), dtype=complex64]
        features : np.ndarray [shape=(hops, n_features), dtype=float32]
        """
        extended = np.concatenate([self._history, remove_dc(x, self.signal, self._mean)])
        self._history = extended[len(x) :]
        spectrum = _spectra(extended, self.signal, self._level)
        return spectrum, features(spectrum, self.signal, self._level)

    def synthesize(self, spectrum: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Compute the samples of every source.

        Parameters
        ----------
        spectrum : np.ndarray [shape=(hops, bins), dtype=complex64]
        masks : np.ndarray [shape=(hops, sources * n_values), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(sources, hops * hop), dtype=float32]
        """
        masked = apply_masks(spectrum, masks, self.sources, self.signal)
        out = _overlap_add(masked, self.signal, self._overlap)
        samples = len(spectrum) * self.signal.hop
        self._overlap = out[:, samples:]
        return out[:, :samples]


def _tf_running_mean(x: tf.Tensor, decay: float) -> tf.Tensor:
    """Compute `RunningMean` in TensorFlow, for a batch [shape=(batch, values), dtype=float32]."""
    import tensorflow as tf

    age = np.subtract.outer(*2 * (np.arange(x.shape[-1]),))  # of each value, at each step
    weights = np.where(age < 0, 0, decay ** np.maximum(age, 0))
    return tf.linalg.matvec(tf.constant(weights / weights.sum(1, keepdims=True), tf.float32), x)


def tf_remove_dc(x: tf.Tensor, signal: Signal) -> tf.Tensor:
    """Compute `remove_dc` in TensorFlow.

    Parameters
    ----------
    x : tf.Tensor [shape=(batch, hops * hop), dtype=float32]
    signal : Signal

    Returns
    -------
    tf.Tensor [shape=(batch, hops * hop), dtype=float32]
    """
    import tensorflow as tf

    if not signal.dc:
        return x
    hops = tf.reshape(x, [-1, x.shape[-1] // signal.hop, signal.hop])
    means = tf.reduce_mean(hops, -1)
    # Subtracting the first value exactly cancels a constant input, and leaves little for the matrix
    # product of a GPU to round.
    first = means[:, :1]
    means = first + _tf_running_mean(means - first, signal.dc_decay)
    return tf.reshape(hops - means[..., None], [-1, x.shape[-1]])


def tf_stft(x: tf.Tensor, signal: Signal) -> tf.Tensor:
    """Compute `stft` in TensorFlow.

    Parameters
    ----------
    x : tf.Tensor [shape=(batch, samples), dtype=float32]
        Samples in -1..1.
    signal : Signal

    Returns
    -------
    tf.Tensor [shape=(batch, frames, bins), dtype=complex64]
        With waveform, [shape=(batch, frames, window + 1), dtype=float32].
    """
    import tensorflow as tf

    front, back = signal.padding(x.shape[-1])
    padded = tf.pad(tf_remove_dc(tf.pad(x, [(0, 0), (0, back)]), signal), [(0, 0), (front, 0)])
    frames = tf.signal.frame(padded, signal.window, signal.hop)
    if not signal.waveform:
        return tf.signal.rfft(frames * signal.analysis_window())
    rms = tf.ones_like(frames[..., :1])
    if signal.level:
        power = _tf_running_mean(tf.reduce_mean(frames**2, -1), signal.level_decay)
        rms = tf.sqrt(power + SAMPLE_FLOOR)[..., None]
    return tf.concat([frames / rms, rms], -1)


def tf_istft(spectrum: tf.Tensor, samples: int, signal: Signal) -> tf.Tensor:
    """Compute `istft` in TensorFlow.

    Parameters
    ----------
    spectrum : tf.Tensor [shape=(..., frames, bins), dtype=complex64]
    samples : int
        Length of the result.
    signal : Signal

    Returns
    -------
    tf.Tensor [shape=(..., samples), dtype=float32]
    """
    import tensorflow as tf

    frames = spectrum
    if not signal.waveform:
        frames = tf.signal.irfft(spectrum, [signal.window]) * signal.synthesis_window()
    # tf.signal.overlap_and_add is not used, because its gradient is slow. Each part has the shape
    # (..., frames, hop).
    overlap = signal.window // signal.hop
    parts = tf.split(frames, overlap, axis=-1)
    none = [(0, 0)] * (len(frames.shape) - 2)
    padded = [tf.pad(part, [*none, (i, overlap - 1 - i), (0, 0)]) for i, part in enumerate(parts)]
    flat = tf.reshape(
        tf.add_n(padded),
        [*tf.unstack(tf.shape(frames)[:-2]), (tf.shape(frames)[-2] + overlap - 1) * signal.hop],
    )
    front = signal.window - signal.hop
    return flat[..., front : front + samples]


def tf_features(spectrum: tf.Tensor, signal: Signal) -> tf.Tensor:
    """Compute `features` in TensorFlow.

    Parameters
    ----------
    spectrum : tf.Tensor [shape=(batch, frames, bins), dtype=complex64]
    signal : Signal

    Returns
    -------
    tf.Tensor [shape=(batch, frames, n_features), dtype=float32]
    """
    import tensorflow as tf

    if signal.waveform:
        return spectrum[..., :-1]
    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    if signal.level:
        power /= (_tf_running_mean(tf.reduce_mean(power, -1), signal.level_decay) + LEVEL_FLOOR)[
            ..., None
        ]
    if signal.bands:
        low, high = power[..., : signal.window // 4], power[..., signal.window // 4 : -1]
        high = tf.reduce_mean(
            tf.reshape(high, [*tf.unstack(tf.shape(high)[:-1]), -1, signal.pool]), -1
        )
        power = tf.gather(
            tf.concat([low, high, tf.zeros_like(low[..., :1])], -1),
            signal.gather_indices(),
            axis=-1,
        )
    # exp and log are faster than `**`. The floor keeps the gradient finite at silence, and its
    # effect on the value is below float32 rounding.
    return tf.exp(signal.exponent / 2 * tf.math.log(tf.maximum(power, 1e-30)))


def tf_apply_masks(
    spectrum: tf.Tensor, masks: tf.Tensor, sources: int, signal: Signal
) -> tf.Tensor:
    """Compute `apply_masks` in TensorFlow, for a batch.

    Parameters
    ----------
    spectrum : tf.Tensor [shape=(batch, frames, bins), dtype=complex64]
    masks : tf.Tensor [shape=(batch, frames, sources * n_values), dtype=float32]
        Band by band, and in each band source by source.
    sources : int
        Number of sources.
    signal : Signal

    Returns
    -------
    tf.Tensor [shape=(batch, sources, frames, bins), dtype=complex64]
    """
    import tensorflow as tf

    batch, frames = tf.shape(masks)[0], tf.shape(masks)[1]
    masks = tf.reshape(masks, [batch, frames, max(1, signal.bands), sources, signal.band_width])
    masks = tf.reshape(
        tf.transpose(masks, [0, 3, 1, 2, 4]), [batch, sources, frames, signal.n_values]
    )
    if signal.waveform:
        return masks * spectrum[:, None, :, -1:]
    masks = tf.gather(masks, signal.value_of_bin(), axis=-1) if signal.bands else masks
    return tf.complex(masks, tf.zeros_like(masks)) * spectrum[:, None]
