"""Things that are hit, pressed or rubbed: keys, buttons, shoes, dishes, hands, paper and cloth, the microphone itself."""

import numpy as np

from calibration_data.audio import RATE
from calibration_data.procedural import dsp

FLOORS = {  # modes in Hz (low, high), time constants of their decay in s (low, high), corners of the contact noise in Hz, its part
    "wood": ((70, 500), (0.015, 0.05), (150, 2500), 0.4),
    "stone": ((150, 1500), (0.003, 0.012), (400, 6000), 0.8),
    "carpet": ((50, 200), (0.01, 0.03), (60, 600), 0.4),
    "metal stairs": ((200, 3000), (0.03, 0.12), (500, 5000), 0.3),
    "gravel": ((80, 300), (0.005, 0.02), (800, 6000), 3.0),
}
BAR = np.array([1, 2.757, 5.404, 8.933, 13.34])  # mode ratios of a free bar (cutlery)
SHELL = np.array([1, 1.52, 2.43, 3.41, 4.6, 6.2])  # typical ones of plates and bowls


def _clicks(random: np.random.Generator, samples: int, at: np.ndarray, gain: np.ndarray, hz: tuple, seconds: tuple) -> np.ndarray:
    """Clicks, each with modes of its own around those of the device, and contact noise."""
    body = dsp.between(random, *hz, 8)
    body = body * np.exp(random.normal(0, 0.06, (at.size, 8)))
    ring = dsp.modes(body, dsp.between(random, *seconds, 8), random.normal(0, 1, body.shape), 960)
    ring *= (gain[:, None] / np.abs(ring).max(1, keepdims=True)).astype(np.float32)
    noise = dsp.bursts(random, samples, at, gain, dsp.between(random, 0.0005, 0.003))
    low = dsp.between(random, 300, 2000)
    return dsp.overlay(samples, at, ring) + random.uniform(0.2, 0.8) * dsp.shape(noise, lambda f: dsp.band(f, low, 7000))


