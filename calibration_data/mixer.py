"""The seeded mixer: mixtures on the fly from one split of a corpus.

A mixture is a function of (corpus, spec, seed, index) and nothing else: no state, no clock, no order of calls. Specs that differ in the
probability of a room (with its noises in it), a microphone's colour, an offset, hum or clipping make the same speech and noise of an index:
their mixtures can be compared one by one.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from calibration_data import microphone, rooms, synthetic
from calibration_data.audio import RATE
from calibration_data.corpus import Corpus, Group
from groupcomm.errors import UserError

SPEECH_GAP = (0.05, 0.2)  # seconds between two clips of a speaker, and before the first
NOISE_GAP = (0.0, 0.3)
FADE = 80  # samples (5 ms) at both ends of a clip, so that a cut does not click
BABBLE_PLACES = 4  # of a room, that the talkers of babble share
NOISES = 5  # places for noises in a room
PEAK = 0.99  # no sample of a mixture is larger
# What may be added to a mixture; each draws from a generator of its own, so that speech and noise do not depend on what else there is.
EXTRAS = ("clean", "mic", "room", "babble_room", "dc", "hum", "clip")
LONGEST = 3600  # seconds of a mixture
SILENT = 1e-4  # a source with a smaller RMS (-80 dBFS) is drawn again
TRIES = 20


@dataclass(frozen=True)
class MixtureSpec:
    """What mixtures are like. A pair (low, high) is drawn uniformly; levels are RMS.

    Parameters
    ----------
    task : "enhance": one speaker in noise; "separate": two speakers, and noise at times
    seconds : length of a mixture
    snr_db : speech (all speakers) over noise, dB
    level_db : level of the first speaker's reference, dBFS; the whole mixture is turned down where it would clip
    relative_db : how far the second speaker is below the first, dB
    overlap : part of the mixture in which both speak; each speaks for (1 + overlap) / 2 of it, one from the start and one to the end
    noise_probability : that there is noise at all
    second_noise_probability : that the noise is of two categories, one 0-10 dB below the other
    third_noise_probability : that a noise of two categories is of three; the third is 0-10 dB below the two
    babble_probability : that the noise is other speakers of the corpus at once, where it has so many
    babble : how many speakers that is, both ends included
    babble_room_probability : that babble is in a room of its own, where the mixture is in none
    balanced : noise categories are drawn by `Corpus.balanced_odds`, not by `Corpus.category_odds`
    speed : factor of speed and pitch of each speaker; (1, 1) leaves them as they are
    noise_speed : that of each recorded noise
    synthetic_probability : that the noise is one that nobody recorded, or, as often, that one is with it (`calibration_data.synthetic`)
    procedural_probability : the same of noises that are computed from a model of what makes them (`calibration_data.procedural`)
    eq_probability : that a speaker or noise is coloured by a mild random filter
    room_probability : that the speakers are in a simulated room
    rt60 : the room's reverberation time, seconds
    noise_in_room : in a room, each noise is at a place of its own in it, with its whole response
    room_pool : 0: every room is another one; else so many rooms that all mixtures draw from (`calibration_data.rooms`), 20 times as fast
    mic_probability : that a gentle equalizer colours everything, the references too (`microphone.colour`)
    dc_probability : that the mixture has an offset of up to 0.1 of full scale
    hum_probability : that the mixture has hum of the mains, -60 to -25 dBFS (`microphone.random_hum`)
    clip_probability : that the mixture, not the references, is clipped at a level that leaves 0.1 to 2 % of its samples clipped
    clean_probability : that there is nothing but the speakers: no noise, room, offset, hum or clipping, so that the mixture is the sum of
        the references
    """

    task: str
    seconds: float = 4.0
    snr_db: tuple[float, float] = (-5.0, 15.0)
    level_db: tuple[float, float] = (-35.0, -15.0)
    relative_db: tuple[float, float] = (0.0, 5.0)
    overlap: tuple[float, float] = (0.0, 1.0)
    noise_probability: float = 1.0
    second_noise_probability: float = 0.0
    third_noise_probability: float = 0.0
    babble_probability: float = 0.0
    babble: tuple[int, int] = (6, 10)
    babble_room_probability: float = 0.0
    balanced: bool = False
    speed: tuple[float, float] = (1.0, 1.0)
    noise_speed: tuple[float, float] = (1.0, 1.0)
    synthetic_probability: float = 0.0
    procedural_probability: float = 0.0
    eq_probability: float = 0.0
    room_probability: float = 0.0
    rt60: tuple[float, float] = (0.1, 0.5)
    noise_in_room: bool = False
    room_pool: int = 0
    mic_probability: float = 0.0
    dc_probability: float = 0.0
    hum_probability: float = 0.0
    clip_probability: float = 0.0
    clean_probability: float = 0.0

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
SEPARATE = MixtureSpec("separate", snr_db=(10.0, 20.0), noise_probability=0.8, **_AUGMENTED)  # voices as they are: docs/lab-notebook.md
VARIED = {"noise_speed": (0.5, 2.0), "second_noise_probability": 0.5, "synthetic_probability": 0.3}  # noises as no recording has them
WIDE = {  # what ears meet, for `ENHANCE`
    "snr_db": (-10.0, 30.0),
    "level_db": (-50.0, -10.0),
    "second_noise_probability": 0.4,
    "third_noise_probability": 0.25,
    "babble": (6, 30),
    "babble_room_probability": 0.5,
    "balanced": True,
    "noise_speed": (0.7, 1.4),
    "procedural_probability": 0.3,
    "room_probability": 0.3,
    "rt60": (0.1, 0.8),
    "noise_in_room": True,
    "room_pool": 300,
    "mic_probability": 0.3,
    "dc_probability": 0.1,
    "hum_probability": 0.1,
    "clip_probability": 0.03,
    "clean_probability": 0.05,
}
WIDE_SEPARATE = WIDE | {"snr_db": (10.0, 30.0), "room_probability": 0.2}  # the same for `SEPARATE`
_ROOMS = {"rt60": (0.1, 0.8), "noise_in_room": True}
_EVAL = {"level_db": (-45.0, -15.0), "second_noise_probability": 0.25, "balanced": True, "dc_probability": 0.1, "hum_probability": 0.1}
ENHANCE_EVAL = MixtureSpec("enhance", snr_db=(-5.0, 25.0), babble_probability=0.1, room_probability=1 / 3, **_ROOMS, **_EVAL)
SEPARATE_EVAL = MixtureSpec("separate", snr_db=(10.0, 30.0), noise_probability=0.8, room_probability=0.2, **_ROOMS, **_EVAL)
ENHANCE_EVAL_2026_11 = MixtureSpec("enhance", snr_db=(-5.0, 10.0))  # those of the split "test-2026-11"
SEPARATE_EVAL_2026_11 = MixtureSpec("separate", snr_db=(10.0, 20.0), noise_probability=0.8)


@dataclass(frozen=True)
class Mixture:
    """One mixture; ``mixture == sources.sum(0) + noise``, sample for sample.

    Attributes
    ----------
    mixture : float32 [samples], 16 kHz, at most 0.99 in size
    sources : float32 [sources, samples]: the references. In a room, what of each speaker arrives within 50 ms of the direct path
    noise : float32 [samples]: the rest: noise, late reverberation of the speakers, offset, hum, and what clipping changed
    meta : ``speakers``; ``sexes`` (theirs, sorted: "F", "M" or "FM"; "?" where it is not known); ``categories`` of noise; ``level_db`` (of
        the first speaker's reference, after turning down); ``snr_db`` (references over noise alone, at the microphone, without late
        reverberation, offset, hum and clipping; None without noise); ``relative_db`` and ``overlap`` (None for one speaker). None where
        there is none: ``rt60`` of the room in seconds, ``mic`` (what coloured everything, see `microphone.Colour.notes`), ``dc`` (offset,
        of full scale), ``hum`` (its level, dBFS) and ``hum_hz``, ``clipped`` (part of the samples)
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
    _check(corpus, spec)
    chosen = _speakers(random, corpus, spec.sources, ())
    meta = {
        "speakers": [speaker.name for speaker in chosen],
        "sexes": "".join(sorted(speaker.clips[0].sex or "?" for speaker in chosen)),
        "categories": [],
        "level_db": random.uniform(*spec.level_db),
        **dict.fromkeys(("snr_db", "relative_db", "overlap", "rt60", "mic", "dc", "hum", "hum_hz", "clipped")),
    }
    own = functools.partial(_own, int(seed), int(index))
    if own(spec, "clean"):
        spec = _clean(spec)
    ear = _Ear()
    if mic := own(spec, "mic"):
        ear = _Ear(microphone.colour(mic))
        meta["mic"] = ear.colour.notes()
    sources = _speech(random, corpus, chosen, spec, ear, meta)
    rest = np.zeros(spec.samples, np.float32)
    if random.random() < spec.room_probability:
        apart = spec.room_pool or spec.noise_in_room  # without both, the room is from the mixture's generator, as it always was
        room, responses = _room(_generator(int(seed), int(index), "room") if apart else random, spec)
        meta["rt60"] = room.rt60
        sources, rest = _early_and_late(sources, responses)
        if spec.noise_in_room:
            ear = replace(ear, responses=responses)
    elif hall := own(spec, "babble_room"):
        ear = replace(ear, hall=_room(hall, spec)[1])
    if random.random() < spec.noise_probability:
        noise, meta["categories"] = _noise(random, corpus, chosen, spec, ear)
        meta["snr_db"] = random.uniform(*spec.snr_db)
        rest += noise * (_rms(sources.sum(0)) / _ratio(meta["snr_db"]))
    if dc := own(spec, "dc"):
        meta["dc"] = dc.uniform(-microphone.DC, microphone.DC)
        rest += np.float32(meta["dc"])
    if hum := own(spec, "hum"):
        meta["hum"] = hum.uniform(*microphone.HUM_DB)
        sound, meta["hum_hz"] = microphone.random_hum(hum, spec.samples)
        rest += sound * _ratio(meta["hum"])
    _turn_down(sources, rest, meta)
    if clip := own(spec, "clip"):
        meta["clipped"] = clip.uniform(*microphone.CLIPPED)
        rest = microphone.clip(sources.sum(0) + rest, meta["clipped"]) - sources.sum(0)
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


