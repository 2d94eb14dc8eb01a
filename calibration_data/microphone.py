"""What a microphone and its amplifier do to a sound: a colour of their own, an offset (DC), hum of the mains, clipping."""

import functools
from dataclasses import dataclass

import numpy as np

from calibration_data.audio import RATE

LOW_CUT = (50.0, 200.0)  # Hz
HIGH_CUT = (4000.0, 7900.0)  # Hz
PEAK_HZ = (200.0, 6000.0)
PEAK_DB = 6.0  # at most, up or down
PEAKS = 3  # at most
DC = 0.1  # of full scale, at most
MAINS = (50.0, 60.0)  # Hz
HUM_DB = (-60.0, -25.0)  # dBFS
HARMONICS = 16  # of the mains, at most
CLIPPED = (0.001, 0.02)  # part of the samples


@dataclass(frozen=True)
class Colour:
    """A gentle equalizer.

    Parameters
    ----------
    low_cut, high_cut : where it is down by 3 dB, Hz; 12 dB an octave below and above. None: no cut
    peaks : (Hz, dB, Q) of each peak or dip
    """

    low_cut: float | None
    high_cut: float | None
    peaks: tuple[tuple[float, float, float], ...] = ()

    @functools.cached_property
    def sections(self) -> np.ndarray:
        """float64 [sections, 6]: second-order sections, as `scipy.signal.sosfilt` takes them."""
        found = [_peak(*peak) for peak in self.peaks]
        if self.low_cut:
            found.append(_cut(self.low_cut, low=True))
        if self.high_cut:
            found.append(_cut(self.high_cut, low=False))
        return np.array(found)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Filter a sound [shape=(..., samples), float32]."""
        from scipy.signal import sosfilt

        return sosfilt(self.sections, x.astype(np.float64)).astype(np.float32)  # a low cut in float32 is not exact enough

    def notes(self) -> dict:
        """What stands in a mixture's ``meta``: ``low_cut_hz``, ``high_cut_hz``, ``peaks`` [[Hz, dB, Q]]."""
        return {"low_cut_hz": self.low_cut, "high_cut_hz": self.high_cut, "peaks": [list(peak) for peak in self.peaks]}


def colour(random: np.random.Generator) -> Colour:
    """A random one: a low cut in two of three, a high cut in half, one to three peaks or dips of up to 6 dB."""
    low = random.uniform(*LOW_CUT) if random.random() < 2 / 3 else None
    high = random.uniform(*HIGH_CUT) if random.random() < 1 / 2 else None
    peaks = tuple(
        (float(np.exp(random.uniform(*np.log(PEAK_HZ)))), random.uniform(-PEAK_DB, PEAK_DB), random.uniform(0.5, 2.0))
        for _ in range(int(random.integers(1, PEAKS + 1)))
    )
    return Colour(low, high, peaks)


def hum(samples: int, hz: float, amplitudes: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Hum of the mains.

    Parameters
    ----------
    samples : length
    hz : of the mains
    amplitudes, phases : float [harmonics]: of the first, second, ... harmonic; phases in turns. Harmonics above 8 kHz are left out

    Returns
    -------
    float32 [samples] of RMS 1
    """
    turns = (np.arange(samples) * (hz / RATE)) % 1  # reduced to one turn in float64; the rest is then exact enough in float32
    turns = np.float32(2 * np.pi) * turns.astype(np.float32)
    out = np.zeros(samples, np.float32)
    for k, (amplitude, phase) in enumerate(zip(amplitudes, phases, strict=True), 1):
        if k * hz < RATE / 2:
            out += np.float32(amplitude) * np.sin(np.float32(k) * turns + np.float32(2 * np.pi * phase))
    return out / np.sqrt(np.mean(out**2))


def random_hum(random: np.random.Generator, samples: int) -> tuple[np.ndarray, float]:
    """Hum of 50 or 60 Hz (within 0.2 %) with 1 to 16 random harmonics; float32 [samples] of RMS 1, and its frequency in Hz."""
    hz = MAINS[int(random.integers(len(MAINS)))] * random.uniform(0.998, 1.002)
    harmonics = np.arange(1, int(random.integers(1, HARMONICS + 1)) + 1)
    amplitudes = random.uniform(0.1, 1, harmonics.size) / harmonics ** random.uniform(0, 1.5)
    return hum(samples, hz, amplitudes, random.random(harmonics.size)), hz


def clip(x: np.ndarray, part: float) -> np.ndarray:
    """Clip at the level that a part of all samples exceeds; x [shape=(samples,), float32]."""
    at = x.size - 1 - int(part * x.size)
    level = np.partition(np.abs(x), at)[at]
    return np.clip(x, -level, level)


def _peak(hz: float, db: float, q: float) -> np.ndarray:
    """Second-order section [shape=(6,)] of R. Bristow-Johnson's "Audio EQ Cookbook"."""
    w = 2 * np.pi * hz / RATE
    gain, alpha = 10 ** (db / 40), np.sin(w) / (2 * q)
    return _section([1 + alpha * gain, -2 * np.cos(w), 1 - alpha * gain], [1 + alpha / gain, -2 * np.cos(w), 1 - alpha / gain])


def _cut(hz: float, *, low: bool) -> np.ndarray:
    """Butterworth of second order, as `_peak`: a low cut (high-pass), or a high cut (low-pass)."""
    w = 2 * np.pi * hz / RATE
    alpha, sign = np.sin(w) / np.sqrt(2), 1 if low else -1
    edge = (1 + sign * np.cos(w)) / 2
    return _section([edge, -2 * sign * edge, edge], [1 + alpha, -2 * np.cos(w), 1 - alpha])


def _section(b: list[float], a: list[float]) -> np.ndarray:
    return np.array([*b, *a]) / a[0]
