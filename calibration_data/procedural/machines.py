"""Machines: engines, passing vehicles, fans and compressors, mains hum, tools, trains."""

import numpy as np
from scipy.signal import lfilter

from calibration_data.audio import RATE
from calibration_data.procedural import dsp

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
    x = dsp.periodic(table, dsp.cycles(rpm / 120, samples))
    x *= 1 + 0.15 * dsp.curve(dsp.wander(random, samples, rpm.mean() / 120), samples)  # cycle-to-cycle variation
    high = dsp.between(random, 800, 4000)
    intake = dsp.coloured(random, samples, lambda f: dsp.band(f, 200, high))
    x += dsp.level(random.uniform(-26, -12)) * intake * (0.5 + np.abs(x))
    x *= np.sqrt(rpm / rpm.mean())  # louder when faster
    return dsp.shape(x, exhaust(random))


def engine_speed(random: np.random.Generator, samples: int) -> np.ndarray:
    """Revolutions per minute: idle, steady, swept, or with gear changes; float32 [samples]."""
    mode, count = random.integers(4), max(3, samples * 2 // RATE + 2)  # points, two per second
    base = dsp.between(random, 600, 1100) if mode == 0 else dsp.between(random, 1000, 4500)
    points = np.log(base) + 0.02 * random.standard_normal(count)
    if mode == 2:
        points += np.linspace(0, random.uniform(-0.8, 0.8), count)
    elif mode == 3:  # sawtooth: the speed rises within a gear and drops at the change
        points += 0.5 * ((np.arange(count) / random.uniform(3, 6) + random.random()) % 1 - 0.5)
    return np.exp(dsp.curve(points, samples))


def firing_cycle(random: np.random.Generator, cylinders: int, rpm: float) -> np.ndarray:
    """Wavetable of a cycle, with a pulse per cylinder that varies in time (1 % of the interval) and strength, free of aliases."""
    order = np.arange(1, max(2, int(7500 / (rpm / 120))))  # harmonics of the cycle (half orders of the revolution)
    at = (np.arange(cylinders) + random.normal(0, 0.01, cylinders)) / cylinders
    gain = 1 + random.uniform(0.02, 0.25) * random.standard_normal(cylinders)
    width = dsp.between(random, 0.7, 3) * cylinders  # harmonic at which the pulse's spectrum begins to fall
    pulse = 1 / (1 + 1j * order / width) ** random.uniform(1, 1.7)
    return dsp.wavetable(gain @ np.exp(-2j * np.pi * at[:, None] * order) * pulse)


def exhaust(random: np.random.Generator):
    """Response of a pipe open at its end, two body resonances and the mouth, which radiates highs better than lows."""
    length, reflection = random.uniform(0.4, 3), random.uniform(0.2, 0.7)  # m; part of the pressure
    body, q = dsp.between(random, [80, 300], [300, 2000]), random.uniform(1, 4, 2)
    gain = dsp.level(random.uniform(-6, 8, 2))
    radiation = random.uniform(40, 200)  # Hz

    def response(f):
        turn = np.float32(2 * np.pi * 2 * length / EXHAUST_SPEED) * f  # phase of the way to the mouth and back
        pipe = 1 / (1 + np.float32(reflection) * (np.cos(turn) - np.complex64(1j) * np.sin(turn)))
        return pipe * (0.5 + sum(g * dsp.peak(f, hz, s) for g, hz, s in zip(gain, body, q, strict=True))) * f / (f + np.float32(radiation))

    return response


def pass_by(random: np.random.Generator, samples: int) -> np.ndarray:
    """A vehicle that drives past on a straight road: tyre noise and engine, Doppler shift, level falling with distance.

    Tyre noise has its maximum near 1 kHz (Sandberg, "The multi-coincidence peak around 1000 Hz in tyre/road noise spectra", 2003).
    """
    duration = samples / RATE
    distance = dsp.between(random, 2, 12)  # m, at the nearest
    speed = max(random.uniform(8, 35), 6 * distance / max(duration, 1))  # m/s
    passing = random.uniform(0.3, 0.7) * duration - distance / SOUND_SPEED
    # Time of emission of what is heard at t: the root of t = e + |r(e)| / c.
    t = np.linspace(0, duration, samples // 16 + 2) - passing
    c2, v2 = SOUND_SPEED**2, speed**2
    emitted = (c2 * t - np.sqrt(c2 * v2 * t**2 + (c2 - v2) * distance**2)) / (c2 - v2)
    far = np.sqrt(distance**2 + v2 * emitted**2)
    length = (int((emitted[-1] - emitted[0]) * RATE + 2) // 8000 + 1) * 8000  # a round number, fast to transform
    centre, q = dsp.between(random, 700, 1200), random.uniform(0.6, 1.2)
    tyre = dsp.coloured(random, length, lambda f: dsp.peak(f, centre, q) * dsp.band(f, 50, 3000, 1))
    rpm = dsp.between(random, 1200, 4000)
    motor = dsp.periodic(firing_cycle(random, int(random.choice([2, 4, 6])), rpm), dsp.cycles(rpm / 120, length))
    motor = dsp.unit(dsp.shape(motor, exhaust(random)))
    source = tyre + dsp.level(random.uniform(-12, 8)) * motor
    index = dsp.curve((emitted - emitted[0]) * RATE, samples)
    whole = index.astype(np.int32)
    part = index - whole
    return (source[whole] * (1 - part) + source[whole + 1] * part) * dsp.curve(distance / far, samples)


def fan(random: np.random.Generator, samples: int) -> np.ndarray:
    """Fan, air conditioner or compressor: flow noise, blade-passing tones, magnetic hum at twice the mains frequency."""
    corner, fall = dsp.between(random, 80, 600), random.uniform(0.7, 1.8)  # Hz; exponent above it
    duct, q = dsp.between(random, 100, 4000, 3), random.uniform(2, 10, 3)
    gain = dsp.level(random.uniform(-10, 6, 3))

    def spectrum(f):
        casing = 1 + sum(g * dsp.peak(f, hz, s) for g, hz, s in zip(gain, duct, q, strict=True))
        return casing * (f + 20) * dsp.power(1 + (f / np.float32(corner)) ** 2, -(1 + fall) / 2)

    flow = dsp.coloured(random, samples, spectrum)
    shaft = dsp.between(random, 8, 60)  # revolutions per second
    blades = int(random.integers(3, 12))
    drift = 1 + dsp.between(random, 0.0005, 0.01) * dsp.curve(dsp.wander(random, samples, 2), samples)
    order = np.arange(1, max(2, int(7000 / shaft)))
    tones = np.where(order % blades == 0, 1, random.uniform(0, 0.15)) / (order / blades) ** random.uniform(0.8, 2)
    tones[: blades - 1] *= 0.3  # unbalance below the blade-passing frequency
    phase = dsp.cycles(shaft * drift, samples)
    x = flow + dsp.level(random.uniform(-25, 6)) * dsp.periodic(dsp.harmonics(random, tones), phase)
    if random.random() < 0.4:  # compressor: the flow pulses with the shaft
        x *= 1 + random.uniform(0.2, 0.8) * dsp.periodic(dsp.SINE, phase)
    if random.random() < 0.6:
        magnet = _mains(random, samples, _mains_frequency(random), 2 * np.arange(1, 9), random.uniform(0.5, 2))
        x += dsp.level(random.uniform(-20, 3)) * magnet
    return x * dsp.level(dsp.curve(random.uniform(0.2, 1.2) * dsp.wander(random, samples, 1.5), samples))


def _mains_frequency(random: np.random.Generator) -> float:
    return random.choice([50, 60]) * (1 + 0.001 * random.standard_normal())  # Hz; the grid keeps within some 0.1 %


def _mains(random: np.random.Generator, samples: int, hz: float, orders: np.ndarray, fall: float) -> np.ndarray:
    """Harmonics ``orders`` of the mains frequency, amplitudes falling as the power ``fall``; RMS 1."""
    amplitudes = np.zeros(orders.max())
    amplitudes[orders - 1] = dsp.between(random, 0.3, 3, orders.size) / (orders / orders[0]) ** fall
    return dsp.periodic(dsp.harmonics(random, amplitudes), dsp.cycles(hz, samples))


def hum(random: np.random.Generator, samples: int) -> np.ndarray:
    """Mains hum: odd harmonics of 50 or 60 Hz, rectifier buzz (even harmonics) below them, slow changes of level."""
    hz = _mains_frequency(random)
    x = _mains(random, samples, hz, 2 * np.arange(random.integers(2, 40)) + 1, random.uniform(0.5, 2))
    even = 2 * np.arange(1, random.integers(3, 40))
    x += dsp.level(random.uniform(-30, 0)) * _mains(random, samples, hz, even, random.uniform(0.3, 1.5))
    x *= 1 + random.uniform(0, 0.1) * dsp.curve(dsp.wander(random, samples, 1), samples)
    return x + dsp.level(random.uniform(-40, -20)) * dsp.coloured(random, samples, lambda f: dsp.power(f, -0.5))


def tool(random: np.random.Generator, samples: int) -> np.ndarray:
    """Drill, saw, grinder, vacuum cleaner or mixer: a motor whose speed drops under load, gear whine, cutting noise."""
    count = max(3, samples * 3 // RATE + 2)  # points, three per second
    load = np.clip(random.uniform(-0.3, 0.8) + 0.4 * random.standard_normal(count), 0, 1)
    on = np.ones(count)
    if random.random() < 0.5:
        on[: random.integers(count // 2)] = 0
        on = np.roll(on, random.integers(count))
    on = np.repeat(on.astype(np.float32), -(-samples // count))[:samples]
    a = np.float32(1 / (0.12 * RATE))  # the motor speeds up and runs down with a time constant of 0.12 s
    spin = lfilter(np.array([a]), np.array([1, a - 1], np.float32), on, zi=(1 - a) * on[:1])[0]
    load = dsp.curve(load, samples) * spin
    shaft = dsp.between(random, 60, 400)  # revolutions per second without load
    speed = shaft * (0.1 + 0.9 * spin) * (1 - random.uniform(0.05, 0.3) * load)
    order = np.arange(1, max(2, int(7500 / (1.1 * shaft))))
    tones = dsp.between(random, 0.2, 2, order.size) / order ** random.uniform(0.4, 1.5)
    tones[random.integers(order.size)] *= 3  # mesh of the gear
    phase = dsp.cycles(speed, samples)
    buzz = dsp.periodic(dsp.harmonics(random, tones), phase)
    low, high, ring = dsp.between(random, [200, 2500, 800], [2000, 8000, 5000])  # Hz; of the chips, and of the workpiece
    cut = dsp.coloured(random, samples, lambda f: dsp.band(f, low, high) * (1 + 3 * dsp.peak(f, ring, 4)))
    cut *= (0.3 + load) * (1 + random.uniform(0, 0.9) * dsp.periodic(dsp.SINE, phase))
    return spin**2 * (buzz * (0.6 + 0.6 * load) + dsp.level(random.uniform(-12, 8)) * cut)


def train(random: np.random.Generator, samples: int) -> np.ndarray:
    """Inside a train or metro: rolling rumble, bogies over rail joints, traction whine, squeal in curves."""
    corner, air = dsp.between(random, 80, 400), dsp.level(random.uniform(-55, -30))  # Hz; ventilation and leaks beside the rumble
    x = dsp.coloured(random, samples, lambda f: dsp.band(f, 20, corner, 2) + air * dsp.band(f, 100, 2500, 1))
    x *= dsp.level(dsp.curve(random.uniform(0.5, 2.5) * dsp.wander(random, samples, 2), samples))
    speed = dsp.between(random, 6, 40)  # m/s
    if random.random() < 0.8:
        joint, bogies = random.uniform(10, 25) / speed, random.uniform(10, 18) / speed  # s between joints; between bogies of a car
        first = np.arange(-1, samples / RATE / joint) * joint + random.random() * joint
        at = (np.concatenate([first, first + AXLE_BASE / speed, first + bogies, first + bogies + AXLE_BASE / speed]) * RATE).astype(int)
        gain = dsp.between(random, 0.4, 1.5, at.size)
        thump = dsp.modes(dsp.between(random, 40, 400, 6), dsp.between(random, 0.01, 0.06, 6), random.normal(0, 1, (at.size, 6)), 3200)
        clack = dsp.overlay(samples, at, thump / np.abs(thump).max() * gain[:, None].astype(np.float32))
        clack += 0.3 * dsp.shape(dsp.bursts(random, samples, at, gain, 0.012), lambda f: dsp.band(f, 200, 1800))
        x += dsp.level(random.uniform(8, 24)) * clack
    if random.random() < 0.4:  # inverter and gear whine
        whine = dsp.cycles(dsp.between(random, 200, 1500) * np.exp(dsp.curve(0.02 * dsp.wander(random, samples, 1), samples)), samples)
        x += dsp.level(random.uniform(-25, -5)) * dsp.periodic(dsp.harmonics(random, random.random(3)), whine)
    if random.random() < 0.3:  # wheels squeal: stick-slip on a wheel mode, in episodes
        pitch = dsp.between(random, 700, 3000)
        squeal = dsp.periodic(dsp.harmonics(random, 1 / np.arange(1, 3) ** 2), dsp.cycles(pitch, samples))
        flutter = 0.3 + dsp.coloured(random, samples, lambda f: f < 60) ** 2
        episode = dsp.level(10 * dsp.curve(dsp.wander(random, samples, 1.5), samples) - 12)
        x += np.minimum(episode, 1) * squeal * flutter
    return x
