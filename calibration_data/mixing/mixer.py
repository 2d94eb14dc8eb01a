"""Make reproducible mixtures of speech and noise from one split of a corpus, as they are needed.

A mixture depends on the corpus, the specification, the seed and the index only. It does not
depend on the order of the calls. Two specifications may differ in the probability of a room with
``noise_in_room``, of a microphone response, of an offset, of hum or of clipping. Their mixtures of
one index then contain the same speech and the same noise, and can be compared in pairs.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from calibration_data.audio import RATE
from calibration_data.corpus import Corpus, Group
from calibration_data.mixing import microphone, procedural, rooms
from calibration_data.mixing.procedural import spectrum
from groupcomm.errors import UserError

SPEECH_GAP = (0.05, 0.2)  # seconds between two clips of a speaker, and before the first
NOISE_GAP = (0.0, 0.3)
FADE = 80  # samples (5 ms) at both ends of a clip, so that a cut does not click
BABBLE_POSITIONS = 4  # in a room, shared by the talkers of babble
NOISE_POSITIONS = 5  # in a room that is simulated for one mixture
PEAK = 0.99  # largest absolute value of a mixture before clipping
# Each of these draws from its own generator, so that none of them changes the speech and the noise.
# The position in the tuple seeds the generator: append new ones at the end.
EXTRAS = ("clean", "mic", "room", "babble_room", "dc", "hum", "clip")
MAX_SECONDS = 3600
MIN_RMS = 1e-4  # a source with a smaller RMS (-80 dBFS) is drawn again
MAX_DRAWS = 20


@dataclass(frozen=True)
class MixtureSpec:
    """Specify the distribution of mixtures.

    A pair (low, high) is the range of a uniform distribution. Levels are RMS levels.

    Parameters
    ----------
    task : {"enhance", "separate"}
        One speaker in noise, or two speakers with or without noise.
    seconds : float
        Length of a mixture.
    snr_db : tuple of float
        Ratio of speech (all speakers) to noise, in dB.
    level_db : tuple of float
        Level of the first speaker's reference, in dBFS. A mixture that would clip is attenuated as
        a whole.
    relative_db : tuple of float
        Level of the first speaker relative to the second, in dB.
    overlap : tuple of float
        Fraction of the mixture in which both speakers are active. Each of them is active for
        (1 + overlap) / 2 of the mixture, one from the start and the other until the end.
    noise_probability : float
        Probability of noise.
    second_noise_probability : float
        Probability that the noise comes from two draws of a category. One of them is 0 to 10 dB
        below the other.
    babble_probability : float
        Probability that the noise is babble: other speakers of the corpus at the same time. Without
        enough speakers in the split, the noise is a recorded one.
    babble : tuple of int
        Smallest and largest number of speakers in babble.
    babble_room_probability : float
        Probability that babble is in a room of its own, when the mixture has no room.
    balanced : bool
        Draw noise categories by `Corpus.balanced_odds`, instead of `Corpus.category_odds`.
    speed : tuple of float
        Factor of the speed and the pitch of each speaker; (1, 1) leaves them unchanged.
    noise_speed : tuple of float
        Factor of the speed and the pitch of each recorded noise.
    synthetic_probability : float
        Probability of noise with a random spectrum (`calibration_data.mixing.procedural.spectrum`).
        In half of these mixtures it is added to a recorded noise.
    procedural_probability : float
        Probability of noise from a physical model (`calibration_data.mixing.procedural`). In half
        of these mixtures it is added to a recorded noise.
    eq_probability : float
        Probability that a speaker or a recorded noise is filtered by a mild random filter.
    room_probability : float
        Probability that the speakers are in a simulated room.
    rt60 : tuple of float
        Reverberation time of the room, in seconds.
    noise_in_room : bool
        Put each noise at its own position in the room, with the whole impulse response.
    room_pool : int
        Number of rooms that all mixtures share (`calibration_data.mixing.rooms`), which is 20 times
        as fast as a new room for each mixture. 0 simulates a new room for each mixture.
    mic_probability : float
        Probability of a microphone response: a mild equalizer for all sounds, including the
        references (`microphone.random_equalizer`).
    dc_probability : float
        Probability that the mixture has a DC offset of at most 0.1 of full scale.
    hum_probability : float
        Probability that the mixture has mains hum of -60 to -25 dBFS (`microphone.random_hum`).
    clip_probability : float
        Probability that the mixture, but not the references, is clipped at a level that 0.1 to 2 %
        of its samples exceed.
    clean_probability : float
        Probability that the mixture contains the speakers only: no noise, room, offset, hum or
        clipping. The mixture is then the sum of the references.

    Raises
    ------
    UserError
        When the task is unknown, or the length is out of range.
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
        """Check the task and the length."""
        if self.task not in ("enhance", "separate"):
            raise UserError(f"task {self.task!r}: there is no such task; use enhance or separate")
        if not 2 * FADE / RATE <= self.seconds <= MAX_SECONDS:
            raise UserError(
                f"mixtures of {self.seconds} s: use {2 * FADE / RATE} to {MAX_SECONDS} s"
            )

    @property
    def samples(self) -> int:
        """Return the length of a mixture in samples."""
        return int(self.seconds * RATE)

    @property
    def sources(self) -> int:
        """Return the number of speakers in a mixture."""
        return 2 if self.task == "separate" else 1