def keyboard(random: np.random.Generator, samples: int) -> np.ndarray:
    """Typing at 3 to 10 keys a second, with pauses; a key sounds when it bottoms out and, weaker, 60 to 130 ms later at its release."""
    press = dsp.rhythm(random, samples, random.uniform(3, 10), random.uniform(0.2, 0.6))
    if press.size > 6:
        press = np.delete(press, random.integers(press.size, size=random.integers(press.size // 3)))  # pauses for thought
    gain = dsp.between(random, 0.4, 1.5, press.size)
    touch = press - (random.uniform(0.004, 0.015, press.size) * RATE).astype(int)  # the finger meets the key
    release = press + (random.uniform(0.06, 0.13, press.size) * RATE).astype(int)
    at = np.concatenate([press, touch, release])
    gain = np.concatenate([gain, random.uniform(0, 0.4) * gain, random.uniform(0.2, 0.7) * gain])
    return _clicks(random, samples, at, gain, (250, 5500), (0.001, dsp.between(random, 0.003, 0.012)))


def mouse(random: np.random.Generator, samples: int) -> np.ndarray:
    """Mouse: clicks and double clicks, at times the wheel, and friction when it is moved."""
    press = dsp.rhythm(random, samples, random.uniform(0.7, 3), 0.6)
    double = press[random.random(press.size) < 0.3] + int(random.uniform(0.12, 0.25) * RATE)
    press = np.concatenate([press, double])
    release = press + (random.uniform(0.05, 0.11, press.size) * RATE).astype(int)
    wheel = dsp.rhythm(random, samples, 18, 0.15)[: random.integers(25)] if random.random() < 0.4 else press[:0]
    at = np.concatenate([press, release, wheel])
    gain = dsp.between(random, 0.6, 1.3, at.size) * np.repeat([1, random.uniform(0.4, 1), 0.25], [press.size, release.size, wheel.size])
    x = _clicks(random, samples, at, gain, (1500, 7000), (0.0005, 0.003))
    move = np.exp(np.minimum(dsp.curve(1.5 * dsp.wander(random, samples, 3) - 1, samples), 0))
    return dsp.unit(x) + dsp.level(random.uniform(-30, -12)) * move * dsp.coloured(random, samples, lambda f: dsp.band(f, 300, 3000))


def footsteps(random: np.random.Generator, samples: int) -> np.ndarray:
    """Steps on a floor: heel, then toe 60 to 160 ms later and weaker; every other foot alike. Gravel gives many small contacts."""
    hz, seconds, (low, high), contact = FLOORS[list(FLOORS)[random.integers(len(FLOORS))]]
    heel = dsp.rhythm(random, samples, random.uniform(1.4, 3), 0.05)
    foot = 1 + random.uniform(-0.2, 0.2) * (-1) ** np.arange(heel.size)
    at = np.concatenate([heel, heel + int(random.uniform(0.06, 0.16) * RATE)])
    gain = np.concatenate([foot, foot * random.uniform(0.2, 0.8)]) * dsp.between(random, 0.7, 1.3, at.size)
    floor = dsp.between(random, *hz, 7) * np.exp(random.normal(0, 0.04, (at.size, 7)))
    thump = dsp.modes(floor, dsp.between(random, *seconds, 7), random.normal(0, 1, (at.size, 7)), 4800)
    thump *= (gain[:, None] / np.abs(thump).max(1, keepdims=True)).astype(np.float32)
    if contact > 1:
        grains = (np.repeat(at, 60) + random.gamma(2, 0.03, 60 * at.size) * RATE).astype(int)
        noise = dsp.bursts(random, samples, grains, random.exponential(0.3, grains.size) ** 2, 0.002)
    else:
        noise = dsp.bursts(random, samples, at, gain, dsp.between(random, 0.003, 0.015))
    return dsp.overlay(samples, at, thump) + contact * dsp.shape(noise, lambda f: dsp.band(f, low, high))


def dishes(random: np.random.Generator, samples: int) -> np.ndarray:
    """Cutlery and crockery: inharmonic modes of a handful of objects, struck in clusters, at times scraped."""
    at = dsp.poisson(random, samples, dsp.between(random, 1.5, 8))
    at = np.concatenate([at, at[random.random(at.size) < 0.5] + int(dsp.between(random, 0.03, 0.15) * RATE)])  # bounces
    kind = random.integers(5, size=at.size)  # which of five objects
    ratios = np.where(random.random(5)[:, None] < 0.5, np.append(BAR, 18.6), SHELL)
    hz = dsp.between(random, 500, 3500, (5, 1)) * ratios * np.exp(random.normal(0, 0.03, (5, 6)))
    seconds = dsp.between(random, 0.02, 0.2, (5, 1)) / ratios ** random.uniform(0.3, 0.9)
    strike = random.normal(0, 1, (at.size, 6))  # where it is hit decides which modes sound
    ring = dsp.modes(hz[kind], seconds[kind], strike, 9600)
    ring *= (dsp.between(random, 0.1, 1, at.size) / np.abs(ring).max(1))[:, None].astype(np.float32)
    noise = dsp.bursts(random, samples, at, np.abs(strike[:, 0]), 0.001)
    x = dsp.overlay(samples, at, ring) + 0.2 * dsp.shape(noise, lambda f: dsp.band(f, 1500, 7500))
    if random.random() < 0.4:
        scrape = dsp.coloured(random, samples, lambda f: sum(dsp.peak(f, c, 12) for c in hz[0, :3]) + 0.05 * dsp.band(f, 1000, 7000))
        x = (
            dsp.unit(x)
            + dsp.level(random.uniform(-20, -6)) * scrape * np.maximum(dsp.curve(dsp.wander(random, samples, 5), samples), 0) ** 2
        )
    return x


def applause(random: np.random.Generator, samples: int) -> np.ndarray:
    """Few to many clapping people; a clap is a burst of noise around a resonance of the hands' cavity.

    After Peltola et al., "Synthesis of hand clapping sounds", IEEE TASLP 2007.
    """
    people, kinds, length = int(dsp.between(random, 3, 300)), 10, 640
    centre, q = dsp.between(random, 500, 2500, (kinds, 1)), random.uniform(1.5, 4, (kinds, 1))
    size = 2 * length
    f = np.fft.rfftfreq(size, 1 / RATE).astype(np.float32)
    resonance = 1 / np.sqrt(1 + (q * (f / centre - centre / (f + 1))) ** 2)
    burst = random.standard_normal((kinds, size)) * np.exp(-np.arange(size) / (dsp.between(random, 0.002, 0.008, (kinds, 1)) * RATE))
    claps = np.fft.irfft(np.fft.rfft(burst) * resonance)[:, :length].astype(np.float32)
    claps /= np.linalg.norm(claps, axis=1, keepdims=True)
    if people < 40:
        at = np.concatenate([dsp.rhythm(random, samples, random.uniform(2.5, 5), 0.06) for _ in range(people)])
        gain = np.ones(at.size)
    else:  # so many that they are a Poisson process
        at = dsp.poisson(random, samples, 4.0 * people)
        gain = dsp.between(random, 0.3, 1.5, at.size)
    x = dsp.scatter(samples, at, gain * dsp.between(random, 0.5, 1.5, at.size), claps)
    return x * dsp.level(dsp.curve(2 * dsp.wander(random, samples, 1), samples))


def rustle(random: np.random.Generator, samples: int) -> np.ndarray:
    """Paper, plastic or cloth: crackles of heavy-tailed strength, dense while the hand moves."""
    paper = random.random()  # 0 soft cloth, 1 crisp paper or plastic
    move = np.maximum(np.exp(1.2 * dsp.curve(dsp.wander(random, samples, random.uniform(2, 6)), samples)) - 0.3, 0.003)
    at = dsp.poisson(random, samples, dsp.between(random, 60, 1500))
    gain = move[at] * np.exp(random.normal(0, 0.4 + 1.2 * paper, at.size))
    x = dsp.unit(dsp.bursts(random, samples, at, gain, dsp.between(random, 0.0003, 0.004)))
    x += 0.5 * (1 - paper) * move * random.standard_normal(samples, dtype=np.float32)
    low, high = (300 + 1500 * paper) * random.uniform(0.6, 1.6), (2500 + 4500 * paper) * random.uniform(0.7, 1.2)
    return dsp.shape(x, lambda f: dsp.band(f, low, high))


def handling(random: np.random.Generator, samples: int) -> np.ndarray:
    """The microphone or its cable is touched: thumps of 25 to 250 Hz, scratching, at times overload."""
    at = dsp.poisson(random, samples, dsp.between(random, 0.8, 6))
    hz, seconds = dsp.between(random, 25, 250, (at.size, 4)), dsp.between(random, 0.01, 0.07, (at.size, 4))
    thump = dsp.modes(hz, seconds, random.normal(0, 1, hz.shape), 4800)
    thump *= (dsp.between(random, 0.2, 1.5, at.size) / np.abs(thump).max(1))[:, None].astype(np.float32)
    x = dsp.unit(dsp.overlay(samples, at, thump))
    rub = dsp.decaying(samples, at, dsp.between(random, 0.2, 1, at.size), dsp.between(random, 0.03, 0.2))
    low, high = dsp.between(random, 40, 300), dsp.between(random, 500, 3000)
    scratch = dsp.unit(rub * dsp.coloured(random, samples, lambda f: dsp.band(f, low, high)))
    x += dsp.level(random.uniform(-25, -3)) * scratch
    limit = np.float32(random.uniform(2, 8) if random.random() < 0.3 else 100)
    return np.clip(x, -limit, limit)
