"""Simulated shoebox rooms: image sources by pyroomacoustics, one microphone, several places for sources.

A room of its own for each mixture costs up to 0.2 s a source. Training draws from a pool of rooms instead: each is a function of its
number, and its responses are computed when they are first asked for and kept for the life of the process.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from calibration_data.audio import RATE

EARLY = 0.05  # seconds of a room's response after the direct path that belong to the reference
SOUND_SPEED = 343.0  # m/s
SMALLEST, LARGEST = (3, 3, 2.5), (8, 6, 4)  # m
POOL_SEED = 53
POOL_PLACES = 6  # sources in a room of the pool


@dataclass(frozen=True, eq=False)
class Room:
    """One room.

    Parameters
    ----------
    size : float64 [3], m
    rt60 : seconds until the reverberation has fallen by 60 dB, by Sabine's formula
    ear : float64 [3], where the microphone is, m
    places : float64 [places, 3], where sources are, m
    """

    size: np.ndarray
    rt60: float
    ear: np.ndarray
    places: np.ndarray
    _found: dict = field(default_factory=dict, repr=False)

    def response(self, place: int) -> tuple[np.ndarray, int]:
        """Impulse response from one place to the microphone.

        Parameters
        ----------
        place : index in ``places``

        Returns
        -------
        float32 [taps], 16 kHz, and how many of its first samples are early: up to 50 ms after the direct path
        """
        if place not in self._found:
            self._found[place] = self._simulate(self.places[place])
        return self._found[place]

    def responses(self, order) -> Iterator[tuple[np.ndarray, int]]:
        """`response` of each place of ``order`` in turn, and then from the beginning again."""
        while True:
            for place in order:
                yield self.response(int(place))

    def _simulate(self, place: np.ndarray) -> tuple[np.ndarray, int]:
        import pyroomacoustics as pra

        volume, surface = self.size.prod(), 2 * (self.size[0] * self.size[1] + self.size[1] * self.size[2] + self.size[0] * self.size[2])
        absorption = min(0.99, 24 * math.log(10) / SOUND_SPEED * volume / (surface * self.rt60))  # Sabine
        order = math.ceil(self.rt60 * SOUND_SPEED / self.size.min() / 2)
        room = pra.ShoeBox(self.size, fs=RATE, materials=pra.Material(absorption), max_order=order)
        room.add_microphone(self.ear)
        room.add_source(place)
        room.compute_rir()
        direct = np.linalg.norm(place - self.ear) / SOUND_SPEED * RATE + pra.constants.get("frac_delay_length") // 2
        return np.asarray(room.rir[0][0], np.float32), int(direct + EARLY * RATE)


def draw(random: np.random.Generator, places: int, rt60: tuple[float, float]) -> Room:
    """A random room.

    Parameters
    ----------
    random : what draws it
    places : how many places for sources
    rt60 : the range of the reverberation time, seconds
    """
    size = random.uniform(SMALLEST, LARGEST)
    seconds = random.uniform(*rt60)
    ear = random.uniform(0.2, 0.8, 3) * size
    return Room(size, seconds, ear, np.array([random.uniform([0.1, 0.1, 0.3], [0.9, 0.9, 0.7]) * size for _ in range(places)]))


@functools.cache
def pooled(number: int, rt60: tuple[float, float]) -> Room:
    """The room of that number, 0 or more, of all rooms whose RT60 is in the range; always the same."""
    return draw(np.random.default_rng([POOL_SEED, number]), POOL_PLACES, rt60)
