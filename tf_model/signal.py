"""The signal path: STFT, its inverse, and the network's features. One definition; `micro/stream` is its twin in C++.

Analysis and synthesis use the same periodic square-root Hann window, so that the window applied twice overlaps to a constant for
every hop that divides half the window (Allen and Rabiner, "A unified approach to short-time Fourier analysis and synthesis",
Proc. IEEE 65(11), 1977). A stream starts as if ``window - hop`` zeros had come before its first sample.
"""

import dataclasses
import math

import numpy as np

from groupcomm.errors import UserError

PCM_SCALE = 32768.0  # int16 PCM of this value is a sample of 1.0
LEVEL_FLOOR = 1e-6  # mean power of a bin; with a window of 256, noise of -81 dBFS: what is softer is not made louder for the network


@dataclasses.dataclass(frozen=True)
class Signal:
    """Sizes of the signal path.

    Parameters
    ----------
    sample_rate : samples a second.
    window : samples in a frame; its length is the latency.
    hop : samples between frames; divides half the window.
    exponent : compression of the magnitude that the network sees, ``|X| ** exponent``.
    level : seconds; the network sees the spectrum relative to its running level, a mean over the past that forgets with this time
        constant. So it hears the same at every level, and int8 has as many steps for it. 0: the spectrum as it is.
    bands : the network sees and masks the spectrum in so many bands of equal width, each with all that belongs to it side by side;
        0: bin after bin.
    pool : with bands, bins of the upper half of the spectrum count by so many: one mean power, one mask.
    neighbours : with bands, values of the band below and of that above that each band sees too.
    dc : seconds; time constant of the running mean of the input, which is subtracted from every hop before its frames. 0: the input as
        it is.

    Raises
    ------
    UserError
        For a window that is no power of two (the FFT of the boards), a hop that does not divide half of it, or bands that do not divide the
        spectrum.
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

    def __post_init__(self):
        if self.window < 32 or self.window & (self.window - 1):
            raise UserError(
                f"window {self.window} is not a power of two of at least 32; use 128, 256 or 512"
            )
        if self.hop < 1 or (self.window // 2) % self.hop:
            half = self.window // 2
            raise UserError(
                f"hop {self.hop} does not divide half the window of {self.window}; use {half} or {half // 2}"
            )
        if not 0 <= self.level < math.inf:
            raise UserError(
                f"level {self.level}: no time constant; use seconds, or 0 for the spectrum as it is"
            )
        if not self.bands and (self.pool, self.neighbours) != (1, 0):
            raise UserError(
                f"pool {self.pool} and neighbours {self.neighbours} are of bands; say how many bands, or use 1 and 0"
            )
        if self.bands and (self.bands < 0 or self.pool < 1 or self.window // 4 % self.pool):
            raise UserError(
                f"{self.bands} bands, pool {self.pool}: there are none of such sizes; use {self.window // 16} bands and pool 1"
            )
        if self.bands and self.values % self.bands:
            raise UserError(
                f"{self.bands} bands, pool {self.pool}: {self.values} values do not divide into them; use {self.values // 8} bands"
            )
        if not 0 <= self.neighbours <= self.width:
            raise UserError(
                f"neighbours {self.neighbours}: a band has {self.width} values; use 0 to {self.width}"
            )
        # A board has `dc_kept` as a float32, in which a constant of microseconds would be 0 and one of days 1.
        if not 0 <= self.dc < math.inf or (self.dc and not 0 < np.float32(self.dc_kept) < 1):
            raise UserError(
                f"dc {self.dc}: no time constant; use seconds, for example 0.5, or 0 for the input as it is"
            )

    @property
    def bins(self) -> int:
        """Frequency bins of the real FFT."""
        return self.window // 2 + 1

    @property
    def values(self) -> int:
        """Values of a spectrum that the network sees, and masks of one source: bins, or with bands those alone and those in pools."""
        return self.window // 4 * (1 + self.pool) // self.pool if self.bands else self.bins

    @property
    def width(self) -> int:
        """Values in a band."""
        return self.values // max(1, self.bands)

    @property
    def inputs(self) -> int:
        """Features of a frame: of every band, those of its neighbours included."""
        return max(1, self.bands) * (self.width + 2 * self.neighbours)

    @property
    def kept(self) -> float:
        """What the running level keeps of itself from hop to hop; 0 where there is none."""
        return math.exp(-self.hop / self.sample_rate / self.level) if self.level else 0.0

    @property
    def dc_kept(self) -> float:
        """What the running mean of the input keeps of itself from hop to hop; 0 where it is not subtracted."""
        return math.exp(-self.hop / self.sample_rate / self.dc) if self.dc else 0.0

    def seen(self) -> np.ndarray:
        """Which value each feature is [shape=(inputs,), int]; `values` where a band has no neighbour, which is silence."""
        offsets = np.arange(-self.neighbours, self.width + self.neighbours)
        index = (np.arange(max(1, self.bands))[:, None] * self.width + offsets).ravel()
        return np.where((index >= 0) & (index < self.values), index, self.values)

    def value_of_bin(self) -> np.ndarray:
        """Which value each bin belongs to [shape=(bins,), int]; with bands the last bin, at half the sample rate, to the last."""
        if not self.bands:
            return np.arange(self.bins)
        half = self.window // 4
        return np.concatenate(
            [np.arange(half), half + np.arange(half) // self.pool, [self.values - 1]]
        )

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


def to_pcm(audio: np.ndarray) -> np.ndarray:
    """Samples in -1..1 to int16, rounded and saturated."""
    return np.clip(np.rint(audio * PCM_SCALE), -32768, 32767).astype(np.int16)


class RunningMean:
    """Exponentially weighted mean of a sequence that arrives in parts, without bias at its start.

    Parameters
    ----------
    decay : float
        What the mean keeps of a value from one step to the next, in 0..1.
    """

    def __init__(self, decay: float):
        self._decay = decay
        self.reset()

    def reset(self) -> None:
        """Forget all values."""
        self._sum, self._weight = 0.0, 0.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Mean after each of the next values.

        Parameters
        ----------
        x : np.ndarray [shape=(..., values), float]

        Returns
        -------
        np.ndarray [shape=(..., values), float64]
        """
        x = np.asarray(x, np.float64)
        means = np.empty(x.shape)
        for i in range(x.shape[-1]):
            self._sum = x[..., i] + self._decay * self._sum
            self._weight = 1 + self._decay * self._weight
            means[..., i] = self._sum / self._weight
        return means


