"""Synthesize machines: engines, passing vehicles, fans, mains hum, tools, trains."""

import numpy as np
from scipy.signal import lfilter

from calibration_data.audio import RATE
from calibration_data.mixing.procedural import dsp

SOUND_SPEED = 343.0  # m/s in air
EXHAUST_SPEED = 500.0  # m/s in hot exhaust gas
AXLE_BASE = 2.5  # m between the two axles of a bogie


def engine(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize a four-stroke engine under load: firing pulses, exhaust pipe, intake noise.

    One cycle of two revolutions is a train of one pulse per cylinder (Baldan et al., "Physically
    informed car engine sound synthesis", SIVE 2015). It is read at the phase of a speed that
    fluctuates, rises or changes with the gears.

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
    cylinders = int(rng.choice([1, 2, 3, 4, 6, 8], p=[0.1, 0.15, 0.1, 0.4, 0.15, 0.1]))
    rpm = engine_speed(rng, samples)
    table = firing_cycle(rng, cylinders, rpm.max())
    x = dsp.periodic(table, dsp.cycles(rpm / 120, samples))
    # Cycles vary in level.
    x *= 1 + 0.15 * dsp.curve(dsp.wander(rng, samples, rpm.mean() / 120), samples)
    high = dsp.log_uniform(rng, 800, 4000)
    intake = dsp.coloured(rng, samples, lambda f: dsp.band(f, 200, high))
    x += dsp.amplitude(rng.uniform(-26, -12)) * intake * (0.5 + np.abs(x))
    x *= np.sqrt(rpm / rpm.mean())  # louder when faster
    return dsp.filtered(x, exhaust(rng))


def engine_speed(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Draw the speed of an engine: idle, steady, swept, or with gear changes.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all random draws.
    samples : int
        Length at 16 kHz.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float32]
        Revolutions per minute.
    """
    mode, count = rng.integers(4), max(3, samples * 2 // RATE + 2)  # two points per second
    base = dsp.log_uniform(rng, 600, 1100) if mode == 0 else dsp.log_uniform(rng, 1000, 4500)
    points = np.log(base) + 0.02 * rng.standard_normal(count)
    if mode == 2:
        points += np.linspace(0, rng.uniform(-0.8, 0.8), count)
    elif mode == 3:  # sawtooth: the speed rises within a gear and drops at the change
        points += 0.5 * ((np.arange(count) / rng.uniform(3, 6) + rng.random()) % 1 - 0.5)
    return np.exp(dsp.curve(points, samples))


def firing_cycle(rng: np.random.Generator, cylinders: int, rpm: float) -> np.ndarray:
    """Draw the wavetable of a cycle, which has one pulse per cylinder and no aliases.

    The pulses vary in time (by 1 % of the interval) and in strength.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all random draws.
    cylinders : int
        Number of cylinders.
    rpm : float
        Highest speed in revolutions per minute.

    Returns
    -------
    np.ndarray [shape=(16384,), dtype=float32]
        See `dsp.wavetable`.
    """
    # Harmonics of the cycle are half orders of the revolution.
    order = np.arange(1, max(2, int(7500 / (rpm / 120))))
    at = (np.arange(cylinders) + rng.normal(0, 0.01, cylinders)) / cylinders
    gain = 1 + rng.uniform(0.02, 0.25) * rng.standard_normal(cylinders)
    # Above this harmonic, the spectrum of the pulse falls.
    width = dsp.log_uniform(rng, 0.7, 3) * cylinders
    pulse = 1 / (1 + 1j * order / width) ** rng.uniform(1, 1.7)
    return dsp.wavetable(gain @ np.exp(-2j * np.pi * at[:, None] * order) * pulse)


def exhaust(rng: np.random.Generator):
    """Draw the frequency response of an exhaust.

    It consists of a pipe with an open end, two resonances of the body, and the mouth, which
    radiates high frequencies better than low ones.

    Parameters
    ----------
    rng : np.random.Generator
        Source of all random draws.

    Returns
    -------
    callable
        Complex response as a function of the frequency in Hz.
    """
    length, reflection = rng.uniform(0.4, 3), rng.uniform(0.2, 0.7)  # m; fraction of the pressure
    body, q = dsp.log_uniform(rng, [80, 300], [300, 2000]), rng.uniform(1, 4, 2)
    gain = dsp.amplitude(rng.uniform(-6, 8, 2))
    radiation = rng.uniform(40, 200)  # Hz

    def response(f):
        # Phase of the path to the mouth and back.
        turn = np.float32(2 * np.pi * 2 * length / EXHAUST_SPEED) * f
        pipe = 1 / (1 + np.float32(reflection) * (np.cos(turn) - np.complex64(1j) * np.sin(turn)))
        return (
            pipe
            * (0.5 + sum(g * dsp.peak(f, hz, s) for g, hz, s in zip(gain, body, q, strict=True)))
            * f
            / (f + np.float32(radiation))
        )

    return response


def pass_by(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize a vehicle that drives past on a straight road, with Doppler shift.

    The sound consists of tyre noise and an engine, and its level falls with the distance. Tyre
    noise has its maximum near 1 kHz (Sandberg, "The multi-coincidence peak around 1000 Hz in
    tyre/road noise spectra", 2003).

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
    duration = samples / RATE
    distance = dsp.log_uniform(rng, 2, 12)  # m, at the closest point
    speed = max(rng.uniform(8, 35), 6 * distance / max(duration, 1))  # m/s
    passing = rng.uniform(0.3, 0.7) * duration - distance / SOUND_SPEED
    # The sound that arrives at t was emitted at e, the root of t = e + |r(e)| / c.
    t = np.linspace(0, duration, samples // 16 + 2) - passing
    c2, v2 = SOUND_SPEED**2, speed**2
    emitted = (c2 * t - np.sqrt(c2 * v2 * t**2 + (c2 - v2) * distance**2)) / (c2 - v2)
    far = np.sqrt(distance**2 + v2 * emitted**2)
    # The FFT is fast for multiples of 8000.
    length = (int((emitted[-1] - emitted[0]) * RATE + 2) // 8000 + 1) * 8000
    centre, q = dsp.log_uniform(rng, 700, 1200), rng.uniform(0.6, 1.2)
    tyre = dsp.coloured(rng, length, lambda f: dsp.peak(f, centre, q) * dsp.band(f, 50, 3000, 1))
    rpm = dsp.log_uniform(rng, 1200, 4000)
    motor = dsp.periodic(
        firing_cycle(rng, int(rng.choice([2, 4, 6])), rpm), dsp.cycles(rpm / 120, length)
    )
    motor = dsp.normalize(dsp.filtered(motor, exhaust(rng)))
    source = tyre + dsp.amplitude(rng.uniform(-12, 8)) * motor
    index = dsp.curve((emitted - emitted[0]) * RATE, samples)
    whole = index.astype(np.int32)
    part = index - whole
    return (source[whole] * (1 - part) + source[whole + 1] * part) * dsp.curve(
        distance / far, samples
    )


def fan(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize a fan, an air conditioner or a compressor.

    The sound consists of flow noise, blade-passing tones, and magnetic hum at twice the mains
    frequency.

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
    corner, fall = (
        dsp.log_uniform(rng, 80, 600),
        rng.uniform(0.7, 1.8),
    )  # corner frequency in Hz; exponent above it
    duct, q = dsp.log_uniform(rng, 100, 4000, 3), rng.uniform(2, 10, 3)
    gain = dsp.amplitude(rng.uniform(-10, 6, 3))

    def spectrum(f):
        casing = 1 + sum(g * dsp.peak(f, hz, s) for g, hz, s in zip(gain, duct, q, strict=True))
        return casing * (f + 20) * dsp.power(1 + (f / np.float32(corner)) ** 2, -(1 + fall) / 2)

    flow = dsp.coloured(rng, samples, spectrum)
    shaft = dsp.log_uniform(rng, 8, 60)  # revolutions per second
    blades = int(rng.integers(3, 12))
    drift = 1 + dsp.log_uniform(rng, 0.0005, 0.01) * dsp.curve(dsp.wander(rng, samples, 2), samples)
    order = np.arange(1, max(2, int(7000 / shaft)))
    tones = np.where(order % blades == 0, 1, rng.uniform(0, 0.15)) / (
        order / blades
    ) ** rng.uniform(0.8, 2)
    tones[: blades - 1] *= 0.3  # unbalance below the blade-passing frequency
    phase = dsp.cycles(shaft * drift, samples)
    x = flow + dsp.amplitude(rng.uniform(-25, 6)) * dsp.periodic(dsp.harmonics(rng, tones), phase)
    if rng.random() < 0.4:  # in a compressor, the flow pulses with the shaft
        x *= 1 + rng.uniform(0.2, 0.8) * dsp.periodic(dsp.SINE, phase)
    if rng.random() < 0.6:
        magnet = _mains(
            rng, samples, _mains_frequency(rng), 2 * np.arange(1, 9), rng.uniform(0.5, 2)
        )
        x += dsp.amplitude(rng.uniform(-20, 3)) * magnet
    return x * dsp.amplitude(
        dsp.curve(rng.uniform(0.2, 1.2) * dsp.wander(rng, samples, 1.5), samples)
    )


def _mains_frequency(rng: np.random.Generator) -> float:
    # The frequency of the grid, in Hz, deviates by about 0.1 %.
    return rng.choice([50, 60]) * (1 + 0.001 * rng.standard_normal())


def _mains(
    rng: np.random.Generator, samples: int, hz: float, orders: np.ndarray, fall: float
) -> np.ndarray:
    """Return harmonics of the mains frequency, with an RMS of 1.

    The amplitudes decrease with the power ``fall`` of the order.
    """
    amplitudes = np.zeros(orders.max())
    amplitudes[orders - 1] = (
        dsp.log_uniform(rng, 0.3, 3, orders.size) / (orders / orders[0]) ** fall
    )
    return dsp.periodic(dsp.harmonics(rng, amplitudes), dsp.cycles(hz, samples))


def hum(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize mains hum.

    It consists of odd harmonics of 50 or 60 Hz, and of weaker even harmonics, which are the buzz of
    a rectifier. The level changes slowly.

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
    hz = _mains_frequency(rng)
    x = _mains(rng, samples, hz, 2 * np.arange(rng.integers(2, 40)) + 1, rng.uniform(0.5, 2))
    even = 2 * np.arange(1, rng.integers(3, 40))
    x += dsp.amplitude(rng.uniform(-30, 0)) * _mains(rng, samples, hz, even, rng.uniform(0.3, 1.5))
    x *= 1 + rng.uniform(0, 0.1) * dsp.curve(dsp.wander(rng, samples, 1), samples)
    return x + dsp.amplitude(rng.uniform(-40, -20)) * dsp.coloured(
        rng, samples, lambda f: dsp.power(f, -0.5)
    )


def tool(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize a drill, saw, grinder, vacuum cleaner or mixer.

    The motor slows down under load. The sound consists of gear whine and cutting noise.

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
    count = max(3, samples * 3 // RATE + 2)  # three points per second
    load = np.clip(rng.uniform(-0.3, 0.8) + 0.4 * rng.standard_normal(count), 0, 1)
    on = np.ones(count)
    if rng.random() < 0.5:
        on[: rng.integers(count // 2)] = 0
        on = np.roll(on, rng.integers(count))
    on = np.repeat(on.astype(np.float32), -(-samples // count))[:samples]
    # The motor starts and stops with a time constant of 0.12 s.
    a = np.float32(1 / (0.12 * RATE))
    spin = lfilter(np.array([a]), np.array([1, a - 1], np.float32), on, zi=(1 - a) * on[:1])[0]
    load = dsp.curve(load, samples) * spin
    shaft = dsp.log_uniform(rng, 60, 400)  # revolutions per second without load
    speed = shaft * (0.1 + 0.9 * spin) * (1 - rng.uniform(0.05, 0.3) * load)
    order = np.arange(1, max(2, int(7500 / (1.1 * shaft))))
    tones = dsp.log_uniform(rng, 0.2, 2, order.size) / order ** rng.uniform(0.4, 1.5)
    tones[rng.integers(order.size)] *= 3  # gear mesh
    phase = dsp.cycles(speed, samples)
    buzz = dsp.periodic(dsp.harmonics(rng, tones), phase)
    # Corner frequencies of the cutting noise and resonance of the workpiece, in Hz.
    low, high, ring = dsp.log_uniform(rng, [200, 2500, 800], [2000, 8000, 5000])
    cut = dsp.coloured(
        rng, samples, lambda f: dsp.band(f, low, high) * (1 + 3 * dsp.peak(f, ring, 4))
    )
    cut *= (0.3 + load) * (1 + rng.uniform(0, 0.9) * dsp.periodic(dsp.SINE, phase))
    return spin**2 * (buzz * (0.6 + 0.6 * load) + dsp.amplitude(rng.uniform(-12, 8)) * cut)


def train(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Synthesize the inside of a train or metro.

    The sound consists of rolling rumble, bogies over rail joints, traction whine, and squeal in
    curves.

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
    # Corner frequency of the rumble in Hz; amplitude of ventilation and leaks.
    corner, air = (dsp.log_uniform(rng, 80, 400), dsp.amplitude(rng.uniform(-55, -30)))
    x = dsp.coloured(
        rng, samples, lambda f: dsp.band(f, 20, corner, 2) + air * dsp.band(f, 100, 2500, 1)
    )
    x *= dsp.amplitude(dsp.curve(rng.uniform(0.5, 2.5) * dsp.wander(rng, samples, 2), samples))
    speed = dsp.log_uniform(rng, 6, 40)  # m/s
    if rng.random() < 0.8:
        # Seconds between joints, and between the bogies of a car.
        joint, bogies = (rng.uniform(10, 25) / speed, rng.uniform(10, 18) / speed)
        first = np.arange(-1, samples / RATE / joint) * joint + rng.random() * joint
        at = (
            np.concatenate(
                [
                    first,
                    first + AXLE_BASE / speed,
                    first + bogies,
                    first + bogies + AXLE_BASE / speed,
                ]
            )
            * RATE
        ).astype(int)
        gain = dsp.log_uniform(rng, 0.4, 1.5, at.size)
        thump = dsp.modes(
            dsp.log_uniform(rng, 40, 400, 6),
            dsp.log_uniform(rng, 0.01, 0.06, 6),
            rng.normal(0, 1, (at.size, 6)),
            3200,
        )
        clack = dsp.overlay(
            samples, at, thump / np.abs(thump).max() * gain[:, None].astype(np.float32)
        )
        clack += 0.3 * dsp.filtered(
            dsp.bursts(rng, samples, at, gain, 0.012), lambda f: dsp.band(f, 200, 1800)
        )
        x += dsp.amplitude(rng.uniform(8, 24)) * clack
    if rng.random() < 0.4:  # inverter and gear whine
        whine = dsp.cycles(
            dsp.log_uniform(rng, 200, 1500)
            * np.exp(dsp.curve(0.02 * dsp.wander(rng, samples, 1), samples)),
            samples,
        )
        x += dsp.amplitude(rng.uniform(-25, -5)) * dsp.periodic(
            dsp.harmonics(rng, rng.random(3)), whine
        )
    if rng.random() < 0.3:  # squeal: stick-slip excites a mode of the wheel, in episodes
        pitch = dsp.log_uniform(rng, 700, 3000)
        squeal = dsp.periodic(
            dsp.harmonics(rng, 1 / np.arange(1, 3) ** 2), dsp.cycles(pitch, samples)
        )
        flutter = 0.3 + dsp.coloured(rng, samples, lambda f: f < 60) ** 2
        episode = dsp.amplitude(10 * dsp.curve(dsp.wander(rng, samples, 1.5), samples) - 12)
        x += np.minimum(episode, 1) * squeal * flutter
    return x
