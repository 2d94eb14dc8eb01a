"""Noises that nobody recorded, for training alone: random spectra whose level wanders, and hums."""

import numpy as np

from calibration_data.audio import RATE

TILT = 8.0  # dB: how far apart neighbouring points of a random spectrum are, standard deviation
WANDERING = 0.5  # part of the noises whose level wanders
HUM = 0.3  # part of the noises that hum
PARTIALS = 13  # of a hum, at most


def noise(random: np.random.Generator, samples: int) -> np.ndarray:
    """One noise; float32 [samples], 16 kHz, of RMS 1.

    Gaussian noise whose spectrum is a random walk of 3 to 11 points, evenly on a logarithmic axis, falling by up to 4 dB from point to
    point; half of them with a level that wanders by 2 to 8 dB over 4 to 59 points; three in ten with a steady hum of 40 to 800 Hz beside
    it, 10 dB above it to 10 below.
    """
    x = _coloured(random, samples)
    if random.random() < WANDERING:
        points = int(random.integers(4, 60))
        level = random.normal(0, random.uniform(2, 8), points)
        x *= 10 ** (np.interp(np.linspace(0, points - 1, samples), np.arange(points), level) / 20)
    if random.random() < HUM:
        hum = _hum(random, samples)
        x = x / x.std() + hum / hum.std() * 10 ** (random.uniform(-10, 10) / 20)
    return (x / np.sqrt(np.mean(x**2))).astype(np.float32)


def _coloured(random: np.random.Generator, samples: int) -> np.ndarray:
    spectrum = np.fft.rfft(random.standard_normal(samples))
    points = int(random.integers(3, 12))
    walk = np.cumsum(random.normal(0, TILT, points)) - random.uniform(0, 4) * np.arange(points)
    bins = np.log(np.linspace(0, RATE / 2, spectrum.size) + 100)
    return np.fft.irfft(spectrum * 10 ** (np.interp(bins, np.linspace(bins[0], bins[-1], points), walk) / 20), samples)


def _hum(random: np.random.Generator, samples: int) -> np.ndarray:
    """Partials of random levels and phases, all with one slow vibrato."""
    seconds = np.arange(samples) / RATE
    base, slope = random.uniform(40, 800), random.uniform(0, 1.5)
    phase = 2 * np.pi * base * seconds + random.uniform(0, 0.5) * np.sin(2 * np.pi * random.uniform(0.1, 6) * seconds)
    partials = [k for k in range(1, int(random.integers(1, PARTIALS + 1)) + 1) if 1.1 * k * base < RATE / 2]
    return sum(random.normal() / k**slope * np.sin(k * phase + random.uniform(0, 2 * np.pi)) for k in partials)
