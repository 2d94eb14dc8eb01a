"""Synthesize impacts and friction: keys, shoes, dishes, hands, paper, a touched microphone."""

import numpy as np

from calibration_data.audio import RATE
from calibration_data.mixing.procedural import dsp

# Range of the modes in Hz, range of their time constants of decay in s, corner frequencies of the
# contact noise in Hz, relative level of the contact noise.
FLOORS = {
    "wood": ((70, 500), (0.015, 0.05), (150, 2500), 0.4),
    "stone": ((150, 1500), (0.003, 0.012), (400, 6000), 0.8),
    "carpet": ((50, 200), (0.01, 0.03), (60, 600), 0.4),
    "metal stairs": ((200, 3000), (0.03, 0.12), (500, 5000), 0.3),
    "gravel": ((80, 300), (0.005, 0.02), (800, 6000), 3.0),
}
BAR = np.array([1, 2.757, 5.404, 8.933, 13.34])  # mode ratios of a free bar (cutlery)
SHELL = np.array([1, 1.52, 2.43, 3.41, 4.6, 6.2])  # typical mode ratios of plates and bowls


def _clicks(
    rng: np.random.Generator,
    samples: int,
    at: np.ndarray,
    gain: np.ndarray,
    hz: tuple,
    seconds: tuple,
) -> np.ndarray:
    """Return clicks with contact noise.

    The modes of each click vary around those of the device.
    """
    body = dsp.log_uniform(rng, *hz, 8)
    body = body * np.exp(rng.normal(0, 0.06, (at.size, 8)))
    ring = dsp.modes(body, dsp.log_uniform(rng, *seconds, 8), rng.normal(0, 1, body.shape), 960)
    ring *= (gain[:, None] / np.abs(ring).max(1, keepdims=True)).astype(np.float32)
    noise = dsp.bursts(rng, samples, at, gain, dsp.log_uniform(rng, 0.0005, 0.003))
    low = dsp.log_uniform(rng, 300, 2000)
    return dsp.overlay(samples, at, ring) + rng.uniform(0.2, 0.8) * dsp.filtered(
        noise, lambda f: dsp.band(f, low, 7000)
    )


