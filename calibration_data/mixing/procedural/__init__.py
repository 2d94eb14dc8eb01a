"""Synthesize noise from physical models, for training only; no two sounds are equal.

The models follow the approach of Farnell, "Designing Sound" (MIT Press, 2010). A function that
implements a model of a paper names the paper.
"""

import functools

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from calibration_data.audio import RATE
from calibration_data.mixing.procedural import impacts, machines, nature, signals, spectrum
from calibration_data.mixing.procedural.dsp import (
    amplitude,
    frequencies,
    log_uniform,
    normalize,
    power,
    white_spectrum,
)

# Kind: (function of generator and samples, relative weight). Noises that are frequent in daily life
# or difficult to suppress have larger weights.
KINDS = {
    "engine": (machines.engine, 2.0),
    "pass-by": (machines.pass_by, 1.5),
    "fan": (machines.fan, 2.0),
    "hum": (machines.hum, 0.5),
    "tool": (machines.tool, 1.5),
    "train": (machines.train, 1.5),
    "wind": (nature.wind, 2.0),
    "rain": (nature.rain, 1.5),
    "water": (nature.water, 1.0),
    "keyboard": (impacts.keyboard, 2.0),
    "mouse": (impacts.mouse, 1.0),
    "footsteps": (impacts.footsteps, 1.0),
    "dishes": (impacts.dishes, 1.5),
    "applause": (impacts.applause, 0.5),
    "rustle": (impacts.rustle, 1.5),
    "handling": (impacts.handling, 1.0),
    "alarm": (signals.alarm, 1.0),
    "crowd": (signals.crowd, 1.5),
    "music": (signals.music, 1.5),
    "random spectrum": (spectrum.noise, 2.0),
}
_NAMES = tuple(KINDS)
_ODDS = np.cumsum([weight for _, weight in KINDS.values()]) / sum(
    weight for _, weight in KINDS.values()
)
AT_MICROPHONE = ("wind", "handling")  # these arise at the microphone, so they have no room

REVERBERATION = 0.4  # probability of a room
RT60 = (0.2, 1.5)  # s
DIRECT = (-6.0, 12.0)  # direct to reverberant ratio, dB
TILT = (-2.0, 2.0)  # of the spectrum, dB per octave
RIPPLE = 2.0  # standard deviation of a random equalizer's points, dB
POINTS = 8  # of the equalizer, an octave apart, from 62.5 Hz
HIGH_PASS = (10.0, 60.0)  # corner frequency of the microphone, Hz; second order
FLOOR = (-55.0, -15.0)  # level of the background (pink to brown noise) relative to the sound, dB
CREST = 25.0  # limit of the peaks of sparse sounds, as a multiple of the RMS


def noise(
    rng: np.random.Generator, samples: int, kind: str | None = None
) -> tuple[np.ndarray, str]:
    """Synthesize one noise in random acoustics.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all random draws.
    samples : int
        Length at 16 kHz, 160 or more.
    kind : str, optional
        One of `KINDS`. By default it is drawn by their weights.

    Returns
    -------
    x : np.ndarray [shape=(samples,), dtype=float32]
        The noise, with an RMS of 1.
    kind : str
        Its kind.
    """
    drawn = _NAMES[int(np.searchsorted(_ODDS, rng.random(), side="right"))]
    kind = kind or drawn
    x = _add_environment(rng, normalize(KINDS[kind][0](rng, samples)), kind not in AT_MICROPHONE)
    for _ in range(4):  # limiting lowers the RMS, so the limit is approached in steps
        x = normalize(x)
        if np.abs(x).max() <= CREST:
            break
        x = np.float32(0.9 * CREST) * np.tanh(x / np.float32(0.9 * CREST))
    return normalize(x).astype(np.float32), kind


def _add_environment(rng: np.random.Generator, x: np.ndarray, room: bool) -> np.ndarray:
    """Apply a room, a microphone and a background noise.

    All of it is one circular convolution: the reverberation of the end wraps around to the start.
    """
    size = next_fast_len(x.size, True)
    f = frequencies(size)
    points = rng.normal(0, RIPPLE, POINTS) + rng.uniform(*TILT) * np.arange(POINTS)
    whole, part = _octaves(size)
    gain = amplitude(points[whole] * (1 - part) + points[whole + 1] * part)
    gain *= (f / (f + np.float32(log_uniform(rng, *HIGH_PASS)))) ** 2
    spectrum = rfft(x, size)
    if room and rng.random() < REVERBERATION:
        spectrum *= 1 + amplitude(-rng.uniform(*DIRECT)) * rfft(_tail(rng, size))
    background = white_spectrum(rng, size) * power(f + 20, -rng.uniform(0.5, 1.0))
    background *= (
        amplitude(rng.uniform(*FLOOR)) * np.linalg.norm(spectrum) / np.linalg.norm(background)
    )
    return irfft((spectrum + background) * gain, size)[: x.size]


@functools.lru_cache(4)
def _octaves(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Locate each bin between two points of the equalizer.

    Returns
    -------
    whole : np.ndarray [shape=(size // 2 + 1,), dtype=int32]
        Index of the lower point.
    part : np.ndarray [shape=(size // 2 + 1,), dtype=float32]
        Distance from the lower point, in octaves.
    """
    octave = np.clip(np.log2(np.maximum(frequencies(size), 1) / 62.5), 0, POINTS - 1.001)
    whole = octave.astype(np.int32)
    return whole, (octave - whole).astype(np.float32)


def _tail(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return late reverberation of energy 1 [shape=(size,), dtype=float32].

    It is noise that decays by 60 dB in RT60 and starts after a gap of 2 to 20 ms. A smoothing
    filter attenuates its high frequencies.
    """
    rt60 = log_uniform(rng, *RT60)
    length = min(size, int(rt60 * RATE))
    decay = np.exp(np.float32(-np.log(1000) / (rt60 * RATE)) * np.arange(length, dtype=np.float32))
    tail = (rng.random(length, dtype=np.float32) - np.float32(0.5)) * decay
    dull = rng.uniform(0, 0.7)  # coefficient of a smoothing filter
    tail[1:] += np.float32(dull) * tail[:-1]
    gap = min(int(rng.uniform(0.002, 0.02) * RATE), size - 1)
    out = np.zeros(size, np.float32)
    out[gap : gap + length] = tail[: size - gap]
    return out / np.linalg.norm(out)