_AUGMENTED = {"level_db": (-45.0, -15.0), "second_noise_probability": 0.25}

ENHANCE = MixtureSpec(
    "enhance",
    babble_probability=0.1,
    speed=(0.85, 1.15),
    noise_speed=(0.85, 1.15),
    eq_probability=0.5,
    **_AUGMENTED,
)
# The voices are unchanged: changed voices gave less SI-SDR improvement (docs/lab-notebook.md).
SEPARATE = MixtureSpec("separate", snr_db=(10.0, 20.0), noise_probability=0.8, **_AUGMENTED)
# Changes to `ENHANCE` and `SEPARATE` for noises that no recording contains.
VARIED = {
    "noise_speed": (0.5, 2.0),
    "second_noise_probability": 0.5,
    "synthetic_probability": 0.3,
}
# Changes to `ENHANCE` for the conditions of daily life.
WIDE = {
    "snr_db": (-8.0, 20.0),
    "level_db": (-50.0, -10.0),
    "second_noise_probability": 0.25,
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
    "clean_probability": 0.02,
}
WIDE_SEPARATE = WIDE | {"snr_db": (10.0, 30.0), "room_probability": 0.2}  # for `SEPARATE`
_ROOMS = {"rt60": (0.1, 0.8), "noise_in_room": True}
_EVAL = {
    "level_db": (-45.0, -15.0),
    "second_noise_probability": 0.25,
    "balanced": True,
    "dc_probability": 0.1,
    "hum_probability": 0.1,
}
ENHANCE_EVAL = MixtureSpec(
    "enhance",
    snr_db=(-5.0, 25.0),
    babble_probability=0.1,
    room_probability=1 / 3,
    **_ROOMS,
    **_EVAL,
)
SEPARATE_EVAL = MixtureSpec(
    "separate", snr_db=(10.0, 30.0), noise_probability=0.8, room_probability=0.2, **_ROOMS, **_EVAL
)
# The mixtures of the split "test-2026-11" use these two.
ENHANCE_EVAL_2026_11 = MixtureSpec("enhance", snr_db=(-5.0, 10.0))
SEPARATE_EVAL_2026_11 = MixtureSpec("separate", snr_db=(10.0, 20.0), noise_probability=0.8)


@dataclass(frozen=True)
class Mixture:
    """Hold one mixture; ``mixture == sources.sum(0) + noise``, sample for sample.

    Attributes
    ----------
    mixture : np.ndarray [shape=(samples,), dtype=float32]
        At 16 kHz; no absolute value exceeds 0.99.
    sources : np.ndarray [shape=(sources, samples), dtype=float32]
        The references. In a room, a reference is the sound that arrives within 50 ms of the direct
        sound.
    noise : np.ndarray [shape=(samples,), dtype=float32]
        The rest: noise, late reverberation of the speakers, offset, hum, and the effect of
        clipping.
    meta : dict
        ``speakers``, names; ``sexes``, sorted: "F", "M", "FM", with "?" for unknown; ``categories``
        of the noise; ``level_db`` of the first speaker's reference after attenuation; ``snr_db`` of
        the references over the noise at the microphone, without late reverberation, offset, hum and
        clipping, and None without noise; ``relative_db`` and ``overlap``, None for one speaker. The
        following are None when the mixture does not have them: ``rt60`` of the room in seconds;
        ``mic``, the microphone response (see `microphone.Equalizer.metadata`); ``dc``, the offset
        relative to full scale; ``hum``, its level in dBFS, and ``hum_hz``; ``clipped``, the
        fraction of clipped samples.
    """

    mixture: np.ndarray
    sources: np.ndarray
    noise: np.ndarray
    meta: dict = field(compare=False)