def remove_dc(x: np.ndarray, signal: Signal, mean: RunningMean | None = None) -> np.ndarray:
    """Subtract from every hop the running mean of the input up to its end.

    No filter lies in the path of the samples: there is no delay and no phase shift.

    Parameters
    ----------
    x : np.ndarray [shape=(..., hops * hop), float32]
    signal : Signal
    mean : RunningMean or None
        The state of the stream that `x` continues; None: `x` begins a stream.

    Returns
    -------
    np.ndarray [shape=(..., hops * hop), float32]
    """
    if not signal.dc:
        return x
    mean = mean or RunningMean(signal.dc_kept)
    hops = x.reshape(*x.shape[:-1], -1, signal.hop)
    means = mean(hops.mean(-1, dtype=np.float64))
    return (hops - means[..., None].astype(np.float32)).reshape(x.shape)


def _spectra(x: np.ndarray, signal: Signal) -> np.ndarray:
    """Spectra of all frames that lie in `x` as a whole [shape=(..., frames, bins), complex64]."""
    frames = np.lib.stride_tricks.sliding_window_view(x, signal.window, axis=-1)
    frames = frames[..., :: signal.hop, :] * signal.analysis_window()
    return np.fft.rfft(frames).astype(np.complex64)


def stft(x: np.ndarray, signal: Signal) -> np.ndarray:
    """Short-time Fourier transform of what `remove_dc` leaves; the zeros that flush the last sample out are heard like samples.

    Parameters
    ----------
    x : np.ndarray [shape=(..., samples), float]
        Samples in -1..1.

    Returns
    -------
    np.ndarray [shape=(..., frames, bins), complex64]
    """
    x = np.asarray(x, np.float32)
    front, back = signal.padding(x.shape[-1])
    others = [(0, 0)] * (x.ndim - 1)
    x = remove_dc(np.pad(x, [*others, (0, back)]), signal)
    return _spectra(np.pad(x, [*others, (front, 0)]), signal)


