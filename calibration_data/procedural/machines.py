"""Machines: engines, passing vehicles, fans and compressors, mains hum, tools, trains."""

import numpy as np

from calibration_data.audio import RATE
from calibration_data.procedural.blocks import (
    SINE,
    band,
    between,
    bursts,
    coloured,
    curve,
    cycles,
    decaying,
    level,
    modes,
    overlay,
    peak,
    periodic,
    power,
    random_phases,
    shape,
    unit,
    wander,
    wavetable,
)

SOUND_SPEED = 343.0  # m/s in air
EXHAUST_SPEED = 500.0  # m/s in hot exhaust gas
AXLE_BASE = 2.5  # m between the two axles of a bogie


def engine(random: np.random.Generator, samples: int) -> np.ndarray:
    """Four-stroke engine under load: firing pulses, exhaust pipe, intake noise.

    One cycle of two revolutions is a train of a pulse per cylinder (Baldan et al., "Physically informed car engine sound synthesis",
    SIVE 2015), read at the phase of a speed that wanders, rises or changes gear.
    """
    cylinders = int(random.choice([1, 2, 3, 4, 6, 8], p=[0.1, 0.15, 0.1, 0.4, 0.15, 0.1]))
    rpm = engine_speed(random, samples)
    table = firing_cycle(random, cylinders, rpm.max())
    x = periodic(table, cycles(rpm / 120, samples))
    x *= 1 + 0.15 * curve(wander(random, samples, rpm.mean() / 120), samples)  # cycle-to-cycle variation
    intake = coloured(random, samples, lambda f: band(f, 200, between(random, 800, 4000)))
    x += level(random.uniform(-24, -8)) * intake * (0.5 + np.abs(x))
    x *= np.sqrt(rpm / rpm.mean())  # louder when faster
    return shape(x, exhaust(random))


