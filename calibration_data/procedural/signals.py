"""Signals and people: alarms and sirens, crowds without words, music."""

from functools import partial

import numpy as np

from calibration_data.audio import RATE
from calibration_data.procedural import dsp

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))  # major, minor, pentatonic; semitones


def alarm(random: np.random.Generator, samples: int) -> np.ndarray:
    """Beeps, reversing signals, telephones, two-tone and swept sirens: a harmonic tone, its frequency and its gate periodic."""
    t = np.arange(samples) / RATE + random.uniform(0, 10)
    pattern = random.integers(4)
    base = dsp.between(random, 350, 3500) if pattern == 0 else dsp.between(random, 350, 1500)  # Hz
    top, gate = base, np.ones(samples, np.float32)
    if pattern == 0:  # beeps, in groups of one to five
        period, group = dsp.between(random, 0.1, 1), int(random.integers(1, 6))
        gate = (t / period % 1 < random.uniform(0.2, 0.7)) & (t / period % (group + 2) < group if group > 1 else True)
        hz = np.full(samples, base)
    elif pattern == 1:  # two tones in turn
        top = base * dsp.between(random, 1.12, 1.6)
        hz = np.where(t / dsp.between(random, 0.3, 2) % 1 < 0.5, base, top)
    elif pattern == 2:  # siren: up and down, or sawtooth
        top, part = base * dsp.between(random, 1.3, 2.5), random.choice([0.5, 0.9, 0.99])
        saw = t / dsp.between(random, 0.2, 5) % 1
        hz = base + (top - base) * np.where(saw < part, saw / part, (1 - saw) / (1 - part))
    else:  # telephone: two tones, warbling at 10 to 25 Hz, rung in turn with pauses
        top = base * dsp.between(random, 1.1, 1.4)
        hz = np.where(t * random.uniform(10, 25) % 1 < 0.5, base, top)
        gate = t / random.uniform(1, 3) % 1 < random.uniform(0.4, 0.9)
    order = np.arange(1, max(2, int(7500 / top) + 1))
    rich = dsp.between(random, 0.1, 1, order.size) / order**0.5
    tones = (order == 1, order % 2 / order, rich)[random.integers(3)]  # sine, square, any other wave
    x = dsp.periodic(dsp.harmonics(random, tones), dsp.cycles(hz, samples))
    edge = int(0.003 * RATE)  # s; the gate opens and closes without a click
    smooth = np.convolve(np.asarray(gate, np.float32), np.full(edge, 1 / edge, np.float32))[:samples]
    return x * smooth if smooth.any() else x


def crowd(random: np.random.Generator, samples: int) -> np.ndarray:
    """A crowd without words: noises of the long-term speech spectrum (Byrne et al., JASA 1994), each in syllables of 3 to 8 Hz."""
    x = np.zeros(samples, np.float32)
    for _ in range(random.integers(1, 4)):
        corner, formants = dsp.between(random, 300, 700), dsp.between(random, [300, 900, 2200], [800, 2200, 3500])
        gain = random.uniform(0.5, 4, 3)
        voice = dsp.coloured(random, samples, partial(_speech_spectrum, corner=corner, formants=formants, gain=gain))
        rate = random.uniform(3, 8)  # syllables per second
        syllables = np.maximum(dsp.curve(dsp.wander(random, samples, 2 * rate), samples) + random.uniform(-0.3, 1), 0.05)
        phrases = np.maximum(dsp.curve(dsp.wander(random, samples, 1.5), samples) + 1, 0.1)
        x += dsp.level(random.uniform(-10, 0)) * voice * syllables * phrases
    return x


def _speech_spectrum(f: np.ndarray, corner: float, formants: np.ndarray, gain: np.ndarray) -> np.ndarray:
    vowel = 1 + sum(g * dsp.peak(f, c, 4) for g, c in zip(gain, formants, strict=True))
    return dsp.band(f, 100, corner, 1) * dsp.power(1 + f / 1000, -0.5) * vowel


def music(random: np.random.Generator, samples: int) -> np.ndarray:
    """Simple music: plucked or struck notes of a scale at a beat, held chords, drums; each of them at times.

    A plucked string is the sum of its modes, the high ones damped faster, which is what Karplus and Strong's loop gives.
    """
    beat = dsp.between(random, 0.15, 0.5)  # s
    tonic, scale = dsp.between(random, 55, 220), np.array(SCALES[random.integers(len(SCALES))])
    parts = random.random(3) < [0.7, 0.5, 0.4]
    if not parts.any():
        parts[0] = True
    x = np.zeros(samples, np.float32)
    beats = (np.arange(0, samples / RATE, beat) * RATE).astype(int)
    if parts[0]:
        x += dsp.unit(_notes(random, samples, beats, beat, tonic, scale))
    if parts[1]:  # chords, held for four beats
        roots = random.integers(len(scale), size=-(-beats.size // 4))
        for degrees in (roots, roots + 2, roots + 4):
            hz = 2 * tonic * 2 ** ((scale[degrees % len(scale)] + 12 * (degrees // len(scale))) / 12)
            order = np.arange(1, max(2, min(20, int(7000 / hz.max()))))
            tones = dsp.between(random, 0.3, 1, order.size) / order ** random.uniform(0.7, 2)
            hold = np.repeat(hz, int(4 * beat * RATE) + 1)[:samples]
            table = dsp.harmonics(random, tones)
            x[: hold.size] += dsp.level(-8) * dsp.periodic(table, dsp.cycles(hold, hold.size))
    if parts[2]:  # bass drum on some beats, cymbals between
        kick = beats[random.random(beats.size) < 0.4]
        strokes = dsp.modes(dsp.between(random, 45, 90), 0.08, random.uniform(0.7, 1, (max(1, kick.size), 1)), 4800)
        hat = np.concatenate([beats, beats + int(beat * RATE / 2)])
        noise = dsp.bursts(random, samples, hat, random.uniform(0, 1, hat.size), dsp.between(random, 0.01, 0.06))
        drums = dsp.overlay(samples, kick, strokes[: kick.size]) + 0.3 * dsp.shape(noise, lambda f: dsp.band(f, 4000, 8000, 4))
        x += dsp.level(random.uniform(-6, 6)) * dsp.unit(drums)
    return x


def _notes(random, samples: int, beats: np.ndarray, beat: float, tonic: float, scale: np.ndarray) -> np.ndarray:
    """Notes of a random walk over the scale, one or two at a beat, half of them with a second between the beats."""
    off = beats[random.random(beats.size) < 0.5] + int(beat * RATE / 2)
    at = np.repeat(np.concatenate([beats, off]), random.integers(1, 3))
    degrees = np.clip(np.cumsum(random.integers(-3, 4, at.size)), -7, 14) + len(scale)
    hz = tonic * 2 ** ((scale[degrees % len(scale)] + 12 * (degrees // len(scale))) / 12)
    order = np.arange(1, 13)
    stretched = order * np.sqrt(1 + dsp.between(random, 1e-5, 1e-3) * order**2)  # stiffness of the string
    pluck = np.abs(np.sin(np.pi * order * random.uniform(0.1, 0.5))) / order ** random.uniform(0.5, 1.5)
    seconds = dsp.between(random, 0.1, 0.8) / (1 + random.uniform(0.05, 0.5) * order)
    return dsp.overlay(samples, at, dsp.modes(hz[:, None] * stretched, seconds, pluck * random.uniform(0.4, 1, (at.size, 1)), 8000))