def mix(corpus: Corpus, spec: MixtureSpec, *, seed: int, index: int) -> Mixture:
    """Make one mixture.

    Parameters
    ----------
    corpus : Corpus
        One split of a corpus.
    spec : MixtureSpec
        Distribution of the mixtures.
    seed : int
        Number of the sequence of mixtures, 0 or more.
    index : int
        Number of the mixture in the sequence, 0 or more.

    Returns
    -------
    Mixture

    Raises
    ------
    UserError
        When the split has too few speakers or no noise for the task, or when a speaker or a
        category contains only silence.
    """
    rng = np.random.default_rng(np.random.SeedSequence([int(seed), int(index)]))
    _check(corpus, spec)
    chosen = _speakers(rng, corpus, spec.sources, ())
    meta = {
        "speakers": [speaker.name for speaker in chosen],
        "sexes": "".join(sorted(speaker.clips[0].sex or "?" for speaker in chosen)),
        "categories": [],
        "level_db": rng.uniform(*spec.level_db),
        **dict.fromkeys(
            ("snr_db", "relative_db", "overlap", "rt60", "mic", "dc", "hum", "hum_hz", "clipped")
        ),
    }
    draw_extra = functools.partial(_draw_extra, int(seed), int(index))
    if draw_extra(spec, "clean"):
        spec = _speech_only(spec)
    channel = _Channel()
    if mic := draw_extra(spec, "mic"):
        channel = _Channel(microphone.random_equalizer(mic))
        meta["mic"] = channel.equalizer.metadata()
    sources = _speech(rng, corpus, chosen, spec, channel, meta)
    rest = np.zeros(spec.samples, np.float32)
    if rng.random() < spec.room_probability:
        # With neither of the two, the room comes from the generator of the mixture: older
        # specifications then keep their mixtures.
        separate_rng = spec.room_pool or spec.noise_in_room
        room_rng = _extra_rng(int(seed), int(index), "room") if separate_rng else rng
        room, responses = _room(room_rng, spec)
        meta["rt60"] = room.rt60
        sources, rest = _early_and_late(sources, responses)
        if spec.noise_in_room:
            channel = replace(channel, responses=responses)
    elif babble_rng := draw_extra(spec, "babble_room"):
        channel = replace(channel, babble_responses=_room(babble_rng, spec)[1])
    if rng.random() < spec.noise_probability:
        noise, meta["categories"] = _noise(rng, corpus, chosen, spec, channel)
        meta["snr_db"] = rng.uniform(*spec.snr_db)
        rest += noise * (_rms(sources.sum(0)) / _amplitude(meta["snr_db"]))
    if dc := draw_extra(spec, "dc"):
        meta["dc"] = dc.uniform(-microphone.DC, microphone.DC)
        rest += np.float32(meta["dc"])
    if hum := draw_extra(spec, "hum"):
        meta["hum"] = hum.uniform(*microphone.HUM_DB)
        sound, meta["hum_hz"] = microphone.random_hum(hum, spec.samples)
        rest += sound * _amplitude(meta["hum"])
    _limit_peak(sources, rest, meta)
    if clip := draw_extra(spec, "clip"):
        meta["clipped"] = clip.uniform(*microphone.CLIPPED_FRACTION)
        rest = microphone.clip(sources.sum(0) + rest, meta["clipped"]) - sources.sum(0)
    return Mixture(sources.sum(0) + rest, sources, rest, meta)


def batch(
    corpus: Corpus, spec: MixtureSpec, *, seed: int, indices
) -> tuple[np.ndarray, np.ndarray]:
    """Make the mixtures of several indices.

    Parameters
    ----------
    corpus : Corpus
        One split of a corpus.
    spec : MixtureSpec
        Distribution of the mixtures.
    seed : int
        Number of the sequence of mixtures, 0 or more.
    indices : iterable of int
        Numbers of the mixtures in the sequence.

    Returns
    -------
    mixtures : np.ndarray [shape=(indices, samples), dtype=float32]
        At 16 kHz.
    sources : np.ndarray [shape=(indices, sources, samples), dtype=float32]
        The references.

    Raises
    ------
    UserError
        See `mix`.
    """
    mixtures = [mix(corpus, spec, seed=seed, index=index) for index in indices]
    return np.stack([m.mixture for m in mixtures]), np.stack([m.sources for m in mixtures])


