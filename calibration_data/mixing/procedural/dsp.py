"""Generate building blocks of procedural noise: coloured noise, tones, resonators, sparse events.

Signals are sampled at 16 kHz. Control curves are drawn at a few points and interpolated. No
function loops over samples.
"""

import functools
from collections.abc import Callable

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import lfilter

from calibration_data.audio import RATE

TABLE = 16384  # points of a wavetable; a power of two


@functools.lru_cache(16)
def frequencies(size: int) -> np.ndarray:
    """Return the bin frequencies of a real FFT.

    Parameters
    ----------
    size : int
        Points of the FFT.

    Returns
    -------
    np.ndarray [shape=(size // 2 + 1,), dtype=float32]
        Frequencies in Hz.
    """
    return np.fft.rfftfreq(size, 1 / RATE).astype(np.float32)


def log_uniform(rng: np.random.Generator, low, high, size=None):
    """Draw from a log-uniform distribution.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.
    low, high : float or array_like
        Range.
    size : int or tuple of int, optional
        Shape of the result; by default that of ``low`` and ``high``.

    Returns
    -------
    float or np.ndarray
    """
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def power(f: np.ndarray, exponent: float) -> np.ndarray:
    """Return ``f ** exponent``, which is finite at 0 Hz: the amplitude spectrum of power-law noise.

    Parameters
    ----------
    f : np.ndarray [shape=(bins,), dtype=float32]
        Frequencies in Hz.
    exponent : float
        Exponent of the amplitude.

    Returns
    -------
    np.ndarray [shape=(bins,), dtype=float32]
    """
    return np.exp(np.float32(exponent) * np.log(f + 1))


def band(f: np.ndarray, low: float, high: float, order: int = 2) -> np.ndarray:
    """Return the amplitude response of a band-pass filter.

    Parameters
    ----------
    f : np.ndarray [shape=(bins,), dtype=float32]
        Frequencies in Hz.
    low, high : float
        Corner frequencies in Hz.
    order : int
        The slopes are 6 dB per octave and order.

    Returns
    -------
    np.ndarray [shape=(bins,), dtype=float32]
    """
    return (f / (f + np.float32(low))) ** order / (1 + (f / np.float32(high)) ** 2) ** (order / 2)


def peak(f: np.ndarray, centre: float, q: float) -> np.ndarray:
    """Return the amplitude response of a resonance; it is 1 at the centre.

    Parameters
    ----------
    f : np.ndarray [shape=(bins,), dtype=float32]
        Frequencies in Hz.
    centre : float
        Centre frequency in Hz.
    q : float
        Quality factor.

    Returns
    -------
    np.ndarray [shape=(bins,), dtype=float32]
    """
    return 1 / np.sqrt(
        1 + np.float32(q * q) * (f / np.float32(centre) - np.float32(centre) / (f + 1)) ** 2
    )


def normalize(x: np.ndarray) -> np.ndarray:
    """Scale a sound to an RMS of 1; silence stays silence.

    Parameters
    ----------
    x : np.ndarray [shape=(samples,)]
        The sound.

    Returns
    -------
    np.ndarray [shape=(samples,)]
    """
    return x / max(np.sqrt(np.dot(x, x) / x.size), np.float32(1e-12))


def amplitude(db) -> np.ndarray:
    """Convert levels to amplitude ratios.

    Parameters
    ----------
    db : float or array_like
        Levels in dB.

    Returns
    -------
    np.ndarray [dtype=float32]
        Ratios in the shape of ``db``.
    """
    return np.exp(np.asarray(db, np.float32) * np.float32(np.log(10) / 20))


