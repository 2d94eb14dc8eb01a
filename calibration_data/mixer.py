"""The seeded mixer: mixtures on the fly from one split of a corpus.

A mixture is a function of (corpus, spec, seed, index) and nothing else: no state, no clock, no order of calls.
"""

import functools
import math
from dataclasses import dataclass, field

import numpy as np

from calibration_data import synthetic
from calibration_data.audio import RATE
from calibration_data.corpus import Corpus, Group
from groupcomm.errors import UserError

SPEECH_GAP = (0.05, 0.2)  # seconds between two clips of a speaker, and before the first
NOISE_GAP = (0.0, 0.3)
FADE = 80  # samples (5 ms) at both ends of a clip, so that a cut does not click
BABBLE = (6, 10)  # voices
PEAK = 0.99  # no sample of a mixture is larger
LONGEST = 3600  # seconds of a mixture
SILENT = 1e-4  # a source with a smaller RMS (-80 dBFS) is drawn again
TRIES = 20
EARLY = 0.05  # seconds of a room's response after the direct path that belong to the reference
SOUND_SPEED = 343.0  # m/s


@dataclass(frozen=True)
class MixtureSpec:
    """What mixtures are like. A pair (low, high) is drawn uniformly; levels are RMS.

    Parameters
    ----------
    task : "enhance": one speaker in noise; "separate": two speakers, and noise at times
    seconds : length of a mixture
    snr_db : speech (all speakers) over noise, dB
    level_db : level of the first speaker, dBFS; the whole mixture is turned down where it would clip
    relative_db : how far the second speaker is below the first, dB
    overlap : part of the mixture in which both speak; each speaks for (1 + overlap) / 2 of it, one from the start and one to the end
    noise_probability : that there is noise at all
    second_noise_probability : that the noise is of two categories, one 0-10 dB below the other
    babble_probability : that the noise is 6-10 other speakers of the corpus at once, where it has so many
    speed : factor of speed and pitch of each speaker; (1, 1) leaves them as they are
    noise_speed : that of each recorded noise
    synthetic_probability : that the noise is one that nobody recorded, or, as often, that one is with it (`calibration_data.synthetic`)
    eq_probability : that a speaker or noise is coloured by a mild random filter
    room_probability : that the speakers are in a simulated room, RT60 0.1-0.5 s
    """

    task: str
    seconds: float = 4.0
    snr_db: tuple[float, float] = (-5.0, 15.0)
    level_db: tuple[float, float] = (-35.0, -15.0)
    relative_db: tuple[float, float] = (0.0, 5.0)
    overlap: tuple[float, float] = (0.0, 1.0)
    noise_probability: float = 1.0
    second_noise_probability: float = 0.0
    babble_probability: float = 0.0
    speed: tuple[float, float] = (1.0, 1.0)
    noise_speed: tuple[float, float] = (1.0, 1.0)
    synthetic_probability: float = 0.0
    eq_probability: float = 0.0
    room_probability: float = 0.0

    def __post_init__(self):
        if self.task not in ("enhance", "separate"):
            raise UserError(f"task {self.task!r}: there is no such task; use enhance or separate")
        if not 2 * FADE / RATE <= self.seconds <= LONGEST:
            raise UserError(f"mixtures of {self.seconds} s: use {2 * FADE / RATE} to {LONGEST} s")

    @property
    def samples(self) -> int:
        """Length of a mixture in samples."""
        return int(self.seconds * RATE)

    @property
    def sources(self) -> int:
        """Speakers in a mixture."""
        return 2 if self.task == "separate" else 1


_AUGMENTED = {"level_db": (-45.0, -15.0), "second_noise_probability": 0.25}

