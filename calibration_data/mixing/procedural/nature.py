"""Synthesize weather and water: wind at a microphone, rain, running water."""

import numpy as np

from calibration_data.audio import RATE
from calibration_data.mixing.procedural import dsp

# Surfaces under rain: range of the modes in Hz, range of their time constants of decay in s, level
# of the bubbles in dB.
SURFACES = {
    "ground": ((800, 6000), (0.0003, 0.002), -6),
    "metal roof": ((300, 5000), (0.003, 0.012), -20),
    "umbrella": ((150, 1500), (0.002, 0.008), -30),
    "window": ((500, 4000), (0.001, 0.006), -20),
    "puddles": ((1000, 6000), (0.0003, 0.001), 6),
}


def wind(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize wind at the microphone: turbulence, gusts, sometimes overload and whistling.

    The pressure spectrum falls as f^-5/3 in the inertial range, and faster above a corner frequency
    (Nelke and Vary, "Measurement, analysis and simulation of wind noise signals", IWAENC 2014). The
    pressure grows with the square of the wind speed, and gusts are brighter.

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
    corner = dsp.log_uniform(rng, 40, 250)  # Hz
    steep = rng.uniform(
        1.3, 2.5
    )  # exponent of the amplitude above the corner, added to that below it

    def spectrum(corner):
        return lambda f: (
            dsp.power(f + 3, -5 / 6)
            * dsp.power(1 + (f / np.float32(corner)) ** 2, -steep / 2)
            * (f > 5)
        )

    strength = rng.uniform(0.1, 0.4)  # standard deviation of the logarithm of speed
    gusts = 0.8 * dsp.curve(dsp.wander(rng, samples, rng.uniform(0.5, 2)), samples)
    gusts += 0.4 * dsp.curve(dsp.wander(rng, samples, 12), samples)
    speed = np.exp(np.float32(strength) * gusts)
    x = speed**2 * dsp.coloured(rng, samples, spectrum(corner))
    x += 0.25 * speed**4 * dsp.coloured(rng, samples, spectrum(4 * corner))  # gusts are brighter
    # Whistling at an edge is a narrow band whose frequency follows the speed (Strouhal).
    if rng.random() < 0.15:
        hz = np.clip(dsp.log_uniform(rng, 250, 900) * np.sqrt(speed), 100, 3000)
        width = rng.uniform(5, 40)  # Hz
        band_noise = dsp.coloured(rng, samples, lambda f: f < width)
        x += (
            dsp.amplitude(rng.uniform(-30, -12))
            * speed**3
            * band_noise
            * dsp.periodic(dsp.SINE, dsp.cycles(hz, samples))
        )
    x = dsp.normalize(x)
    if rng.random() < 0.25:  # overload of the microphone
        limit = np.float32(rng.uniform(1, 3))
        x = np.clip(x, -limit, limit)
    return x


def rain(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize rain: near drops over the sound of many distant ones.

    The near drops are a Poisson process, with exponentially distributed sizes (Marshall and Palmer,
    1948). A drop splashes, excites modes of the surface, and on water leaves a bubble that rings at
    1 to 7 kHz.

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
    hz, decay, bubbles = SURFACES[list(SURFACES)[rng.integers(len(SURFACES))]]
    kinds, length = 8, 512
    hz, decay = dsp.log_uniform(rng, *hz, (kinds, 6)), dsp.log_uniform(rng, *decay, (kinds, 6))
    drops = dsp.modes(hz, decay, rng.normal(0, 1, (kinds, 6)), length)
    drops /= np.abs(drops).max(1, keepdims=True)
    ring = dsp.modes(
        dsp.log_uniform(rng, 1000, 7000, (kinds, 1)),
        dsp.log_uniform(rng, 0.002, 0.008, (kinds, 1)),
        1.0,
        length,
    )
    drops += dsp.amplitude(bubbles) * np.roll(ring, int(rng.uniform(0.002, 0.01) * RATE), 1)
    at = dsp.poisson(rng, samples, dsp.log_uniform(rng, 30, 3000))
    size = np.minimum(rng.exponential(1, at.size), 5) ** 2
    near = dsp.normalize(
        dsp.scatter(samples, at, size * np.sign(rng.standard_normal(at.size)), drops)
    )
    splash = dsp.decaying(samples, at, size, rng.uniform(0.0005, 0.003))
    wash = dsp.amplitude(
        dsp.curve(rng.uniform(-15, 10) + rng.uniform(0, 1.5) * dsp.wander(rng, samples, 1), samples)
    )
    low, high = dsp.log_uniform(rng, 150, 1500), rng.uniform(3000, 8000)
    noise = (dsp.normalize(splash) + wash) * (
        rng.random(samples, dtype=np.float32) - np.float32(0.5)
    )
    return dsp.amplitude(rng.uniform(-10, 3)) * near + dsp.normalize(
        dsp.filtered(noise, lambda f: dsp.band(f, low, high, 1))
    )


def water(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize a tap, a stream or pouring: many bubbles of random radius, and turbulence.

    A bubble of radius r (in m) rings at 3 / r Hz and decays at 0.13 / r + 0.0072 r^-1.5 per second.
    The pitch of some bubbles rises, as if they came to the surface (van den Doel, "Physically based
    models for liquid sounds", ACM TAP 2005).

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
    kinds, length = 8, 512
    largest = dsp.log_uniform(rng, 0.0015, 0.006)  # m
    radius = dsp.log_uniform(rng, largest / 8, largest / 2, kinds)
    decay = 0.13 / radius + 0.0072 * radius**-1.5
    t = np.arange(length) / RATE
    rise = rng.uniform(0, 0.1, kinds) * (rng.random(kinds) < 0.4) * decay  # relative, per second
    phase = 3 / radius[:, None] * (t + rise[:, None] * t**2 / 2)
    bubbles = np.sin(2 * np.pi * (phase % 1)).astype(np.float32) * np.exp(
        -decay[:, None] * t
    ).astype(np.float32)
    bubbles *= ((radius / largest) ** rng.uniform(0, 1))[:, None].astype(np.float32)
    at = dsp.poisson(rng, samples, dsp.log_uniform(rng, 200, 4000))
    flow = dsp.curve(np.exp(rng.uniform(0, 0.5) * dsp.wander(rng, samples, 4)), samples)
    x = (
        dsp.normalize(dsp.scatter(samples, at, dsp.log_uniform(rng, 0.1, 1, at.size), bubbles))
        * flow
    )
    # Each large bubble has its own radius.
    at = dsp.poisson(rng, samples, dsp.log_uniform(rng, 5, 60))
    radius = dsp.log_uniform(rng, largest / 4, largest, (at.size, 1))
    big = dsp.modes(3 / radius, 1 / (0.13 / radius + 0.0072 * radius**-1.5), radius / largest, 800)
    x += dsp.amplitude(rng.uniform(0, 12)) * dsp.overlay(samples, at, big)
    low, high, basin = dsp.log_uniform(rng, [200, 3000, 300], [1500, 8000, 3000])
    hiss = dsp.coloured(
        rng, samples, lambda f: dsp.band(f, low, high, 1) * (1 + 2 * dsp.peak(f, basin, 3))
    )
    return x + dsp.amplitude(rng.uniform(-18, 3)) * hiss * flow