def white_spectrum(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw the spectrum of white noise.

    The draws are uniform, because that is fast. Their transform is still nearly Gaussian.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.
    size : int
        Points of the FFT.

    Returns
    -------
    np.ndarray [shape=(size // 2 + 1,), dtype=complex64]
    """
    return (rng.random((size // 2 + 1, 2), dtype=np.float32) - np.float32(0.5)).view(np.complex64)[
        :, 0
    ]


def coloured(rng: np.random.Generator, samples: int, response: Callable) -> np.ndarray:
    """Draw Gaussian noise of RMS 1 with a given amplitude spectrum.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.
    samples : int
        Length.
    response : callable
        Amplitude as a function of the frequency in Hz.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
    """
    size = next_fast_len(samples, True)
    return normalize(irfft(white_spectrum(rng, size) * response(frequencies(size)), size)[:samples])


def filtered(x: np.ndarray, response: Callable) -> np.ndarray:
    """Filter a sound by circular convolution: the end of the response wraps around to the start.

    Parameters
    ----------
    x : np.ndarray [shape=(samples,)]
        The sound.
    response : callable
        Real or complex frequency response as a function of the frequency in Hz.

    Returns
    -------
    np.ndarray [shape=(samples,)]
    """
    size = next_fast_len(x.size, True)
    return irfft(rfft(x, size) * response(frequencies(size)), size)[: x.size]


def curve(points, samples: int) -> np.ndarray:
    """Interpolate evenly spaced points linearly.

    Parameters
    ----------
    points : array_like [shape=(points,)]
        Two points or more.
    samples : int
        Length.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
    """
    points = np.asarray(points, np.float32)
    hop = -(-samples // (points.size - 1))
    ramp = np.arange(hop, dtype=np.float32) / hop
    return (points[:-1, None] + np.diff(points)[:, None] * ramp).ravel()[:samples]


def wander(rng: np.random.Generator, samples: int, hz: float) -> np.ndarray:
    """Draw points of a standard normal distribution, to be interpolated by `curve`.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.
    samples : int
        Length of the curve.
    hz : float
        Points per second; the fastest fluctuation has half of this frequency.

    Returns
    -------
    np.ndarray [shape=(points,)]
    """
    return rng.standard_normal(int(samples / RATE * hz) + 3)


def cycles(hz, samples: int) -> np.ndarray:
    """Return the phase of an oscillator.

    Parameters
    ----------
    hz : float or np.ndarray [shape=(samples,)]
        Frequency.
    samples : int
        Length.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=uint32]
        2 ** 32 is one cycle, so that the phase wraps around by itself.
    """
    if np.ndim(hz):
        return np.cumsum((hz * np.float32(2**32 / RATE)).astype(np.uint32), dtype=np.uint32)
    return np.arange(samples, dtype=np.uint32) * np.uint32(round(hz * 2**32 / RATE))


def wavetable(amplitudes: np.ndarray) -> np.ndarray:
    """Return one period of a tone, with an RMS of 1.

    Parameters
    ----------
    amplitudes : np.ndarray [shape=(harmonics,)]
        Complex amplitudes of the harmonics 1, 2, ...

    Returns
    -------
    np.ndarray [shape=(16384,), dtype=float32]
    """
    return normalize(irfft(np.concatenate([[0], amplitudes]).astype(np.complex64), TABLE))


def harmonics(rng: np.random.Generator, amplitudes: np.ndarray) -> np.ndarray:
    """Return the `wavetable` of harmonics with random phases.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the phases.
    amplitudes : np.ndarray [shape=(harmonics,)]
        Amplitudes of the harmonics 1, 2, ...

    Returns
    -------
    np.ndarray [shape=(16384,), dtype=float32]
    """
    return wavetable(amplitudes * np.exp(2j * np.pi * rng.random(amplitudes.size)))


def periodic(table: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Read a wavetable at the given phases.

    Parameters
    ----------
    table : np.ndarray [shape=(16384,), dtype=float32]
        One period, see `wavetable`.
    phase : np.ndarray [shape=(samples,), dtype=uint32]
        Phases, see `cycles`.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
    """
    return table[phase >> np.uint32(32 - TABLE.bit_length() + 1)]


SINE = np.sin(2 * np.pi * np.arange(TABLE) / TABLE).astype(np.float32)


def modes(hz, seconds, gain, samples: int) -> np.ndarray:
    """Return impulse responses of modal resonators: sums of decaying sines with a fade-out.

    The exponential function is factored into a coarse and a fine one, so that the sum over the
    modes is a small matrix product. The last quarter fades out.

    Parameters
    ----------
    hz, seconds, gain : array_like [shape=(..., modes)]
        Frequencies, time constants of the decay, and amplitudes. Modes above 7.5 kHz are left out.
    samples : int
        Length.

    Returns
    -------
    np.ndarray [shape=(..., samples), dtype=float32]
    """
    hz, seconds, gain = np.broadcast_arrays(hz, seconds, gain)
    pole = ((-1 / seconds + 2j * np.pi * hz) / RATE).astype(np.complex64)
    span = int(samples**0.5)
    coarse = np.exp(pole[..., None, :] * np.arange(0, samples, span, dtype=np.float32)[:, None])
    coarse *= (gain * (hz < 7500))[..., None, :].astype(np.float32)
    x = (coarse @ np.exp(pole[..., None] * np.arange(span, dtype=np.float32))).imag
    x = x.reshape(*x.shape[:-2], -1)[..., :samples]
    x[..., -(samples // 4) :] *= np.linspace(1, 0, samples // 4, dtype=np.float32)
    return x


def poisson(rng: np.random.Generator, samples: int, hz: float) -> np.ndarray:
    """Draw the events of a Poisson process, at least one.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.
    samples : int
        Length of the signal.
    hz : float
        Mean number of events per second.

    Returns
    -------
    np.ndarray [shape=(events,), dtype=int64]
        Sample indices in random order.
    """
    return rng.integers(samples, size=max(1, rng.poisson(hz * samples / RATE)))


def rhythm(rng: np.random.Generator, samples: int, hz: float, jitter: float) -> np.ndarray:
    """Draw events at nearly regular intervals, at least one.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.
    samples : int
        Length of the signal.
    hz : float
        Events per second.
    jitter : float
        Standard deviation of the logarithm of the intervals.

    Returns
    -------
    np.ndarray [shape=(events,), dtype=int64]
        Sample indices in ascending order.
    """
    steps = np.exp(rng.normal(0, jitter, int(2 * hz * samples / RATE) + 4)) / hz * RATE
    at = (np.cumsum(steps) - rng.random() * steps[0]).astype(int)
    at = at[at < samples]
    return at if at.size else np.array([samples // 3])


def overlay(samples: int, at: np.ndarray, sounds: np.ndarray) -> np.ndarray:
    """Add sounds, each from its own index on; suitable for at most a few hundred events.

    Parameters
    ----------
    samples : int
        Length of the sum.
    at : np.ndarray [shape=(events,)]
        Sample index at which each sound starts. Sounds that start outside the signal are left out.
    sounds : np.ndarray [shape=(events, length)]
        The sounds.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
    """
    out = np.zeros(samples + sounds.shape[1], np.float32)
    for start, sound in zip(at, sounds, strict=True):
        if 0 <= start < samples:
            out[start : start + sound.size] += sound
    return out[:samples]


def scatter(samples: int, at: np.ndarray, gain: np.ndarray, sounds: np.ndarray) -> np.ndarray:
    """Add thousands of events by overlap-add; the events use the sounds in turn.

    Parameters
    ----------
    samples : int
        Length of the sum.
    at : np.ndarray [shape=(events,)]
        Sample index of each event, 0 to ``samples - 1``.
    gain : np.ndarray [shape=(events,)]
        Amplitude of each event.
    sounds : np.ndarray [shape=(kinds, length)]
        The sounds.

    Returns
    -------
    np.ndarray [shape=(samples,)]
    """
    kinds, length = sounds.shape
    size = 8 * length  # of an FFT
    hop = size - length + 1
    blocks = -(-samples // hop)
    index, total = at // hop * size + at % hop, 0
    for k in range(kinds):
        train = np.bincount(index[k::kinds], gain[k::kinds], blocks * size).astype(np.float32)
        total = total + rfft(train.reshape(blocks, size)) * rfft(sounds[k], size)
    y = irfft(total, size)
    y[1:, : size - hop] += y[:-1, hop:]
    return y[:, :hop].ravel()[:samples]


def decaying(samples: int, at: np.ndarray, gain: np.ndarray, seconds: float) -> np.ndarray:
    """Return the envelope of events: it rises by the gain of each event and decays exponentially.

    Parameters
    ----------
    samples : int
        Length.
    at : np.ndarray [shape=(events,)]
        Sample index of each event. Events outside the signal are left out.
    gain : float or np.ndarray [shape=(events,)]
        Rise at each event.
    seconds : float
        Time constant of the decay.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
    """
    at, gain = np.broadcast_arrays(at, gain)
    inside = (at >= 0) & (at < samples)
    train = np.bincount(at[inside], gain[inside], samples).astype(np.float32)
    return lfilter(
        np.ones(1, np.float32), np.array([1, -np.exp(-1 / (seconds * RATE))], np.float32), train
    )


def bursts(
    rng: np.random.Generator, samples: int, at: np.ndarray, gain: np.ndarray, seconds: float
) -> np.ndarray:
    """Draw white noise with the envelope of `decaying`, so that no two events are equal.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the noise.
    samples : int
        Length.
    at : np.ndarray [shape=(events,)]
        Sample index of each event.
    gain : float or np.ndarray [shape=(events,)]
        Rise of the envelope at each event.
    seconds : float
        Time constant of the decay.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
    """
    return (
        decaying(samples, at, gain, seconds)
        * (rng.random(samples, dtype=np.float32) - np.float32(0.5))
        * np.float32(12**0.5)
    )