ENHANCE = MixtureSpec("enhance", babble_probability=0.1, speed=(0.85, 1.15), noise_speed=(0.85, 1.15), eq_probability=0.5, **_AUGMENTED)
SEPARATE = MixtureSpec("separate", snr_db=(10.0, 20.0), noise_probability=0.8, **_AUGMENTED)  # voices as they are: docs/experiments.md
VARIED = {"noise_speed": (0.5, 2.0), "second_noise_probability": 0.5, "synthetic_probability": 0.3}  # noises as no recording has them
ENHANCE_EVAL = MixtureSpec("enhance", snr_db=(-5.0, 10.0))
SEPARATE_EVAL = MixtureSpec("separate", snr_db=(10.0, 20.0), noise_probability=0.8)


@dataclass(frozen=True)
class Mixture:
    """One mixture; ``mixture == sources.sum(0) + noise``, sample for sample.

    Attributes
    ----------
    mixture : float32 [samples], 16 kHz, at most 0.99 in size
    sources : float32 [sources, samples]: the references. In a room, what of each speaker arrives within 50 ms of the direct path
    noise : float32 [samples]: the rest, in a room also the late reverberation
    meta : ``speakers``, ``sexes`` (theirs, sorted: "F", "M" or "FM"; "?" where it is not known), ``categories``, ``level_db`` (of the first
        speaker, after turning down), ``snr_db`` (None without noise; in a room, references over noise without reverberation),
        ``relative_db`` and ``overlap`` (None for one speaker), ``rt60`` (seconds, None without a room)
    """

    mixture: np.ndarray
    sources: np.ndarray
    noise: np.ndarray
    meta: dict = field(compare=False)


def mix(corpus: Corpus, spec: MixtureSpec, *, seed: int, index: int) -> Mixture:
    """Make one mixture.

    Parameters
    ----------
    corpus : one split
    spec : what it is like
    seed, index : 0 or more; mixture ``index`` of the run ``seed``

    Raises
    ------
    UserError
        When the split has too few speakers or no noise for the task, or a speaker or category has nothing but silence.
    """
    random = np.random.default_rng(np.random.SeedSequence([int(seed), int(index)]))
    if len(corpus.speakers) < spec.sources:
        raise UserError(
            f"corpus {corpus.name!r}, {corpus.split}: {len(corpus.speakers)} speaker(s), the task {spec.task} needs {spec.sources}; "
            "build it from more speakers"
        )
    if spec.noise_probability and not corpus.categories:
        raise UserError(f"corpus {corpus.name!r}, {corpus.split}: has no noise; build it again with `groupcomm data --noise DIR`")
    chosen = _speakers(random, corpus, spec.sources, ())
    meta = {
        "speakers": [speaker.name for speaker in chosen],
        "sexes": "".join(sorted(speaker.clips[0].sex or "?" for speaker in chosen)),
        "categories": [],
        "level_db": random.uniform(*spec.level_db),
        "snr_db": None,
        "relative_db": None,
        "overlap": None,
        "rt60": None,
    }
    sources = np.zeros((spec.sources, spec.samples), np.float32)
    active = spec.samples
    if spec.sources == 2:
        meta["relative_db"] = random.uniform(*spec.relative_db)
        meta["overlap"] = random.uniform(*spec.overlap)
        active = max(2 * FADE, round(spec.samples * (1 + meta["overlap"]) / 2))
    first = random.integers(spec.sources)  # who begins
    for i, speaker in enumerate(chosen):
        begin = 0 if i == first else spec.samples - active
        level = meta["level_db"] - (meta["relative_db"] if i else 0)
        sources[i, begin : begin + active] = _sound(random, corpus.speech, speaker, active, SPEECH_GAP, spec.speed, spec) * _ratio(level)

    rest = np.zeros(spec.samples, np.float32)
    if random.random() < spec.room_probability:
        sources, rest, meta["rt60"] = _room(random, sources)
    if random.random() < spec.noise_probability:
        noise, meta["categories"] = _noise(random, corpus, chosen, spec)
        meta["snr_db"] = random.uniform(*spec.snr_db)
        rest += noise * (_rms(sources.sum(0)) / _ratio(meta["snr_db"]))
    peak = float(np.abs(sources.sum(0) + rest).max())
    if peak > PEAK:
        sources *= PEAK / peak
        rest *= PEAK / peak
        meta["level_db"] += 20 * math.log10(PEAK / peak)
    return Mixture(sources.sum(0) + rest, sources, rest, meta)