@dataclass(frozen=True)
class _Ear:
    """What noises pass on their way into the mixture.

    Parameters
    ----------
    colour : of the microphone
    responses : of the room, one for each noise in turn, each with how many of its samples are early; None: no room
    hall : those of a room for babble alone
    """

    colour: microphone.Colour | None = None
    responses: Iterator[tuple[np.ndarray, int]] | None = None
    hall: Iterator[tuple[np.ndarray, int]] | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """A sound [shape=(samples,), float32] at the microphone; of RMS 1 if it changes."""
        if self.responses is None:
            return self.coloured(x)
        from scipy.signal import oaconvolve

        x = self.coloured(x)
        return _unit(oaconvolve(x, next(self.responses)[0])[: x.size])

    def coloured(self, x: np.ndarray) -> np.ndarray:
        """A sound [shape=(samples,), float32] coloured by the microphone; of RMS 1 if it changes."""
        return x if self.colour is None else _unit(self.colour(x))


def _check(corpus: Corpus, spec: MixtureSpec) -> None:
    """Raise a `UserError` when the split has not what the mixtures need."""
    if len(corpus.speakers) < spec.sources:
        raise UserError(
            f"corpus {corpus.name!r}, {corpus.split}: {len(corpus.speakers)} speaker(s), the task {spec.task} needs {spec.sources}; "
            "build it from more speakers"
        )
    if spec.noise_probability and not corpus.categories:
        raise UserError(f"corpus {corpus.name!r}, {corpus.split}: has no noise; build it again with `groupcomm data --noise DIR`")