def engine_speed(random: np.random.Generator, samples: int) -> np.ndarray:
    """Revolutions per minute: idle, steady, swept, or with gear changes; float32 [samples]."""
    mode, count = random.integers(4), max(3, samples * 2 // RATE + 2)  # points, two per second
    base = between(random, 600, 1100) if mode == 0 else between(random, 1000, 4500)
    points = np.log(base) + 0.02 * random.standard_normal(count)
    if mode == 2:
        points += np.linspace(0, random.uniform(-0.8, 0.8), count)
    elif mode == 3:  # sawtooth: the speed rises within a gear and drops at the change
        points += 0.5 * ((np.arange(count) / random.uniform(3, 6) + random.random()) % 1 - 0.5)
    return np.exp(curve(points, samples))


def firing_cycle(random: np.random.Generator, cylinders: int, rpm: float) -> np.ndarray:
    """Wavetable of a cycle, with a pulse per cylinder that varies in time (1 % of the interval) and strength, free of aliases."""
    order = np.arange(1, max(2, int(7500 / (rpm / 120))))  # harmonics of the cycle (half orders of the revolution)
    at = (np.arange(cylinders) + random.normal(0, 0.01, cylinders)) / cylinders
    gain = 1 + random.uniform(0.02, 0.25) * random.standard_normal(cylinders)
    width = between(random, 0.7, 3) * cylinders  # harmonic at which the pulse's spectrum begins to fall
    pulse = 1 / (1 + 1j * order / width) ** random.uniform(1, 1.7)
    return wavetable(gain @ np.exp(-2j * np.pi * at[:, None] * order) * pulse)


def exhaust(random: np.random.Generator):
    """Response of a pipe open at its end, two body resonances and the mouth, which radiates highs better than lows."""
    length, reflection = random.uniform(0.4, 3), random.uniform(0.2, 0.7)  # m; part of the pressure
    body, q = between(random, [80, 300], [300, 2000]), random.uniform(1, 4, 2)
    gain = level(random.uniform(-6, 8, 2))
    radiation = random.uniform(40, 200)  # Hz

    def response(f):
        pipe = 1 / (1 + np.float32(reflection) * np.exp(np.complex64(-2j * np.pi * 2 * length / EXHAUST_SPEED) * f))
        return pipe * (0.5 + sum(g * peak(f, hz, s) for g, hz, s in zip(gain, body, q, strict=True))) * f / (f + np.float32(radiation))

    return response


def pass_by(random: np.random.Generator, samples: int) -> np.ndarray:
    """A vehicle that drives past on a straight road: tyre noise and engine, Doppler shift, level falling with distance.

    Tyre noise has its maximum near 1 kHz (Sandberg, "The multi-coincidence peak around 1000 Hz in tyre/road noise spectra", 2003).
    """
    duration = samples / RATE
    distance = between(random, 2, 12)  # m, at the nearest
    speed = max(random.uniform(8, 35), 6 * distance / max(duration, 1))  # m/s
    passing = random.uniform(0.3, 0.7) * duration - distance / SOUND_SPEED
    # Time of emission of what is heard at t: the root of t = e + |r(e)| / c.
    t = np.arange(samples) / RATE - passing
    c2, v2 = SOUND_SPEED**2, speed**2
    emitted = (c2 * t - np.sqrt(c2 * v2 * t**2 + (c2 - v2) * distance**2)) / (c2 - v2)
    far = np.sqrt(distance**2 + v2 * emitted**2)
    length = int((emitted[-1] - emitted[0]) * RATE) + 3
    tyre = coloured(random, length, lambda f: peak(f, between(random, 700, 1200), random.uniform(0.6, 1.2)) * band(f, 50, 3000, 1))
    rpm = between(random, 1200, 4000)
    motor = periodic(firing_cycle(random, int(random.choice([2, 4, 6])), rpm), cycles(rpm / 120, length))
    motor = unit(shape(motor, exhaust(random)))
    source = tyre + level(random.uniform(-12, 8)) * motor
    index = (emitted - emitted[0]) * RATE
    whole = index.astype(np.int64)
    part = (index - whole).astype(np.float32)
    return (source[whole] * (1 - part) + source[whole + 1] * part) * (distance / far).astype(np.float32)


def fan(random: np.random.Generator, samples: int) -> np.ndarray:
    """Fan, air conditioner or compressor: flow noise, blade-passing tones, magnetic hum at twice the mains frequency."""
    corner, fall = between(random, 80, 800), random.uniform(0.5, 1.5)  # Hz; exponent above it
    duct, q = between(random, 100, 4000, 3), random.uniform(2, 10, 3)
    gain = level(random.uniform(-10, 6, 3))
    flow = coloured(
        random,
        samples,
        lambda f: (
            (f + 20) / np.float32(corner) * power(1 + (f / np.float32(corner)) ** 2, -(1 + fall) / 2)
            * (1 + sum(g * peak(f, hz, s) for g, hz, s in zip(gain, duct, q, strict=True)))
        ),
    )  # fmt: skip
    shaft = between(random, 8, 60)  # revolutions per second
    blades = int(random.integers(3, 12))
    drift = 1 + between(random, 0.0005, 0.01) * curve(wander(random, samples, 2), samples)
    order = np.arange(1, max(2, int(7000 / shaft)))
    tones = np.where(order % blades == 0, 1, random.uniform(0, 0.15)) / (order / blades) ** random.uniform(0.8, 2)
    tones[: blades - 1] *= 0.3  # unbalance below the blade-passing frequency
    phase = cycles(shaft * drift, samples)
    x = flow + level(random.uniform(-25, 6)) * periodic(wavetable(tones * random_phases(random, order.size)), phase)
    if random.random() < 0.4:  # compressor: the flow pulses with the shaft
        x *= 1 + random.uniform(0.2, 0.8) * periodic(SINE, phase)
    if random.random() < 0.6:
        x += level(random.uniform(-20, 3)) * _mains(random, samples, 2 * np.arange(1, 9), random.uniform(0.5, 2))
    return x * level(curve(random.uniform(0.2, 1.2) * wander(random, samples, 1.5), samples))


def _mains(random: np.random.Generator, samples: int, orders: np.ndarray, fall: float) -> np.ndarray:
    """Harmonics ``orders`` of 50 or 60 Hz, levels falling as the power ``fall``; RMS 1."""
    amplitudes = np.zeros(orders.max())
    amplitudes[orders - 1] = between(random, 0.3, 3, orders.size) / (orders / orders[0]) ** fall
    mains = random.choice([50, 60]) * (1 + 0.001 * random.standard_normal())  # Hz; the grid keeps within some 0.1 %
    return periodic(wavetable(amplitudes * random_phases(random, orders.max())), cycles(mains, samples))


def hum(random: np.random.Generator, samples: int) -> np.ndarray:
    """Mains hum: odd harmonics of 50 or 60 Hz, rectifier buzz (even harmonics) below them, slow changes of level."""
    x = _mains(random, samples, 2 * np.arange(random.integers(2, 40)) + 1, random.uniform(0.5, 2))
    x += level(random.uniform(-30, 0)) * _mains(random, samples, 2 * np.arange(1, random.integers(3, 40)), random.uniform(0.3, 1.5))
    x *= 1 + random.uniform(0, 0.1) * curve(wander(random, samples, 1), samples)
    return x + level(random.uniform(-40, -15)) * coloured(random, samples, lambda f: power(f, -0.5))


def tool(random: np.random.Generator, samples: int) -> np.ndarray:
    """Drill, saw, grinder, vacuum cleaner or mixer: a motor whose speed drops under load, gear whine, cutting noise."""
    count = max(3, samples * 3 // RATE + 2)  # points, three per second
    load = np.clip(random.uniform(-0.3, 0.8) + 0.4 * random.standard_normal(count), 0, 1)
    on = np.ones(count)
    if random.random() < 0.5:
        on[: random.integers(count // 2)] = 0
        on = np.roll(on, random.integers(count))
    spin = decaying(samples, np.arange(0, samples, 160), np.repeat(on, -(-samples // 160 // count) + 1)[: -(-samples // 160)], 0.12)
    spin /= np.float32(0.12 * RATE / 160)  # the motor speeds up and runs down with a time constant of 0.12 s
    load = curve(load, samples) * spin
    shaft = between(random, 60, 400)  # revolutions per second without load
    speed = shaft * (0.1 + 0.9 * spin) * (1 - random.uniform(0.05, 0.3) * load)
    order = np.arange(1, max(2, int(7500 / (1.1 * shaft))))
    tones = between(random, 0.2, 2, order.size) / order ** random.uniform(0.4, 1.5)
    tones[random.integers(order.size)] *= 3  # mesh of the gear
    phase = cycles(speed, samples)
    buzz = periodic(wavetable(tones * random_phases(random, order.size)), phase)
    low, high = between(random, 200, 2000), between(random, 2500, 8000)
    cut = coloured(random, samples, lambda f: band(f, low, high) * (1 + 3 * peak(f, between(random, 800, 5000), 4)))
    cut *= (0.3 + load) * (1 + random.uniform(0, 0.9) * periodic(SINE, phase))
    return spin**2 * (buzz * (0.6 + 0.6 * load) + level(random.uniform(-12, 8)) * cut)


def train(random: np.random.Generator, samples: int) -> np.ndarray:
    """Inside a train or metro: rolling rumble, bogies over rail joints, traction whine, squeal in curves."""
    corner, air = between(random, 60, 300), level(random.uniform(-40, -20))  # Hz; ventilation and leaks beside the rumble
    x = coloured(random, samples, lambda f: band(f, 20, corner, 2) + air * band(f, 100, 2500, 1))
    x *= level(curve(random.uniform(0.5, 2.5) * wander(random, samples, 2), samples))
    speed = between(random, 6, 40)  # m/s
    if random.random() < 0.7:
        joint, bogies = random.uniform(10, 25) / speed, random.uniform(10, 18) / speed  # s between joints; between bogies of a car
        first = np.arange(-1, samples / RATE / joint) * joint + random.random() * joint
        at = (np.concatenate([first, first + AXLE_BASE / speed, first + bogies, first + bogies + AXLE_BASE / speed]) * RATE).astype(int)
        gain = between(random, 0.4, 1.5, at.size)
        thump = modes(between(random, 40, 400, 6), between(random, 0.01, 0.06, 6), random.normal(0, 1, (at.size, 6)), 3200)
        clack = overlay(samples, at, thump / np.abs(thump).max() * gain[:, None].astype(np.float32))
        clack += 0.3 * shape(bursts(random, samples, at, gain, 0.012), lambda f: band(f, 200, 1800))
        x += level(random.uniform(8, 20)) * clack
    if random.random() < 0.4:  # inverter and gear whine
        whine = cycles(between(random, 200, 1500) * np.exp(curve(0.02 * wander(random, samples, 1), samples)), samples)
        x += level(random.uniform(-25, -5)) * periodic(wavetable(random.random(3) * random_phases(random, 3)), whine)
    if random.random() < 0.3:  # wheels squeal: stick-slip on a wheel mode, in episodes
        pitch = between(random, 700, 3000)
        squeal = periodic(wavetable(1 / np.arange(1, 3) ** 2 * random_phases(random, 2)), cycles(pitch, samples))
        flutter = 0.3 + coloured(random, samples, lambda f: f < 60) ** 2
        episode = level(10 * curve(wander(random, samples, 1.5), samples) - 12)
        x += np.minimum(episode, 1) * squeal * flutter
    return x