def batch(corpus: Corpus, spec: MixtureSpec, *, seed: int, indices) -> tuple[np.ndarray, np.ndarray]:
    """Make the mixtures of several indices.

    Returns
    -------
    mixtures : float32 [indices, samples]
    sources : float32 [indices, sources, samples]

    Raises
    ------
    UserError
        As `mix`.
    """
    made = [mix(corpus, spec, seed=seed, index=index) for index in indices]
    return np.stack([m.mixture for m in made]), np.stack([m.sources for m in made])


def _ratio(db: float) -> np.float32:
    return np.float32(10 ** (db / 20))


def _rms(x: np.ndarray) -> np.float32:
    return np.sqrt(np.dot(x, x) / np.float32(x.size))


def _draw(random: np.random.Generator, odds: np.ndarray) -> int:
    """An index by cumulative odds."""
    return int(np.searchsorted(odds, random.random(), side="right"))


def _speakers(random: np.random.Generator, corpus: Corpus, count: int, without: tuple[Group, ...]) -> tuple[Group, ...]:
    """Draw different speakers, none of ``without``."""
    drawn = list(without)
    while len(drawn) < count + len(without):
        speaker = corpus.speakers[_draw(random, corpus.speaker_odds)]
        if speaker not in drawn:
            drawn.append(speaker)
    return tuple(drawn[len(without) :])


def _noise(random: np.random.Generator, corpus: Corpus, chosen: tuple[Group, ...], spec: MixtureSpec) -> tuple[np.ndarray, list[str]]:
    """float32 [samples] of RMS 1, and its categories."""
    noise, categories = _recorded_noise(random, corpus, chosen, spec)
    # Nothing is drawn where there are none: mixtures of recipes without them stay what they were.
    if not spec.synthetic_probability or random.random() >= spec.synthetic_probability:
        return noise, categories
    made = synthetic.noise(random, spec.samples)
    if random.random() < 0.5:
        return made, ["synthetic"]
    return _beside(random, noise, made), [*categories, "synthetic"]


def _recorded_noise(
    random: np.random.Generator, corpus: Corpus, chosen: tuple[Group, ...], spec: MixtureSpec
) -> tuple[np.ndarray, list[str]]:
    """float32 [samples] of RMS 1, and its categories."""
    voices = int(random.integers(BABBLE[0], BABBLE[1] + 1))
    if random.random() < spec.babble_probability and len(corpus.speakers) >= voices + len(chosen):
        others = _speakers(random, corpus, voices, chosen)
        noise = sum(_sound(random, corpus.speech, other, spec.samples, SPEECH_GAP, spec.speed, spec) for other in others)
        return noise / _rms(noise), ["babble"]
    category = corpus.categories[_draw(random, corpus.category_odds)]
    noise = _sound(random, corpus.noise, category, spec.samples, NOISE_GAP, spec.noise_speed, spec)
    if random.random() >= spec.second_noise_probability:
        return noise, [category.name]
    second = corpus.categories[_draw(random, corpus.category_odds)]
    beside = _sound(random, corpus.noise, second, spec.samples, NOISE_GAP, spec.noise_speed, spec)
    return _beside(random, noise, beside), [category.name, second.name]