def _overlap_add(spectrum: np.ndarray, signal: Signal, before: np.ndarray | None = None):
    """Sum of all frames' sounds [shape=(..., (frames - 1) * hop + window), float32].

    ``before`` is added to the first ``window - hop`` samples: what earlier frames left there.
    """
    frames = np.fft.irfft(spectrum, signal.window).astype(np.float32) * signal.synthesis_window()
    count = frames.shape[-2]
    out = np.zeros((*frames.shape[:-2], (count - 1) * signal.hop + signal.window), np.float32)
    if before is not None:
        out[..., : signal.window - signal.hop] = before
    for i in range(count):
        out[..., i * signal.hop : i * signal.hop + signal.window] += frames[..., i, :]
    return out


def istft(spectrum: np.ndarray, samples: int, signal: Signal) -> np.ndarray:
    """Inverse of `stft`: ``istft(stft(x, s), x.shape[-1], s) == x`` but for rounding and, with ``dc``, for the running mean.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., frames, bins), complex]
    samples : length of the result.

    Returns
    -------
    np.ndarray [shape=(..., samples), float32]
    """
    front = signal.window - signal.hop
    return _overlap_add(spectrum, signal)[..., front : front + samples]


def features(spectrum: np.ndarray, signal: Signal, level: RunningMean | None = None) -> np.ndarray:
    """What the network sees: compressed magnitudes ``power ** (exponent / 2)``, of bins or bands, relative to the running level.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., frames, bins), complex]
    signal : Signal
    level : RunningMean or None
        The state of the stream that `spectrum` continues; None: `spectrum` begins a stream.

    Returns
    -------
    np.ndarray [shape=(..., frames, inputs), float32], band by band
    """
    power = spectrum.real.astype(np.float32) ** 2 + spectrum.imag.astype(np.float32) ** 2
    if signal.level:
        level = level or RunningMean(signal.kept)
        power = power / (level(power.mean(-1)) + LEVEL_FLOOR)[..., None].astype(np.float32)
    if signal.bands:
        low, high = power[..., : signal.window // 4], power[..., signal.window // 4 : -1]
        high = high.reshape(*high.shape[:-1], -1, signal.pool).mean(-1)
        power = np.concatenate([low, high, np.zeros_like(low[..., :1])], -1)[..., signal.seen()]
    return power ** np.float32(signal.exponent / 2)


def apply_masks(
    spectrum: np.ndarray, masks: np.ndarray, sources: int, signal: Signal
) -> np.ndarray:
    """Multiply the mixture's spectrum by each source's mask.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(..., frames, bins), complex]
    masks : np.ndarray [shape=(..., frames, sources * values), float]
        Band by band, in each band source by source.

    Returns
    -------
    np.ndarray [shape=(..., sources, frames, bins), complex]
    """
    masks = masks.reshape(*masks.shape[:-1], max(1, signal.bands), sources, signal.width)
    masks = np.moveaxis(masks, -2, -4)  # (..., sources, frames, bands, width)
    masks = masks.reshape(*masks.shape[:-2], signal.values)[..., signal.value_of_bin()]
    return masks * spectrum[..., None, :, :]


class SignalStream:
    """The signal path of a stream, whose samples arrive in parts of whole hops.

    The output lies ``window - hop`` samples behind the input. All parts together give what `stft`,
    `features`, `apply_masks` and `istft` give of the whole.

    Parameters
    ----------
    signal : Signal
    sources : int
        Number of masks that the network makes.
    """

    def __init__(self, signal: Signal, sources: int):
        self.signal, self.sources = signal, sources
        self._mean, self._level = RunningMean(signal.dc_kept), RunningMean(signal.kept)
        self.reset()

    def reset(self) -> None:
        """Go back to the start of a stream."""
        kept = self.signal.window - self.signal.hop
        self._mean.reset()
        self._level.reset()
        self._history = np.zeros(kept, np.float32)
        self._overlap = np.zeros((self.sources, kept), np.float32)

    def analyze(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Spectrum and features of the next hops.

        Parameters
        ----------
        x : np.ndarray [shape=(hops * hop,), float32]
            Samples in -1..1.

        Returns
        -------
        spectrum : np.ndarray [shape=(hops, bins), complex64]
        features : np.ndarray [shape=(hops, inputs), float32]
        """
        heard = np.concatenate([self._history, remove_dc(x, self.signal, self._mean)])
        self._history = heard[len(x) :]
        spectrum = _spectra(heard, self.signal)
        return spectrum, features(spectrum, self.signal, self._level)

    def synthesize(self, spectrum: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Samples of every source.

        Parameters
        ----------
        spectrum : np.ndarray [shape=(hops, bins), complex64]
        masks : np.ndarray [shape=(hops, sources * values), float32]

        Returns
        -------
        np.ndarray [shape=(sources, hops * hop), float32]
        """
        masked = apply_masks(spectrum, masks, self.sources, self.signal)
        out = _overlap_add(masked, self.signal, self._overlap)
        samples = len(spectrum) * self.signal.hop
        self._overlap = out[:, samples:]
        return out[:, :samples]


def _tf_running_mean(x, kept: float):
    """`_running_mean` in TensorFlow, of a batch: float32 [batch, values]."""
    import tensorflow as tf

    age = np.subtract.outer(*2 * (np.arange(x.shape[-1]),))  # of a value, seen from another
    weights = np.where(age < 0, 0, kept ** np.maximum(age, 0))
    return tf.linalg.matvec(tf.constant(weights / weights.sum(1, keepdims=True), tf.float32), x)


def tf_remove_dc(x, signal: Signal):
    """`remove_dc` in TensorFlow: float32 [batch, hops * hop]."""
    import tensorflow as tf

    if not signal.dc:
        return x
    hops = tf.reshape(x, [-1, x.shape[-1] // signal.hop, signal.hop])
    means = tf.reduce_mean(hops, -1)
    first = means[
        :, :1
    ]  # taken out before, so that nothing at all is left of a constant, and little of what a GPU's matvec rounds away
    means = first + _tf_running_mean(means - first, signal.dc_kept)
    return tf.reshape(hops - means[..., None], [-1, x.shape[-1]])


def tf_stft(x, signal: Signal):
    """`stft` in TensorFlow: float32 [batch, samples] -> complex64 [batch, frames, bins]."""
    import tensorflow as tf

    front, back = signal.padding(x.shape[-1])
    padded = tf.pad(tf_remove_dc(tf.pad(x, [(0, 0), (0, back)]), signal), [(0, 0), (front, 0)])
    return tf.signal.rfft(
        tf.signal.frame(padded, signal.window, signal.hop) * signal.analysis_window()
    )


def tf_istft(spectrum, samples: int, signal: Signal):
    """`istft` in TensorFlow: complex64 [..., frames, bins] -> float32 [..., samples]."""
    import tensorflow as tf

    frames = tf.signal.irfft(spectrum, [signal.window]) * signal.synthesis_window()
    # Not tf.signal.overlap_and_add: its gradient is slow. Each part is [..., frames, hop].
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


def tf_features(spectrum, signal: Signal):
    """`features` in TensorFlow; the tiny floor keeps the gradient finite at silence, and the value within float32 rounding."""
    import tensorflow as tf

    power = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    if signal.level:
        power /= (_tf_running_mean(tf.reduce_mean(power, -1), signal.kept) + LEVEL_FLOOR)[..., None]
    if signal.bands:
        low, high = power[..., : signal.window // 4], power[..., signal.window // 4 : -1]
        high = tf.reduce_mean(
            tf.reshape(high, [*tf.unstack(tf.shape(high)[:-1]), -1, signal.pool]), -1
        )
        power = tf.gather(
            tf.concat([low, high, tf.zeros_like(low[..., :1])], -1), signal.seen(), axis=-1
        )
    return tf.exp(signal.exponent / 2 * tf.math.log(tf.maximum(power, 1e-30)))  # faster than `**`


def tf_apply_masks(spectrum, masks, sources: int, signal: Signal):
    """`apply_masks` in TensorFlow, of a batch: complex64 [batch, frames, bins] -> complex64 [batch, sources, frames, bins]."""
    import tensorflow as tf

    batch, frames = tf.shape(masks)[0], tf.shape(masks)[1]
    masks = tf.reshape(masks, [batch, frames, max(1, signal.bands), sources, signal.width])
    masks = tf.reshape(
        tf.transpose(masks, [0, 3, 1, 2, 4]), [batch, sources, frames, signal.values]
    )
    masks = tf.gather(masks, signal.value_of_bin(), axis=-1) if signal.bands else masks
    return tf.complex(masks, tf.zeros_like(masks)) * spectrum[:, None]