@dataclass(frozen=True)
class _Channel:
    """Apply the acoustic path of noises: the room, and the response of the microphone.

    Parameters
    ----------
    equalizer : microphone.Equalizer, optional
        Response of the microphone.
    responses : iterator of tuple of np.ndarray and int, optional
        Impulse responses of the room and the lengths of their early parts in samples; each noise
        takes the next one. None without a room.
    babble_responses : iterator of tuple of np.ndarray and int, optional
        Responses of a room for babble only.
    """

    equalizer: microphone.Equalizer | None = None
    responses: Iterator[tuple[np.ndarray, int]] | None = None
    babble_responses: Iterator[tuple[np.ndarray, int]] | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the sound [shape=(samples,), dtype=float32] at the microphone.

        The result has an RMS of 1, or is the input when nothing changes it.
        """
        if self.responses is None:
            return self.equalize(x)
        from scipy.signal import oaconvolve

        x = self.equalize(x)
        return _unit(oaconvolve(x, next(self.responses)[0])[: x.size])

    def equalize(self, x: np.ndarray) -> np.ndarray:
        """Return the sound [shape=(samples,), dtype=float32] filtered by the microphone response.

        The result has an RMS of 1, or is the input when nothing changes it.
        """
        return x if self.equalizer is None else _unit(self.equalizer(x))


def _check(corpus: Corpus, spec: MixtureSpec) -> None:
    """Raise a `UserError` when the split lacks speakers or noise for the mixtures."""
    if len(corpus.speakers) < spec.sources:
        raise UserError(
            f"corpus {corpus.name!r}, {corpus.split}: {len(corpus.speakers)} speaker(s), "
            f"the task {spec.task} needs {spec.sources}; build it from more speakers"
        )
    if spec.noise_probability and not corpus.categories:
        raise UserError(
            f"corpus {corpus.name!r}, {corpus.split}: has no noise; "
            "build it again with `groupcomm data --noise DIR`"
        )


@functools.cache
def _speech_only(spec: MixtureSpec) -> MixtureSpec:
    """Return the specification of the same mixtures without anything but speech."""
    off = ("noise", "room", "dc", "hum", "clip")
    return replace(spec, **{f"{what}_probability": 0.0 for what in off})


def _extra_rng(seed: int, index: int, extra: str) -> np.random.Generator:
    """Return the random generator of one of `EXTRAS` of one mixture."""
    return np.random.default_rng(
        np.random.SeedSequence([seed, index], spawn_key=(EXTRAS.index(extra),))
    )


def _draw_extra(seed: int, index: int, spec: MixtureSpec, extra: str) -> np.random.Generator | None:
    """Return the random generator of one of `EXTRAS` if the mixture has it, else None."""
    probability = getattr(spec, f"{extra}_probability")
    if not probability:
        return None
    rng = _extra_rng(seed, index, extra)
    return rng if rng.random() < probability else None


def _draw_event(rng: np.random.Generator, probability: float) -> bool:
    """Draw whether an event of this probability occurs.

    Nothing is drawn when the probability is 0, so that mixtures of older specifications, which lack
    the event, do not change.
    """
    return probability > 0 and rng.random() < probability


def _speech(
    rng: np.random.Generator,
    corpus: Corpus,
    chosen: tuple[Group, ...],
    spec: MixtureSpec,
    channel: _Channel,
    meta: dict,
) -> np.ndarray:
    """Return the dry speech at its levels [shape=(sources, samples), dtype=float32].

    ``relative_db`` and ``overlap`` are written into ``meta``.
    """
    sources = np.zeros((spec.sources, spec.samples), np.float32)
    active = spec.samples
    if spec.sources == 2:
        meta["relative_db"] = rng.uniform(*spec.relative_db)
        meta["overlap"] = rng.uniform(*spec.overlap)
        active = max(2 * FADE, round(spec.samples * (1 + meta["overlap"]) / 2))
    first = rng.integers(spec.sources)  # the speaker who begins
    for i, speaker in enumerate(chosen):
        begin = 0 if i == first else spec.samples - active
        level = meta["level_db"] - (meta["relative_db"] if i else 0)
        sound = _sound(rng, corpus.speech, speaker, active, SPEECH_GAP, spec.speed, spec)
        sources[i, begin : begin + active] = channel.equalize(sound) * _amplitude(level)
    return sources


def _limit_peak(sources: np.ndarray, rest: np.ndarray, meta: dict) -> None:
    """Attenuate all signals, in place, when the mixture exceeds `PEAK`."""
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


def _amplitude(db: float) -> np.float32:
    return np.float32(10 ** (db / 20))


def _rms(x: np.ndarray) -> np.float32:
    return np.sqrt(np.dot(x, x) / np.float32(x.size))


def _unit(x: np.ndarray) -> np.ndarray:
    """Scale a sound to an RMS of 1."""
    return x / max(_rms(x), np.float32(1e-9))


def _draw_index(rng: np.random.Generator, odds: np.ndarray) -> int:
    """Draw an index from a cumulative distribution."""
    return int(np.searchsorted(odds, rng.random(), side="right"))


def _speakers(
    rng: np.random.Generator, corpus: Corpus, count: int, without: tuple[Group, ...]
) -> tuple[Group, ...]:
    """Draw different speakers, none of them in ``without``."""
    drawn = list(without)
    while len(drawn) < count + len(without):
        speaker = corpus.speakers[_draw_index(rng, corpus.speaker_odds)]
        if speaker not in drawn:
            drawn.append(speaker)
    return tuple(drawn[len(without) :])


def _noise(
    rng: np.random.Generator,
    corpus: Corpus,
    chosen: tuple[Group, ...],
    spec: MixtureSpec,
    channel: _Channel,
) -> tuple[np.ndarray, list[str]]:
    """Return a noise [shape=(samples,), dtype=float32] of RMS 1, and its categories."""
    if _draw_event(rng, spec.procedural_probability):
        return _procedural_noise(rng, corpus, chosen, spec, channel)
    noise, categories = _recorded_noise(rng, corpus, chosen, spec, channel)
    if not _draw_event(rng, spec.synthetic_probability):
        return noise, categories
    artificial = channel(spectrum.noise(rng, spec.samples))
    if rng.random() < 0.5:
        return artificial, ["synthetic"]
    return _add_noise(rng, noise, artificial), [*categories, "synthetic"]


def _procedural_noise(
    rng: np.random.Generator,
    corpus: Corpus,
    chosen: tuple[Group, ...],
    spec: MixtureSpec,
    channel: _Channel,
) -> tuple[np.ndarray, list[str]]:
    """Return a procedural noise, in half of the cases with a recorded one; see `_noise`."""
    computed, kind = procedural.noise(rng, spec.samples)
    computed, category = channel(computed), f"procedural {kind}"
    if rng.random() < 0.5:
        return computed, [category]
    noise, categories = _recorded_noise(rng, corpus, chosen, spec, channel)
    return _add_noise(rng, noise, computed), [*categories, category]


def _recorded_noise(
    rng: np.random.Generator,
    corpus: Corpus,
    chosen: tuple[Group, ...],
    spec: MixtureSpec,
    channel: _Channel,
) -> tuple[np.ndarray, list[str]]:
    """Return babble, or recorded noise of one or two draws; see `_noise`."""
    voices = int(rng.integers(spec.babble[0], spec.babble[1] + 1))
    if rng.random() < spec.babble_probability and len(corpus.speakers) >= voices + len(chosen):
        return _babble(rng, corpus, _speakers(rng, corpus, voices, chosen), spec, channel), [
            "babble"
        ]
    noise, name = _category_noise(rng, corpus, spec, channel)
    if rng.random() >= spec.second_noise_probability:
        return noise, [name]
    other, second = _category_noise(rng, corpus, spec, channel)
    return _add_noise(rng, noise, other), [name, second]


def _category_noise(
    rng: np.random.Generator, corpus: Corpus, spec: MixtureSpec, channel: _Channel
) -> tuple[np.ndarray, str]:
    """Return noise of a random category, and the name of the category.

    The noise has the shape (samples,), the type float32 and an RMS of 1.
    """
    category = corpus.categories[
        _draw_index(rng, corpus.balanced_odds if spec.balanced else corpus.category_odds)
    ]
    return channel(
        _sound(rng, corpus.noise, category, spec.samples, NOISE_GAP, spec.noise_speed, spec)
    ), category.name


def _babble(
    rng: np.random.Generator,
    corpus: Corpus,
    talkers: tuple[Group, ...],
    spec: MixtureSpec,
    channel: _Channel,
) -> np.ndarray:
    """Return all talkers at the same time [shape=(samples,), dtype=float32], with an RMS of 1.

    In a room, the talkers share `BABBLE_POSITIONS` positions.
    """
    if channel.babble_responses is not None:
        channel = replace(channel, responses=channel.babble_responses)
    groups = np.zeros(
        (1 if channel.responses is None else BABBLE_POSITIONS, spec.samples), np.float32
    )
    for i, talker in enumerate(talkers):
        groups[i % len(groups)] += _sound(
            rng, corpus.speech, talker, spec.samples, SPEECH_GAP, spec.speed, spec
        )
    noise = sum(channel(group) for group in groups)
    return noise / _rms(noise)


def _add_noise(rng: np.random.Generator, noise: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Add a second noise 0 to 10 dB below the first; both have an RMS of 1.

    The result has the shape (samples,), the type float32 and an RMS of 1.
    """
    both = noise + second * _amplitude(rng.uniform(-10, 0))
    return both / _rms(both)