@functools.cache
def _clean(spec: MixtureSpec) -> MixtureSpec:
    """The same without anything but speech."""
    off = ("noise", "room", "dc", "hum", "clip")
    return replace(spec, **{f"{what}_probability": 0.0 for what in off})


def _generator(seed: int, index: int, extra: str) -> np.random.Generator:
    """The generator of one of `EXTRAS` of one mixture."""
    return np.random.default_rng(np.random.SeedSequence([seed, index], spawn_key=(EXTRAS.index(extra),)))


def _own(seed: int, index: int, spec: MixtureSpec, extra: str) -> np.random.Generator | None:
    """The generator of one of `EXTRAS` if the mixture has it, else None."""
    probability = getattr(spec, f"{extra}_probability")
    if not probability:
        return None
    random = _generator(seed, index, extra)
    return random if random.random() < probability else None


def _happens(random: np.random.Generator, probability: float) -> bool:
    """Whether a noise of that probability is there. Nothing is drawn where it cannot be, so that mixtures of old specs stay the same."""
    return probability > 0 and random.random() < probability


def _speech(random: np.random.Generator, corpus: Corpus, chosen: tuple[Group, ...], spec: MixtureSpec, ear: _Ear, meta: dict) -> np.ndarray:
    """float32 [sources, samples]: the speakers at their levels, without a room; writes ``relative_db`` and ``overlap`` into ``meta``."""
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
        sound = _sound(random, corpus.speech, speaker, active, SPEECH_GAP, spec.speed, spec)
        sources[i, begin : begin + active] = ear.coloured(sound) * _ratio(level)
    return sources


