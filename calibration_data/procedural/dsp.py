"""Building blocks of procedural noise: filtered noise, periodic waves, modal resonators, sparse events.

Signals are float32 [samples] at 16 kHz. Control curves are drawn at a few points and interpolated; nothing loops over samples.
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
    """Bin frequencies of a real FFT of ``size`` points; float32 [size // 2 + 1], Hz."""
    return np.fft.rfftfreq(size, 1 / RATE).astype(np.float32)


def between(random: np.random.Generator, low, high, size=None):
    """Log-uniform draws from ``low`` to ``high``."""
    return np.exp(random.uniform(np.log(low), np.log(high), size))


def power(f: np.ndarray, exponent: float) -> np.ndarray:
    """``f ** exponent``, finite at 0 Hz; the amplitude spectrum of a power-law noise."""
    return np.exp(np.float32(exponent) * np.log(f + 1))


def band(f: np.ndarray, low: float, high: float, order: int = 2) -> np.ndarray:
    """Amplitude response of a band-pass with edges ``low`` and ``high`` in Hz and slopes of 6 dB per octave and order."""
    return (f / (f + np.float32(low))) ** order / (1 + (f / np.float32(high)) ** 2) ** (order / 2)


def peak(f: np.ndarray, centre: float, q: float) -> np.ndarray:
    """Amplitude response of a resonance at ``centre`` Hz of quality ``q``; 1 at its centre."""
    return 1 / np.sqrt(1 + np.float32(q * q) * (f / np.float32(centre) - np.float32(centre) / (f + 1)) ** 2)


def unit(x: np.ndarray) -> np.ndarray:
    """Scale to RMS 1; silence stays silence."""
    return x / max(np.sqrt(np.dot(x, x) / x.size), np.float32(1e-12))


def level(db) -> np.ndarray:
    """Amplitude ratio of a level in dB, float32."""
    return np.exp(np.asarray(db, np.float32) * np.float32(np.log(10) / 20))


def white_spectrum(random: np.random.Generator, size: int) -> np.ndarray:
    """Spectrum of white noise; complex64 [size // 2 + 1]. Uniform draws are fast, and their transform is Gaussian all the same."""
    return (random.random((size // 2 + 1, 2), dtype=np.float32) - np.float32(0.5)).view(np.complex64)[:, 0]


def coloured(random: np.random.Generator, samples: int, response: Callable) -> np.ndarray:
    """Gaussian noise of RMS 1 with the amplitude spectrum ``response`` (a function of Hz)."""
    size = next_fast_len(samples, True)
    return unit(irfft(white_spectrum(random, size) * response(frequencies(size)), size)[:samples])


def shape(x: np.ndarray, response: Callable) -> np.ndarray:
    """Filter by ``response`` (a real or complex function of Hz), circularly: what rings past the end comes in at the start."""
    size = next_fast_len(x.size, True)
    return irfft(rfft(x, size) * response(frequencies(size)), size)[: x.size]


def curve(points, samples: int) -> np.ndarray:
    """Interpolate ``points`` linearly, spread evenly over the signal."""
    points = np.asarray(points, np.float32)
    hop = -(-samples // (points.size - 1))
    ramp = np.arange(hop, dtype=np.float32) / hop
    return (points[:-1, None] + np.diff(points)[:, None] * ramp).ravel()[:samples]


def wander(random: np.random.Generator, samples: int, hz: float) -> np.ndarray:
    """Points for `curve`: standard normal, ``hz`` of them per second (the fastest fluctuation is half of that)."""
    return random.standard_normal(int(samples / RATE * hz) + 3)


def cycles(hz, samples: int) -> np.ndarray:
    """Phase of an oscillator at ``hz`` (a number or a curve); uint32 [samples], 2 ** 32 to the cycle, so that it wraps by itself."""
    if np.ndim(hz):
        return np.cumsum((hz * np.float32(2**32 / RATE)).astype(np.uint32), dtype=np.uint32)
    return np.arange(samples, dtype=np.uint32) * np.uint32(round(hz * 2**32 / RATE))


def wavetable(amplitudes: np.ndarray) -> np.ndarray:
    """One period, RMS 1, of complex ``amplitudes`` of harmonics 1, 2, ...; float32 [TABLE]."""
    return unit(irfft(np.concatenate([[0], amplitudes]).astype(np.complex64), TABLE))


def harmonics(random: np.random.Generator, amplitudes: np.ndarray) -> np.ndarray:
    """The `wavetable` of ``amplitudes`` with random phases."""
    return wavetable(amplitudes * np.exp(2j * np.pi * random.random(amplitudes.size)))


def periodic(table: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Read a period at the phases that `cycles` gives."""
    return table[phase >> np.uint32(32 - TABLE.bit_length() + 1)]


SINE = np.sin(2 * np.pi * np.arange(TABLE) / TABLE).astype(np.float32)


def modes(hz, seconds, gain, samples: int) -> np.ndarray:
    """Impulse responses of modal resonators: sums of decaying sines, faded out over the last quarter.

    The exponential is factored into a coarse and a fine one, so that the sum over modes is a small matrix product.

    Parameters
    ----------
    hz, seconds, gain : [..., modes]: frequencies, time constants of decay (to 1/e), amplitudes; modes above 7.5 kHz are left out
    samples : length

    Returns
    -------
    float32 [..., samples]
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


def poisson(random: np.random.Generator, samples: int, hz: float) -> np.ndarray:
    """Sample indices of a Poisson process of ``hz`` events per second, in no order; one at least."""
    return random.integers(samples, size=max(1, random.poisson(hz * samples / RATE)))


def rhythm(random: np.random.Generator, samples: int, hz: float, jitter: float) -> np.ndarray:
    """Sample indices of events ``hz`` times a second, whose intervals vary by a log-normal factor of deviation ``jitter``."""
    steps = np.exp(random.normal(0, jitter, int(2 * hz * samples / RATE) + 4)) / hz * RATE
    at = (np.cumsum(steps) - random.random() * steps[0]).astype(int)
    at = at[at < samples]
    return at if at.size else np.array([samples // 3])


def overlay(samples: int, at: np.ndarray, sounds: np.ndarray) -> np.ndarray:
    """Sum of up to some hundred ``sounds`` [events, length], each starting at its index."""
    out = np.zeros(samples + sounds.shape[1], np.float32)
    for start, sound in zip(at, sounds, strict=True):
        if 0 <= start < samples:
            out[start : start + sound.size] += sound
    return out[:samples]


def scatter(samples: int, at: np.ndarray, gain: np.ndarray, sounds: np.ndarray) -> np.ndarray:
    """Sum of thousands of events: they take the ``sounds`` [kinds, length] in turn; by overlap-add."""
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
    """Envelope of events: each jumps by ``gain`` at its index and decays with the time constant ``seconds``."""
    at, gain = np.broadcast_arrays(at, gain)
    inside = (at >= 0) & (at < samples)
    train = np.bincount(at[inside], gain[inside], samples).astype(np.float32)
    return lfilter(np.ones(1, np.float32), np.array([1, -np.exp(-1 / (seconds * RATE))], np.float32), train)


def bursts(random: np.random.Generator, samples: int, at: np.ndarray, gain: np.ndarray, seconds: float) -> np.ndarray:
    """White noise under the envelope `decaying`: no two events are alike."""
    return decaying(samples, at, gain, seconds) * (random.random(samples, dtype=np.float32) - np.float32(0.5)) * np.float32(12**0.5)
