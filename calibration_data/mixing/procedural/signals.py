"""Synthesize signals and people: alarms and sirens, crowds without words, music."""

from functools import partial

import numpy as np

from calibration_data.audio import RATE
from calibration_data.mixing.procedural import dsp

# Major, minor and pentatonic scales, in semitones.
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))


def alarm(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize beeps, reversing signals, telephones, or two-tone and swept sirens.

    The sound is a harmonic tone with a periodic frequency and a periodic gate.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all random draws.
    samples : int
        Length at 16 kHz.

    Returns
    -------
    np.ndarray [shape=(samples,)]
        The sound, at any level.
    """
    t = np.arange(samples) / RATE + rng.uniform(0, 10)
    pattern = rng.integers(4)
    # Lowest frequency, in Hz; beeps have a wider range.
    base = dsp.log_uniform(rng, 350, 3500) if pattern == 0 else dsp.log_uniform(rng, 350, 1500)
    top, gate = base, np.ones(samples, np.float32)
    if pattern == 0:  # beeps in groups of one to five
        period, group = dsp.log_uniform(rng, 0.1, 1), int(rng.integers(1, 6))
        gate = (t / period % 1 < rng.uniform(0.2, 0.7)) & (
            t / period % (group + 2) < group if group > 1 else True
        )
        hz = np.full(samples, base)
    elif pattern == 1:  # two alternating tones
        top = base * dsp.log_uniform(rng, 1.12, 1.6)
        hz = np.where(t / dsp.log_uniform(rng, 0.3, 2) % 1 < 0.5, base, top)
    elif pattern == 2:  # siren: rising and falling, or sawtooth
        top, part = base * dsp.log_uniform(rng, 1.3, 2.5), rng.choice([0.5, 0.9, 0.99])
        saw = t / dsp.log_uniform(rng, 0.2, 5) % 1
        hz = base + (top - base) * np.where(saw < part, saw / part, (1 - saw) / (1 - part))
    else:  # telephone: two tones that alternate at 10 to 25 Hz, with pauses
        top = base * dsp.log_uniform(rng, 1.1, 1.4)
        hz = np.where(t * rng.uniform(10, 25) % 1 < 0.5, base, top)
        gate = t / rng.uniform(1, 3) % 1 < rng.uniform(0.4, 0.9)
    order = np.arange(1, max(2, int(7500 / top) + 1))
    rich = dsp.log_uniform(rng, 0.1, 1, order.size) / order**0.5
    tones = (order == 1, order % 2 / order, rich)[
        rng.integers(3)
    ]  # sine, square, or another waveform
    x = dsp.periodic(dsp.harmonics(rng, tones), dsp.cycles(hz, samples))
    edge = int(0.003 * RATE)  # 3 ms, so that the gate does not click
    smooth = np.convolve(np.asarray(gate, np.float32), np.full(edge, 1 / edge, np.float32))[
        :samples
    ]
    return x * smooth if smooth.any() else x


def crowd(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize a crowd without words.

    One to three noises have the long-term spectrum of speech (Byrne et al., JASA 1994), and
    syllables at a rate of 3 to 8 Hz.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all random draws.
    samples : int
        Length at 16 kHz.

    Returns
    -------
    np.ndarray [shape=(samples,)]
        The sound, at any level.
    """
    x = np.zeros(samples, np.float32)
    for _ in range(rng.integers(1, 4)):
        corner, formants = (
            dsp.log_uniform(rng, 300, 700),
            dsp.log_uniform(rng, [300, 900, 2200], [800, 2200, 3500]),
        )
        gain = rng.uniform(0.5, 4, 3)
        voice = dsp.coloured(
            rng, samples, partial(_speech_spectrum, corner=corner, formants=formants, gain=gain)
        )
        rate = rng.uniform(3, 8)  # syllables per second
        syllables = np.maximum(
            dsp.curve(dsp.wander(rng, samples, 2 * rate), samples) + rng.uniform(-0.3, 1), 0.05
        )
        phrases = np.maximum(dsp.curve(dsp.wander(rng, samples, 1.5), samples) + 1, 0.1)
        x += dsp.amplitude(rng.uniform(-10, 0)) * voice * syllables * phrases
    return x


def _speech_spectrum(
    f: np.ndarray, corner: float, formants: np.ndarray, gain: np.ndarray
) -> np.ndarray:
    vowel = 1 + sum(g * dsp.peak(f, c, 4) for g, c in zip(gain, formants, strict=True))
    return dsp.band(f, 100, corner, 1) * dsp.power(1 + f / 1000, -0.5) * vowel


def music(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize simple music: notes of a scale at a beat, held chords, and drums.

    Each of the three is present in some of the sounds. A plucked string is the sum of its modes, of
    which the high ones decay faster, as in the algorithm of Karplus and Strong.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all random draws.
    samples : int
        Length at 16 kHz.

    Returns
    -------
    np.ndarray [shape=(samples,)]
        The sound, at any level.
    """
    beat = dsp.log_uniform(rng, 0.15, 0.5)  # s
    tonic, scale = dsp.log_uniform(rng, 55, 220), np.array(SCALES[rng.integers(len(SCALES))])
    parts = rng.random(3) < [0.7, 0.5, 0.4]
    if not parts.any():
        parts[0] = True
    x = np.zeros(samples, np.float32)
    beats = (np.arange(0, samples / RATE, beat) * RATE).astype(int)
    if parts[0]:
        x += dsp.normalize(_notes(rng, samples, beats, beat, tonic, scale))
    if parts[1]:  # chords, held for four beats
        roots = rng.integers(len(scale), size=-(-beats.size // 4))
        for degrees in (roots, roots + 2, roots + 4):
            hz = (
                2 * tonic * 2 ** ((scale[degrees % len(scale)] + 12 * (degrees // len(scale))) / 12)
            )
            order = np.arange(1, max(2, min(20, int(7000 / hz.max()))))
            tones = dsp.log_uniform(rng, 0.3, 1, order.size) / order ** rng.uniform(0.7, 2)
            hold = np.repeat(hz, int(4 * beat * RATE) + 1)[:samples]
            table = dsp.harmonics(rng, tones)
            x[: hold.size] += dsp.amplitude(-8) * dsp.periodic(table, dsp.cycles(hold, hold.size))
    if parts[2]:  # bass drum on some beats, and cymbals
        kick = beats[rng.random(beats.size) < 0.4]
        strokes = dsp.modes(
            dsp.log_uniform(rng, 45, 90), 0.08, rng.uniform(0.7, 1, (max(1, kick.size), 1)), 4800
        )
        hat = np.concatenate([beats, beats + int(beat * RATE / 2)])
        noise = dsp.bursts(
            rng, samples, hat, rng.uniform(0, 1, hat.size), dsp.log_uniform(rng, 0.01, 0.06)
        )
        drums = dsp.overlay(samples, kick, strokes[: kick.size]) + 0.3 * dsp.filtered(
            noise, lambda f: dsp.band(f, 4000, 8000, 4)
        )
        x += dsp.amplitude(rng.uniform(-6, 6)) * dsp.normalize(drums)
    return x


def _notes(
    rng, samples: int, beats: np.ndarray, beat: float, tonic: float, scale: np.ndarray
) -> np.ndarray:
    """Return notes of a random walk over the scale.

    There are one or two notes at a beat, and for half of the beats as many between the beats.
    """
    off = beats[rng.random(beats.size) < 0.5] + int(beat * RATE / 2)
    at = np.repeat(np.concatenate([beats, off]), rng.integers(1, 3))
    degrees = np.clip(np.cumsum(rng.integers(-3, 4, at.size)), -7, 14) + len(scale)
    hz = tonic * 2 ** ((scale[degrees % len(scale)] + 12 * (degrees // len(scale))) / 12)
    order = np.arange(1, 13)
    # The stiffness of the string stretches the partials.
    stretched = order * np.sqrt(1 + dsp.log_uniform(rng, 1e-5, 1e-3) * order**2)
    pluck = np.abs(np.sin(np.pi * order * rng.uniform(0.1, 0.5))) / order ** rng.uniform(0.5, 1.5)
    seconds = dsp.log_uniform(rng, 0.1, 0.8) / (1 + rng.uniform(0.05, 0.5) * order)
    return dsp.overlay(
        samples,
        at,
        dsp.modes(
            hz[:, None] * stretched, seconds, pluck * rng.uniform(0.4, 1, (at.size, 1)), 8000
        ),
    )
