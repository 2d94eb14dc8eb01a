"""Synthesize noise with a random spectrum, a varying level and hum, for training only."""

import numpy as np

from calibration_data.audio import RATE

TILT = 8.0  # dB, standard deviation of the step between adjacent points of a spectrum
WANDERING = 0.5  # probability of a varying level
HUM = 0.3  # probability of hum
PARTIALS = 13  # largest number of harmonics of the hum


def noise(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize one noise with a random spectrum.

    It is Gaussian noise whose spectrum is a random walk of 3 to 11 points, evenly spaced on a
    logarithmic axis, with a mean slope of 0 to -4 dB from point to point. In half of the noises,
    the level varies over 4 to 59 points with a standard deviation of 2 to 8 dB. Three in ten have
    an additional hum of 40 to 800 Hz, 10 dB above to 10 dB below the noise.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all random draws.
    samples : int
        Length at 16 kHz.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
        The noise, with an RMS of 1.
    """
    x = _coloured(rng, samples)
    if rng.random() < WANDERING:
        points = int(rng.integers(4, 60))
        level = rng.normal(0, rng.uniform(2, 8), points)
        x *= 10 ** (np.interp(np.linspace(0, points - 1, samples), np.arange(points), level) / 20)
    if rng.random() < HUM:
        hum = _hum(rng, samples)
        x = x / x.std() + hum / hum.std() * 10 ** (rng.uniform(-10, 10) / 20)
    return (x / np.sqrt(np.mean(x**2))).astype(np.float32)


def _coloured(rng: np.random.Generator, samples: int) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    points = int(rng.integers(3, 12))
    walk = np.cumsum(rng.normal(0, TILT, points)) - rng.uniform(0, 4) * np.arange(points)
    bins = np.log(np.linspace(0, RATE / 2, spectrum.size) + 100)
    return np.fft.irfft(
        spectrum * 10 ** (np.interp(bins, np.linspace(bins[0], bins[-1], points), walk) / 20),
        samples,
    )


def _hum(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Return harmonics with random levels and phases, and a common slow vibrato."""
    seconds = np.arange(samples) / RATE
    base, slope = rng.uniform(40, 800), rng.uniform(0, 1.5)
    phase = 2 * np.pi * base * seconds + rng.uniform(0, 0.5) * np.sin(
        2 * np.pi * rng.uniform(0.1, 6) * seconds
    )
    partials = [
        k for k in range(1, int(rng.integers(1, PARTIALS + 1)) + 1) if 1.1 * k * base < RATE / 2
    ]
    return sum(
        rng.normal() / k**slope * np.sin(k * phase + rng.uniform(0, 2 * np.pi)) for k in partials
    )
