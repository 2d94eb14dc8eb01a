"""Simulate a microphone and its amplifier: frequency response, DC offset, mains hum, clipping."""

import functools
from dataclasses import dataclass

import numpy as np

from calibration_data.audio import RATE

LOW_CUT = (50.0, 200.0)  # Hz
HIGH_CUT = (4000.0, 7900.0)  # Hz
PEAK_HZ = (200.0, 6000.0)
PEAK_DB = 6.0  # largest absolute gain
PEAKS = 3  # largest number
DC = 0.1  # largest offset, relative to full scale
MAINS = (50.0, 60.0)  # Hz
HUM_DB = (-60.0, -25.0)  # dBFS
HARMONICS = 16  # largest number of harmonics of the hum
CLIPPED_FRACTION = (0.001, 0.02)  # fraction of the samples


@dataclass(frozen=True)
class Equalizer:
    """Filter sounds by a mild frequency response.

    Parameters
    ----------
    low_cut, high_cut : float, optional
        Frequencies in Hz at which the response is -3 dB. It falls by 12 dB per octave below the low
        cut and above the high cut. None disables a cut.
    peaks : tuple of tuple of float
        (Hz, dB, Q) of each peak or dip.
    """

    low_cut: float | None
    high_cut: float | None
    peaks: tuple[tuple[float, float, float], ...] = ()

    @functools.cached_property
    def sections(self) -> np.ndarray:
        """Second-order sections for `scipy.signal.sosfilt`.

        Returns
        -------
        np.ndarray [shape=(sections, 6), dtype=float64]
        """
        sections = [_peak(*peak) for peak in self.peaks]
        if self.low_cut:
            sections.append(_cut(self.low_cut, low=True))
        if self.high_cut:
            sections.append(_cut(self.high_cut, low=False))
        return np.array(sections)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Filter sounds.

        Parameters
        ----------
        x : np.ndarray [shape=(..., samples), dtype=float32]
            Sounds at 16 kHz.

        Returns
        -------
        np.ndarray [shape=(..., samples), dtype=float32]
        """
        from scipy.signal import sosfilt

        # A low cut needs float64: its poles are close to 1.
        return sosfilt(self.sections, x.astype(np.float64)).astype(np.float32)

    def metadata(self) -> dict:
        """Return the entry for the ``meta`` of a mixture.

        Returns
        -------
        dict
            ``low_cut_hz``, ``high_cut_hz``, and ``peaks`` as lists of Hz, dB and Q.
        """
        return {
            "low_cut_hz": self.low_cut,
            "high_cut_hz": self.high_cut,
            "peaks": [list(peak) for peak in self.peaks],
        }


def random_equalizer(rng: np.random.Generator) -> Equalizer:
    """Draw a frequency response.

    Two of three have a low cut and half of them have a high cut. All of them have one to three
    peaks or dips of at most 6 dB.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.

    Returns
    -------
    Equalizer
    """
    low = rng.uniform(*LOW_CUT) if rng.random() < 2 / 3 else None
    high = rng.uniform(*HIGH_CUT) if rng.random() < 1 / 2 else None
    peaks = tuple(
        (
            float(np.exp(rng.uniform(*np.log(PEAK_HZ)))),
            rng.uniform(-PEAK_DB, PEAK_DB),
            rng.uniform(0.5, 2.0),
        )
        for _ in range(int(rng.integers(1, PEAKS + 1)))
    )
    return Equalizer(low, high, peaks)


def hum(samples: int, hz: float, amplitudes: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Return mains hum.

    Parameters
    ----------
    samples : int
        Length at 16 kHz.
    hz : float
        Frequency of the mains.
    amplitudes : np.ndarray [shape=(harmonics,)]
        Amplitudes of the harmonics 1, 2, ... Harmonics at 8 kHz and above are left out.
    phases : np.ndarray [shape=(harmonics,)]
        Phases of the harmonics, in cycles.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
        The hum, with an RMS of 1.
    """
    # The phase is reduced to one cycle in float64; float32 is then exact enough.
    turns = (np.arange(samples) * (hz / RATE)) % 1
    turns = np.float32(2 * np.pi) * turns.astype(np.float32)
    out = np.zeros(samples, np.float32)
    for k, (amplitude, phase) in enumerate(zip(amplitudes, phases, strict=True), 1):
        if k * hz < RATE / 2:
            out += np.float32(amplitude) * np.sin(
                np.float32(k) * turns + np.float32(2 * np.pi * phase)
            )
    return out / np.sqrt(np.mean(out**2))


def random_hum(rng: np.random.Generator, samples: int) -> tuple[np.ndarray, float]:
    """Draw hum of 50 or 60 Hz (within 0.2 %) with 1 to 16 harmonics.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.
    samples : int
        Length at 16 kHz.

    Returns
    -------
    x : np.ndarray [shape=(samples,), dtype=float32]
        The hum, with an RMS of 1.
    hz : float
        Its frequency.
    """
    hz = MAINS[int(rng.integers(len(MAINS)))] * rng.uniform(0.998, 1.002)
    harmonics = np.arange(1, int(rng.integers(1, HARMONICS + 1)) + 1)
    amplitudes = rng.uniform(0.1, 1, harmonics.size) / harmonics ** rng.uniform(0, 1.5)
    return hum(samples, hz, amplitudes, rng.random(harmonics.size)), hz


def clip(x: np.ndarray, fraction: float) -> np.ndarray:
    """Clip a sound at the level that a fraction of its samples exceeds.

    Parameters
    ----------
    x : np.ndarray [shape=(samples,), dtype=float32]
        The sound.
    fraction : float
        Fraction of clipped samples.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
    """
    at = x.size - 1 - int(fraction * x.size)
    level = np.partition(np.abs(x), at)[at]
    return np.clip(x, -level, level)


def _peak(hz: float, db: float, q: float) -> np.ndarray:
    """Return the second-order section [shape=(6,)] of a peak.

    The formula is from R. Bristow-Johnson, "Audio EQ Cookbook".
    """
    w = 2 * np.pi * hz / RATE
    gain, alpha = 10 ** (db / 40), np.sin(w) / (2 * q)
    return _section(
        [1 + alpha * gain, -2 * np.cos(w), 1 - alpha * gain],
        [1 + alpha / gain, -2 * np.cos(w), 1 - alpha / gain],
    )


def _cut(hz: float, *, low: bool) -> np.ndarray:
    """Return a Butterworth section [shape=(6,)] of second order: a low cut or a high cut.

    See `_peak` for the source of the formula.
    """
    w = 2 * np.pi * hz / RATE
    alpha, sign = np.sin(w) / np.sqrt(2), 1 if low else -1
    edge = (1 + sign * np.cos(w)) / 2
    return _section([edge, -2 * sign * edge, edge], [1 + alpha, -2 * np.cos(w), 1 - alpha])


def _section(b: list[float], a: list[float]) -> np.ndarray:
    return np.array([*b, *a]) / a[0]