def _beside(random: np.random.Generator, noise: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Both, of RMS 1, the second 0 to 10 dB below the first; float32 [samples] of RMS 1."""
    both = noise + second * _ratio(random.uniform(-10, 0))
    return both / _rms(both)


def _sound(random, sound: np.ndarray, group: Group, samples: int, gap: tuple, speeds: tuple, spec: MixtureSpec) -> np.ndarray:
    """float32 [samples] of RMS 1 of one speaker or category: clips with gaps between them, changed as ``spec`` says."""
    for _ in range(TRIES):
        speed = random.uniform(*speeds)
        x = _fill(random, sound, group, math.ceil(samples * speed) + 1, gap)
        if speed != 1:
            import soxr

            x = soxr.resample(x, RATE * speed, RATE, quality="MQ")  # 0.2 ms more than QQ, without its images above 4 kHz
            x = np.pad(x, (0, max(0, samples - x.size)))
        x = x[:samples]
        if random.random() < spec.eq_probability:
            x = _colour(random, x)
        rms = _rms(x)
        if rms >= SILENT:
            return x / rms
    raise UserError(f"{group.name} ({group.clips[0].package}): only silence in {TRIES} draws; take it out and build the corpus again")


def _fill(random, sound: np.ndarray, group: Group, samples: int, gap: tuple[float, float]) -> np.ndarray:
    """float32 [samples] in -1..1."""
    sound = np.asarray(sound)  # a plain view: slicing a memmap is slow
    out = np.zeros(samples, np.float32)
    low, high = int(gap[0] * RATE), int(gap[1] * RATE)
    at = int(random.integers(low, high))
    while at < samples:
        clip = group.clips[_draw(random, group.odds)]
        size = min(clip.samples, samples - at)
        start = clip.offset + int(random.integers(clip.samples - size + 1))
        piece = out[at : at + size]
        piece[:] = sound[start : start + size]
        fade = min(FADE, size // 2)
        if fade:
            ramp = _ramp(fade)
            piece[:fade] *= ramp
            piece[-fade:] *= ramp[::-1]
        at += size + int(random.integers(low, high))
    out *= np.float32(1 / 32768)
    return out


@functools.cache
def _ramp(samples: int) -> np.ndarray:
    return np.linspace(0, 1, samples, endpoint=False, dtype=np.float32)


def _colour(random: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """A random filter of second order, zeros and poles near enough to 0 to stay mild and stable (Valin, arXiv 1709.08243)."""
    from scipy.signal import lfilter

    b, a = (np.concatenate([[1], random.uniform(-3 / 8, 3 / 8, 2)]).astype(np.float32) for _ in range(2))
    return lfilter(b, a, x)


def _room(random: np.random.Generator, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Put the sources at different places of one random shoebox room.

    Returns
    -------
    references float32 [sources, samples], late reverberation of all float32 [samples], RT60 in seconds
    """
    import pyroomacoustics as pra
    from scipy.signal import oaconvolve

    size = random.uniform([3, 3, 2.5], [8, 6, 4])  # m
    rt60 = random.uniform(0.1, 0.5)
    volume, surface = size.prod(), 2 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    absorption = min(0.99, 24 * math.log(10) / SOUND_SPEED * volume / (surface * rt60))  # Sabine
    order = math.ceil(rt60 * SOUND_SPEED / size.min() / 2)
    room = pra.ShoeBox(size, fs=RATE, materials=pra.Material(absorption), max_order=order)
    ear = random.uniform(0.2, 0.8, 3) * size
    room.add_microphone(ear)
    places = []
    for _ in sources:
        place = random.uniform([0.1, 0.1, 0.3], [0.9, 0.9, 0.7]) * size
        places.append(place)
        room.add_source(place)
    room.compute_rir()
    references, late = np.zeros_like(sources), np.zeros(sources.shape[1], np.float32)
    for i, place in enumerate(places):
        response = np.asarray(room.rir[0][i], np.float32)
        direct = np.linalg.norm(place - ear) / SOUND_SPEED * RATE + pra.constants.get("frac_delay_length") // 2
        early = int(direct + EARLY * RATE)
        gain = _rms(sources[i])
        wet = oaconvolve(sources[i], response[:early])[: sources.shape[1]]
        gain /= max(_rms(wet), np.float32(1e-9))  # the level is that of the reference, not of the distance
        references[i] = wet * gain
        if response.size > early:
            late += np.pad(oaconvolve(sources[i], response[early:]), (early, 0))[: sources.shape[1]] * gain
    return references, late, rt60
