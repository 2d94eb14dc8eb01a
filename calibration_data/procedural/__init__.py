"""Procedural noise for training alone: sounds synthesized from models of their physics, no two of them alike.

The models follow Farnell, "Designing Sound" (MIT Press, 2010), in spirit; where one is from a paper, its function says so.
"""

import functools

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from calibration_data.audio import RATE
from calibration_data.procedural import impacts, machines, nature, signals, spectrum
from calibration_data.procedural.dsp import between, frequencies, level, power, unit, white_spectrum

# Kind: (function of generator and samples, weight). Weights are relative; frequent and difficult noises of daily life have more.
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
_ODDS = np.cumsum([weight for _, weight in KINDS.values()]) / sum(weight for _, weight in KINDS.values())
AT_MICROPHONE = ("wind", "handling")  # arise at the microphone, so that no room answers

REVERBERATION = 0.4  # probability of a room
RT60 = (0.2, 1.5)  # s
DIRECT = (-6.0, 12.0)  # direct to reverberant ratio, dB
TILT = (-2.0, 2.0)  # of the spectrum, dB per octave
RIPPLE = 2.0  # standard deviation of a random equalizer's points, dB
POINTS = 8  # of the equalizer, an octave apart, from 62.5 Hz
HIGH_PASS = (10.0, 60.0)  # corner of the microphone, Hz; second order
FLOOR = (-55.0, -15.0)  # background of the place (pink to brown noise) below the sound, dB
CREST = 25.0  # peaks of sparse sounds are limited to about this many times the RMS


def noise(random: np.random.Generator, samples: int, kind: str | None = None) -> tuple[np.ndarray, str]:
    """Synthesize one noise in a random place.

    Parameters
    ----------
    random : its state decides everything
    samples : length at 16 kHz, 160 or more
    kind : one of `KINDS`; drawn by their weights where it is None

    Returns
    -------
    float32 [samples] of RMS 1, and the kind
    """
    drawn = _NAMES[int(np.searchsorted(_ODDS, random.random(), side="right"))]
    kind = kind or drawn
    x = _place(random, unit(KINDS[kind][0](random, samples)), kind not in AT_MICROPHONE)
    for _ in range(4):  # limiting lowers the RMS, so that the limit is approached in steps
        x = unit(x)
        if np.abs(x).max() <= CREST:
            break
        x = np.float32(0.9 * CREST) * np.tanh(x / np.float32(0.9 * CREST))
    return unit(x).astype(np.float32), kind


def _place(random: np.random.Generator, x: np.ndarray, room: bool) -> np.ndarray:
    """Room, microphone and background, all in one circular convolution: the reverberation of the end is heard at the start."""
    size = next_fast_len(x.size, True)
    f = frequencies(size)
    points = random.normal(0, RIPPLE, POINTS) + random.uniform(*TILT) * np.arange(POINTS)
    whole, part = _octaves(size)
    gain = level(points[whole] * (1 - part) + points[whole + 1] * part)
    gain *= (f / (f + np.float32(between(random, *HIGH_PASS)))) ** 2
    spectrum = rfft(x, size)
    if room and random.random() < REVERBERATION:
        spectrum *= 1 + level(-random.uniform(*DIRECT)) * rfft(_tail(random, size))
    background = white_spectrum(random, size) * power(f + 20, -random.uniform(0.5, 1.0))
    background *= level(random.uniform(*FLOOR)) * np.linalg.norm(spectrum) / np.linalg.norm(background)
    return irfft((spectrum + background) * gain, size)[: x.size]


@functools.lru_cache(4)
def _octaves(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Between which points of the equalizer each bin is: index of the lower one, and how far above it in octaves."""
    octave = np.clip(np.log2(np.maximum(frequencies(size), 1) / 62.5), 0, POINTS - 1.001)
    whole = octave.astype(np.int32)
    return whole, (octave - whole).astype(np.float32)


def _tail(random: np.random.Generator, size: int) -> np.ndarray:
    """Late reverberation of energy 1: noise that decays by 60 dB in RT60, the highs in less; after a gap of 2 to 20 ms."""
    rt60 = between(random, *RT60)
    length = min(size, int(rt60 * RATE))
    decay = np.exp(np.float32(-np.log(1000) / (rt60 * RATE)) * np.arange(length, dtype=np.float32))
    tail = (random.random(length, dtype=np.float32) - np.float32(0.5)) * decay
    dull = random.uniform(0, 0.7)  # coefficient of a smoothing filter
    tail[1:] += np.float32(dull) * tail[:-1]
    gap = min(int(random.uniform(0.002, 0.02) * RATE), size - 1)
    out = np.zeros(size, np.float32)
    out[gap : gap + length] = tail[: size - gap]
    return out / np.linalg.norm(out)