def keyboard(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize typing at 3 to 10 keys per second, with pauses.

    A key makes a sound when the finger touches it, when it reaches the bottom, and, more softly,
    when it is released 60 to 130 ms later.

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
    press = dsp.rhythm(rng, samples, rng.uniform(3, 10), rng.uniform(0.2, 0.6))
    if press.size > 6:
        # Missing keys make the pauses.
        press = np.delete(press, rng.integers(press.size, size=rng.integers(press.size // 3)))
    gain = dsp.log_uniform(rng, 0.4, 1.5, press.size)
    # The finger touches the key before the key reaches the bottom.
    touch = press - (rng.uniform(0.004, 0.015, press.size) * RATE).astype(int)
    release = press + (rng.uniform(0.06, 0.13, press.size) * RATE).astype(int)
    at = np.concatenate([press, touch, release])
    gain = np.concatenate([gain, rng.uniform(0, 0.4) * gain, rng.uniform(0.2, 0.7) * gain])
    return _clicks(rng, samples, at, gain, (250, 5500), (0.001, dsp.log_uniform(rng, 0.003, 0.012)))


def mouse(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize a computer mouse.

    The sound consists of clicks, double clicks, sometimes the wheel, and friction of movement.

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
    press = dsp.rhythm(rng, samples, rng.uniform(0.7, 3), 0.6)
    double = press[rng.random(press.size) < 0.3] + int(rng.uniform(0.12, 0.25) * RATE)
    press = np.concatenate([press, double])
    release = press + (rng.uniform(0.05, 0.11, press.size) * RATE).astype(int)
    wheel = (
        dsp.rhythm(rng, samples, 18, 0.15)[: rng.integers(25)] if rng.random() < 0.4 else press[:0]
    )
    at = np.concatenate([press, release, wheel])
    gain = dsp.log_uniform(rng, 0.6, 1.3, at.size) * np.repeat(
        [1, rng.uniform(0.4, 1), 0.25], [press.size, release.size, wheel.size]
    )
    x = _clicks(rng, samples, at, gain, (1500, 7000), (0.0005, 0.003))
    move = np.exp(np.minimum(dsp.curve(1.5 * dsp.wander(rng, samples, 3) - 1, samples), 0))
    return dsp.normalize(x) + dsp.amplitude(rng.uniform(-30, -12)) * move * dsp.coloured(
        rng, samples, lambda f: dsp.band(f, 300, 3000)
    )


def footsteps(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize footsteps on one of `FLOORS`.

    Each step is a heel, and after 60 to 160 ms a softer toe. The two feet differ in level. Gravel
    adds many small contacts.

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
    hz, seconds, (low, high), contact = FLOORS[list(FLOORS)[rng.integers(len(FLOORS))]]
    heel = dsp.rhythm(rng, samples, rng.uniform(1.4, 3), 0.05)
    foot = 1 + rng.uniform(-0.2, 0.2) * (-1) ** np.arange(heel.size)
    at = np.concatenate([heel, heel + int(rng.uniform(0.06, 0.16) * RATE)])
    gain = np.concatenate([foot, foot * rng.uniform(0.2, 0.8)]) * dsp.log_uniform(
        rng, 0.7, 1.3, at.size
    )
    floor = dsp.log_uniform(rng, *hz, 7) * np.exp(rng.normal(0, 0.04, (at.size, 7)))
    thump = dsp.modes(
        floor, dsp.log_uniform(rng, *seconds, 7), rng.normal(0, 1, (at.size, 7)), 4800
    )
    thump *= (gain[:, None] / np.abs(thump).max(1, keepdims=True)).astype(np.float32)
    if contact > 1:
        grains = (np.repeat(at, 60) + rng.gamma(2, 0.03, 60 * at.size) * RATE).astype(int)
        noise = dsp.bursts(rng, samples, grains, rng.exponential(0.3, grains.size) ** 2, 0.002)
    else:
        noise = dsp.bursts(rng, samples, at, gain, dsp.log_uniform(rng, 0.003, 0.015))
    return dsp.overlay(samples, at, thump) + contact * dsp.filtered(
        noise, lambda f: dsp.band(f, low, high)
    )


def dishes(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize cutlery and crockery.

    Five objects with inharmonic modes are struck in clusters, and sometimes scraped.

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
    at = dsp.poisson(rng, samples, dsp.log_uniform(rng, 1.5, 8))
    # Half of the strikes have a second one: a bounce.
    at = np.concatenate(
        [at, at[rng.random(at.size) < 0.5] + int(dsp.log_uniform(rng, 0.03, 0.15) * RATE)]
    )
    kind = rng.integers(5, size=at.size)  # index of one of five objects
    ratios = np.where(rng.random(5)[:, None] < 0.5, np.append(BAR, 18.6), SHELL)
    hz = dsp.log_uniform(rng, 500, 3500, (5, 1)) * ratios * np.exp(rng.normal(0, 0.03, (5, 6)))
    seconds = dsp.log_uniform(rng, 0.02, 0.2, (5, 1)) / ratios ** rng.uniform(0.3, 0.9)
    strike = rng.normal(
        0, 1, (at.size, 6)
    )  # amplitudes of the modes depend on the point of contact
    ring = dsp.modes(hz[kind], seconds[kind], strike, 9600)
    ring *= (dsp.log_uniform(rng, 0.1, 1, at.size) / np.abs(ring).max(1))[:, None].astype(
        np.float32
    )
    noise = dsp.bursts(rng, samples, at, np.abs(strike[:, 0]), 0.001)
    x = dsp.overlay(samples, at, ring) + 0.2 * dsp.filtered(
        noise, lambda f: dsp.band(f, 1500, 7500)
    )
    if rng.random() < 0.4:
        scrape = dsp.coloured(
            rng,
            samples,
            lambda f: sum(dsp.peak(f, c, 12) for c in hz[0, :3]) + 0.05 * dsp.band(f, 1000, 7000),
        )
        x = (
            dsp.normalize(x)
            + dsp.amplitude(rng.uniform(-20, -6))
            * scrape
            * np.maximum(dsp.curve(dsp.wander(rng, samples, 5), samples), 0) ** 2
        )
    return x


def applause(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize the applause of 3 to 300 people.

    A clap is a burst of noise around a resonance of the cavity of the hands (Peltola et al.,
    "Synthesis of hand clapping sounds", IEEE TASLP 2007).

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
    people, kinds, length = int(dsp.log_uniform(rng, 3, 300)), 10, 640
    centre, q = dsp.log_uniform(rng, 500, 2500, (kinds, 1)), rng.uniform(1.5, 4, (kinds, 1))
    size = 2 * length
    f = np.fft.rfftfreq(size, 1 / RATE).astype(np.float32)
    resonance = 1 / np.sqrt(1 + (q * (f / centre - centre / (f + 1))) ** 2)
    burst = rng.standard_normal((kinds, size)) * np.exp(
        -np.arange(size) / (dsp.log_uniform(rng, 0.002, 0.008, (kinds, 1)) * RATE)
    )
    claps = np.fft.irfft(np.fft.rfft(burst) * resonance)[:, :length].astype(np.float32)
    claps /= np.linalg.norm(claps, axis=1, keepdims=True)
    if people < 40:
        at = np.concatenate(
            [dsp.rhythm(rng, samples, rng.uniform(2.5, 5), 0.06) for _ in range(people)]
        )
        gain = np.ones(at.size)
    else:  # many people approach a Poisson process
        at = dsp.poisson(rng, samples, 4.0 * people)
        gain = dsp.log_uniform(rng, 0.3, 1.5, at.size)
    x = dsp.scatter(samples, at, gain * dsp.log_uniform(rng, 0.5, 1.5, at.size), claps)
    return x * dsp.amplitude(dsp.curve(2 * dsp.wander(rng, samples, 1), samples))


def rustle(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize paper, plastic or cloth.

    The crackles have a heavy-tailed distribution of strength, and are stronger while the hand
    moves.

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
    paper = rng.random()  # 0: soft cloth, 1: crisp paper or plastic
    move = np.maximum(
        np.exp(1.2 * dsp.curve(dsp.wander(rng, samples, rng.uniform(2, 6)), samples)) - 0.3, 0.003
    )
    at = dsp.poisson(rng, samples, dsp.log_uniform(rng, 60, 1500))
    gain = move[at] * np.exp(rng.normal(0, 0.4 + 1.2 * paper, at.size))
    x = dsp.normalize(dsp.bursts(rng, samples, at, gain, dsp.log_uniform(rng, 0.0003, 0.004)))
    x += 0.5 * (1 - paper) * move * rng.standard_normal(samples, dtype=np.float32)
    low, high = (
        (300 + 1500 * paper) * rng.uniform(0.6, 1.6),
        (2500 + 4500 * paper) * rng.uniform(0.7, 1.2),
    )
    return dsp.filtered(x, lambda f: dsp.band(f, low, high))


def handling(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize the handling of the microphone or its cable.

    Thumps of 25 to 250 Hz and scratching; sometimes the microphone is overloaded.

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
    at = dsp.poisson(rng, samples, dsp.log_uniform(rng, 0.8, 6))
    hz, seconds = (
        dsp.log_uniform(rng, 25, 250, (at.size, 4)),
        dsp.log_uniform(rng, 0.01, 0.07, (at.size, 4)),
    )
    thump = dsp.modes(hz, seconds, rng.normal(0, 1, hz.shape), 4800)
    thump *= (dsp.log_uniform(rng, 0.2, 1.5, at.size) / np.abs(thump).max(1))[:, None].astype(
        np.float32
    )
    x = dsp.normalize(dsp.overlay(samples, at, thump))
    rub = dsp.decaying(
        samples, at, dsp.log_uniform(rng, 0.2, 1, at.size), dsp.log_uniform(rng, 0.03, 0.2)
    )
    low, high = dsp.log_uniform(rng, 40, 300), dsp.log_uniform(rng, 500, 3000)
    scratch = dsp.normalize(rub * dsp.coloured(rng, samples, lambda f: dsp.band(f, low, high)))
    x += dsp.amplitude(rng.uniform(-25, -3)) * scratch
    limit = np.float32(rng.uniform(2, 8) if rng.random() < 0.3 else 100)
    return np.clip(x, -limit, limit)