def _turn_down(sources: np.ndarray, rest: np.ndarray, meta: dict) -> None:
    """Turn everything down, in place, where the mixture is louder than `PEAK`."""
    peak = float(np.abs(sources.sum(0) + rest).max())
    if peak <= PEAK:
        return
    sources *= PEAK / peak
    rest *= PEAK / peak
    meta["level_db"] += 20 * math.log10(PEAK / peak)
    if meta["dc"] is not None:
        meta["dc"] *= PEAK / peak
    if meta["hum"] is not None:
        meta["hum"] += 20 * math.log10(PEAK / peak)


def _ratio(db: float) -> np.float32:
    return np.float32(10 ** (db / 20))


def _rms(x: np.ndarray) -> np.float32:
    return np.sqrt(np.dot(x, x) / np.float32(x.size))


def _unit(x: np.ndarray) -> np.ndarray:
    """The same sound at an RMS of 1."""
    return x / max(_rms(x), np.float32(1e-9))


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


def _noise(
    random: np.random.Generator, corpus: Corpus, chosen: tuple[Group, ...], spec: MixtureSpec, ear: _Ear
) -> tuple[np.ndarray, list[str]]:
    """float32 [samples] of RMS 1, and its categories."""
    if _happens(random, spec.procedural_probability):
        return _procedural_noise(random, corpus, chosen, spec, ear)
    noise, categories = _recorded_noise(random, corpus, chosen, spec, ear)
    if not _happens(random, spec.synthetic_probability):
        return noise, categories
    made = ear(synthetic.noise(random, spec.samples))
    if random.random() < 0.5:
        return made, ["synthetic"]
    return _beside(random, noise, made), [*categories, "synthetic"]


