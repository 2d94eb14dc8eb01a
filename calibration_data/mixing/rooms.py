"""Simulate shoebox rooms by image sources, with one microphone and several positions of sources.

The simulation of a room takes up to 0.2 s per source. Training therefore draws from a pool of
rooms. A room of the pool depends on its number only. Its impulse responses are computed at their
first use, and kept as long as the process runs. The image source method is that of pyroomacoustics.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from calibration_data.audio import RATE

EARLY_SECONDS = 0.05  # reflections up to this time after the direct sound belong to the reference
SOUND_SPEED = 343.0  # m/s
MIN_SIZE, MAX_SIZE = (3, 3, 2.5), (8, 6, 4)  # m
POOL_SEED = 53
POOL_POSITIONS = 6  # positions of sources in a room of the pool


@dataclass(frozen=True, eq=False)
class Room:
    """Hold the geometry and the impulse responses of one room.

    Parameters
    ----------
    size : np.ndarray [shape=(3,), dtype=float64]
        Length, width and height in m.
    rt60 : float
        Time in seconds in which the reverberation falls by 60 dB, by Sabine's formula.
    microphone : np.ndarray [shape=(3,), dtype=float64]
        Position of the microphone in m.
    positions : np.ndarray [shape=(positions, 3), dtype=float64]
        Positions of sources in m.
    """

    size: np.ndarray
    rt60: float
    microphone: np.ndarray
    positions: np.ndarray
    _responses: dict = field(default_factory=dict, repr=False)

    def response(self, position: int) -> tuple[np.ndarray, int]:
        """Return the impulse response from one position to the microphone.

        Parameters
        ----------
        position : int
            Index in ``positions``.

        Returns
        -------
        response : np.ndarray [shape=(taps,), dtype=float32]
            Impulse response at 16 kHz.
        early : int
            Number of its first samples that end 50 ms after the direct sound.
        """
        if position not in self._responses:
            self._responses[position] = self._simulate(self.positions[position])
        return self._responses[position]

    def responses(self, order) -> Iterator[tuple[np.ndarray, int]]:
        """Yield the responses of the positions in the given order, again and again.

        Parameters
        ----------
        order : iterable of int
            Indices in ``positions``. It is read repeatedly.

        Yields
        ------
        tuple of np.ndarray and int
            See `response`.
        """
        while True:
            for position in order:
                yield self.response(int(position))

    def _simulate(self, position: np.ndarray) -> tuple[np.ndarray, int]:
        import pyroomacoustics as pra

        x, y, z = self.size
        volume, surface = self.size.prod(), 2 * (x * y + y * z + x * z)
        # Sabine's formula
        absorption = min(0.99, 24 * math.log(10) / SOUND_SPEED * volume / (surface * self.rt60))
        order = math.ceil(self.rt60 * SOUND_SPEED / self.size.min() / 2)
        room = pra.ShoeBox(self.size, fs=RATE, materials=pra.Material(absorption), max_order=order)
        room.add_microphone(self.microphone)
        room.add_source(position)
        room.compute_rir()
        direct = (
            np.linalg.norm(position - self.microphone) / SOUND_SPEED * RATE
            + pra.constants.get("frac_delay_length") // 2
        )
        return np.asarray(room.rir[0][0], np.float32), int(direct + EARLY_SECONDS * RATE)


def draw(rng: np.random.Generator, positions: int, rt60: tuple[float, float]) -> Room:
    """Draw a room.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the draws.
    positions : int
        Number of positions of sources.
    rt60 : tuple of float
        Range of the reverberation time in seconds.

    Returns
    -------
    Room
    """
    size = rng.uniform(MIN_SIZE, MAX_SIZE)
    seconds = rng.uniform(*rt60)
    microphone = rng.uniform(0.2, 0.8, 3) * size
    return Room(
        size,
        seconds,
        microphone,
        np.array([rng.uniform([0.1, 0.1, 0.3], [0.9, 0.9, 0.7]) * size for _ in range(positions)]),
    )


@functools.cache
def pooled(number: int, rt60: tuple[float, float]) -> Room:
    """Return a room of the pool; it depends on the arguments only.

    Parameters
    ----------
    number : int
        Number of the room, 0 or more.
    rt60 : tuple of float
        Range of the reverberation times of the pool, in seconds.

    Returns
    -------
    Room
    """
    return draw(np.random.default_rng([POOL_SEED, number]), POOL_POSITIONS, rt60)
