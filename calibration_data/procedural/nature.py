"""Weather and water: wind at a microphone, rain, running water."""

import numpy as np

from calibration_data.audio import RATE
from calibration_data.procedural import dsp

SURFACES = {  # of rain: modes in Hz (low, high), time constants of their decay in s (low, high), level of bubbles in dB
    "ground": ((800, 6000), (0.0003, 0.002), -6),
    "metal roof": ((300, 5000), (0.003, 0.012), -20),
    "umbrella": ((150, 1500), (0.002, 0.008), -30),
    "window": ((500, 4000), (0.001, 0.006), -20),
    "puddles": ((1000, 6000), (0.0003, 0.001), 6),
}


def wind(random: np.random.Generator, samples: int) -> np.ndarray:
    """Wind at the microphone: turbulent pressure, gusts, at times overload and whistling.

    The pressure spectrum falls as f^-5/3 in the inertial range and faster above a corner that rises with the wind's speed (Nelke and
    Vary, "Measurement, analysis and simulation of wind noise signals", IWAENC 2014); pressure grows as the square of the speed.
    """
    corner = dsp.between(random, 40, 250)  # Hz
    steep = random.uniform(1.3, 2.5)  # exponent of amplitude above the corner, beside that below it

    def spectrum(corner):
        return lambda f: dsp.power(f + 3, -5 / 6) * dsp.power(1 + (f / np.float32(corner)) ** 2, -steep / 2) * (f > 5)

    strength = random.uniform(0.1, 0.4)  # standard deviation of the logarithm of speed
    gusts = 0.8 * dsp.curve(dsp.wander(random, samples, random.uniform(0.5, 2)), samples)
    gusts += 0.4 * dsp.curve(dsp.wander(random, samples, 12), samples)
    speed = np.exp(np.float32(strength) * gusts)
    x = speed**2 * dsp.coloured(random, samples, spectrum(corner))
    x += 0.25 * speed**4 * dsp.coloured(random, samples, spectrum(4 * corner))  # gusts are brighter
    if random.random() < 0.15:  # whistling at an edge: a narrow band whose frequency follows the speed (Strouhal)
        hz = np.clip(dsp.between(random, 250, 900) * np.sqrt(speed), 100, 3000)
        width = random.uniform(5, 40)  # Hz
        band_noise = dsp.coloured(random, samples, lambda f: f < width)
        x += dsp.level(random.uniform(-30, -12)) * speed**3 * band_noise * dsp.periodic(dsp.SINE, dsp.cycles(hz, samples))
    x = dsp.unit(x)
    if random.random() < 0.25:  # overload of the microphone
        limit = np.float32(random.uniform(1, 3))
        x = np.clip(x, -limit, limit)
    return x


def rain(random: np.random.Generator, samples: int) -> np.ndarray:
    """Rain: a Poisson process of near drops, of exponentially distributed size (Marshall and Palmer 1948), over the wash of far ones.

    A drop splashes, excites modes of the surface it hits, and on water leaves a bubble that rings at 1 to 7 kHz.
    """
    hz, decay, bubbles = SURFACES[list(SURFACES)[random.integers(len(SURFACES))]]
    kinds, length = 8, 512
    hz, decay = dsp.between(random, *hz, (kinds, 6)), dsp.between(random, *decay, (kinds, 6))
    drops = dsp.modes(hz, decay, random.normal(0, 1, (kinds, 6)), length)
    drops /= np.abs(drops).max(1, keepdims=True)
    ring = dsp.modes(dsp.between(random, 1000, 7000, (kinds, 1)), dsp.between(random, 0.002, 0.008, (kinds, 1)), 1.0, length)
    drops += dsp.level(bubbles) * np.roll(ring, int(random.uniform(0.002, 0.01) * RATE), 1)
    at = dsp.poisson(random, samples, dsp.between(random, 30, 3000))
    size = np.minimum(random.exponential(1, at.size), 5) ** 2
    near = dsp.unit(dsp.scatter(samples, at, size * np.sign(random.standard_normal(at.size)), drops))
    splash = dsp.decaying(samples, at, size, random.uniform(0.0005, 0.003))
    wash = dsp.level(dsp.curve(random.uniform(-15, 10) + random.uniform(0, 1.5) * dsp.wander(random, samples, 1), samples))
    low, high = dsp.between(random, 150, 1500), random.uniform(3000, 8000)
    noise = (dsp.unit(splash) + wash) * (random.random(samples, dtype=np.float32) - np.float32(0.5))
    return dsp.level(random.uniform(-10, 3)) * near + dsp.unit(dsp.shape(noise, lambda f: dsp.band(f, low, high, 1)))


def water(random: np.random.Generator, samples: int) -> np.ndarray:
    """Tap, stream or pouring: many bubbles of random radius, and turbulence.

    A bubble of radius r (m) rings at 3 / r Hz, decays at 0.13 / r + 0.0072 r^-1.5 per second and rises in pitch as it surfaces
    (van den Doel, "Physically based models for liquid sounds", ACM TAP 2005).
    """
    kinds, length = 8, 512
    largest = dsp.between(random, 0.0015, 0.006)  # m
    radius = dsp.between(random, largest / 8, largest / 2, kinds)
    decay = 0.13 / radius + 0.0072 * radius**-1.5
    t = np.arange(length) / RATE
    rise = random.uniform(0, 0.1, kinds) * (random.random(kinds) < 0.4) * decay  # relative, per second
    phase = 3 / radius[:, None] * (t + rise[:, None] * t**2 / 2)
    bubbles = np.sin(2 * np.pi * (phase % 1)).astype(np.float32) * np.exp(-decay[:, None] * t).astype(np.float32)
    bubbles *= ((radius / largest) ** random.uniform(0, 1))[:, None].astype(np.float32)
    at = dsp.poisson(random, samples, dsp.between(random, 200, 4000))
    flow = dsp.curve(np.exp(random.uniform(0, 0.5) * dsp.wander(random, samples, 4)), samples)
    x = dsp.unit(dsp.scatter(samples, at, dsp.between(random, 0.1, 1, at.size), bubbles)) * flow
    at = dsp.poisson(random, samples, dsp.between(random, 5, 60))  # large ones: each of its own radius
    radius = dsp.between(random, largest / 4, largest, (at.size, 1))
    big = dsp.modes(3 / radius, 1 / (0.13 / radius + 0.0072 * radius**-1.5), radius / largest, 800)
    x += dsp.level(random.uniform(0, 12)) * dsp.overlay(samples, at, big)
    low, high, basin = dsp.between(random, [200, 3000, 300], [1500, 8000, 3000])
    hiss = dsp.coloured(random, samples, lambda f: dsp.band(f, low, high, 1) * (1 + 2 * dsp.peak(f, basin, 3)))
    return x + dsp.level(random.uniform(-18, 3)) * hiss * flow