def _procedural_noise(
    random: np.random.Generator, corpus: Corpus, chosen: tuple[Group, ...], spec: MixtureSpec, ear: _Ear
) -> tuple[np.ndarray, list[str]]:
    """A procedural noise, half of the time beside recorded ones; as `_noise`."""
    from calibration_data import procedural

    made, kind = procedural.noise(random, spec.samples)
    made, kind = ear(made), f"procedural {kind}"
    if random.random() < 0.5:
        return made, [kind]
    noise, categories = _recorded_noise(random, corpus, chosen, spec, ear)
    return _beside(random, noise, made), [*categories, kind]


def _recorded_noise(
    random: np.random.Generator, corpus: Corpus, chosen: tuple[Group, ...], spec: MixtureSpec, ear: _Ear
) -> tuple[np.ndarray, list[str]]:
    """Babble, or noises of one to three categories; as `_noise`."""
    voices = int(random.integers(spec.babble[0], spec.babble[1] + 1))
    if random.random() < spec.babble_probability and len(corpus.speakers) >= voices + len(chosen):
        return _babble(random, corpus, _speakers(random, corpus, voices, chosen), spec, ear), ["babble"]
    noise, name = _category(random, corpus, spec, ear)
    if random.random() >= spec.second_noise_probability:
        return noise, [name]
    beside, second = _category(random, corpus, spec, ear)
    noise = _beside(random, noise, beside)
    if not _happens(random, spec.third_noise_probability):
        return noise, [name, second]
    beside, third = _category(random, corpus, spec, ear)
    return _beside(random, noise, beside), [name, second, third]


def _category(random: np.random.Generator, corpus: Corpus, spec: MixtureSpec, ear: _Ear) -> tuple[np.ndarray, str]:
    """float32 [samples] of RMS 1 of a random category, and its name."""
    category = corpus.categories[_draw(random, corpus.balanced_odds if spec.balanced else corpus.category_odds)]
    return ear(_sound(random, corpus.noise, category, spec.samples, NOISE_GAP, spec.noise_speed, spec)), category.name


def _babble(random: np.random.Generator, corpus: Corpus, talkers: tuple[Group, ...], spec: MixtureSpec, ear: _Ear) -> np.ndarray:
    """float32 [samples] of RMS 1: all talkers at once; in a room they share a few places of it."""
    if ear.hall is not None:
        ear = replace(ear, responses=ear.hall)
    groups = np.zeros((1 if ear.responses is None else BABBLE_PLACES, spec.samples), np.float32)
    for i, talker in enumerate(talkers):
        groups[i % len(groups)] += _sound(random, corpus.speech, talker, spec.samples, SPEECH_GAP, spec.speed, spec)
    noise = sum(ear(group) for group in groups)
    return noise / _rms(noise)


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


def _room(random: np.random.Generator, spec: MixtureSpec) -> tuple[rooms.Room, Iterator[tuple[np.ndarray, int]]]:
    """A room of the pool, or one that no other mixture has; and its responses, first those for the speakers, then those for noises."""
    if spec.room_pool:
        room = rooms.pooled(int(random.integers(spec.room_pool)), spec.rt60)
        return room, room.responses(random.permutation(len(room.places)))
    room = rooms.draw(random, spec.sources + (NOISES if spec.noise_in_room else 0), spec.rt60)
    return room, room.responses(range(len(room.places)))


def _early_and_late(sources: np.ndarray, responses: Iterator[tuple[np.ndarray, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Put each source at a place of a room; its level is then that of its reference, not of the distance.

    Returns
    -------
    references float32 [sources, samples], late reverberation of all float32 [samples]
    """
    from scipy.signal import oaconvolve

    references, late = np.zeros_like(sources), np.zeros(sources.shape[1], np.float32)
    for i, source in enumerate(sources):
        response, early = next(responses)
        gain = _rms(source)
        wet = oaconvolve(source, response[:early])[: source.size]
        gain /= max(_rms(wet), np.float32(1e-9))
        references[i] = wet * gain
        if response.size > early:
            late += np.pad(oaconvolve(source, response[early:]), (early, 0))[: source.size] * gain
    return references, late