def _sound(
    rng, sound: np.ndarray, group: Group, samples: int, gap: tuple, speeds: tuple, spec: MixtureSpec
) -> np.ndarray:
    """Join clips of one speaker or category, and change them as ``spec`` says.

    The result has the shape (samples,), the type float32 and an RMS of 1.
    """
    for _ in range(MAX_DRAWS):
        speed = rng.uniform(*speeds)
        x = _fill(rng, sound, group, math.ceil(samples * speed) + 1, gap)
        if speed != 1:
            import soxr

            # The quality MQ takes 0.2 ms more than QQ, but has no images above 4 kHz.
            x = soxr.resample(x, RATE * speed, RATE, quality="MQ")
            x = np.pad(x, (0, max(0, samples - x.size)))
        x = x[:samples]
        if rng.random() < spec.eq_probability:
            x = _random_filter(rng, x)
        rms = _rms(x)
        if rms >= MIN_RMS:
            return x / rms
    raise UserError(
        f"{group.name} ({group.clips[0].package}): only silence in {MAX_DRAWS} draws; "
        "remove its sounds and build the corpus again"
    )


def _fill(
    rng, sound: np.ndarray, group: Group, samples: int, gap: tuple[float, float]
) -> np.ndarray:
    """Join random clips with gaps [shape=(samples,), dtype=float32], in -1 to 1."""
    sound = np.asarray(sound)  # slicing a plain view is faster than slicing a memmap
    out = np.zeros(samples, np.float32)
    low, high = int(gap[0] * RATE), int(gap[1] * RATE)
    at = int(rng.integers(low, high))
    while at < samples:
        clip = group.clips[_draw_index(rng, group.odds)]
        size = min(clip.samples, samples - at)
        start = clip.offset + int(rng.integers(clip.samples - size + 1))
        piece = out[at : at + size]
        piece[:] = sound[start : start + size]
        fade = min(FADE, size // 2)
        if fade:
            ramp = _ramp(fade)
            piece[:fade] *= ramp
            piece[-fade:] *= ramp[::-1]
        at += size + int(rng.integers(low, high))
    out *= np.float32(1 / 32768)
    return out


@functools.cache
def _ramp(samples: int) -> np.ndarray:
    return np.linspace(0, 1, samples, endpoint=False, dtype=np.float32)


def _random_filter(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Apply a random filter of second order.

    Its zeros and poles are close enough to 0 for a mild and stable filter (Valin, arXiv
    1709.08243).
    """
    from scipy.signal import lfilter

    b, a = (
        np.concatenate([[1], rng.uniform(-3 / 8, 3 / 8, 2)]).astype(np.float32) for _ in range(2)
    )
    return lfilter(b, a, x)


def _room(
    rng: np.random.Generator, spec: MixtureSpec
) -> tuple[rooms.Room, Iterator[tuple[np.ndarray, int]]]:
    """Return a room, from the pool or for this mixture only, and its responses.

    The responses for the speakers come first, then those for the noises.
    """
    if spec.room_pool:
        room = rooms.pooled(int(rng.integers(spec.room_pool)), spec.rt60)
        return room, room.responses(rng.permutation(len(room.positions)))
    room = rooms.draw(rng, spec.sources + (NOISE_POSITIONS if spec.noise_in_room else 0), spec.rt60)
    return room, room.responses(range(len(room.positions)))


def _early_and_late(
    sources: np.ndarray, responses: Iterator[tuple[np.ndarray, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Put each source at its own position in a room.

    The level of a source becomes that of its reference; it does not depend on the distance.

    Returns
    -------
    references : np.ndarray [shape=(sources, samples), dtype=float32]
        Direct sound and early reflections.
    late : np.ndarray [shape=(samples,), dtype=float32]
        Sum of the late reverberation of all sources.
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
