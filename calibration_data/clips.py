"""The small committed set, read and made: sounds that quantization is calibrated with, and mixtures to demonstrate with.

Whoever clones the project has them without a corpus. Each is a mixture of the seeded mixer from files whose licence permits to
commit it; ``clips/README.md`` names authors and licences.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calibration_data.audio import RATE, SUFFIXES, decode
from calibration_data.sources import OLD_TEST
from groupcomm.errors import UserError
from groupcomm.files import atomic_path

FOLDER = Path(__file__).resolve().parent / "clips"
SILENCE_DB = 60  # of own clips: a frame so far below the loudest one is silence


@dataclass(frozen=True)
class CalibrationClip:
    """``audio``: float32 [samples] at 16 kHz."""

    name: str
    audio: np.ndarray


@dataclass(frozen=True)
class Demo:
    """``mixture``, float32 [samples] at 16 kHz, and ``references``, the clean speech of each speaker in it: float32 [speakers, samples]."""

    name: str
    mixture: np.ndarray
    references: np.ndarray


@dataclass(frozen=True)
class _Recipe:
    """How a clip is made: speakers, one noise file (the end of its path; "" for none), dB and dBFS as in `mixer.MixtureSpec`."""

    name: str
    speakers: tuple[str, ...]
    noise: str
    snr_db: float
    level_db: float
    noise_only: bool = False
    overlap: tuple[float, float] = (0.0, 1.0)


# Varied in level, SNR, noise and voice, for the ranges of quantized tensors are what these clips reach. From the train split.
CALIBRATION = (
    _Recipe("speech", ("shmyrev",), "", 0, -25),
    _Recipe("speech_quiet", ("zh_chulo",), "", 0, -45),
    _Recipe("speech_near_silent", ("shmyrev",), "", 0, -65),
    _Recipe("two_speakers", ("shmyrev", "zh_chulo"), "", 0, -22),
    _Recipe("two_speakers_wind", ("shmyrev", "zh_chulo"), "ambient/weather/wind_11.ogg", 12, -28),
    _Recipe("rain", ("shmyrev",), "ambient/weather/rain_11.ogg", 5, -25),
    _Recipe("wind", ("zh_chulo",), "ambient/weather/snowstorm_11.ogg", 0, -30),
    _Recipe("waves", ("shmyrev",), "ambient/water/wavecrash_21.ogg", 10, -20),
    _Recipe("port", ("shmyrev",), "ambient/building/amb_port_10.ogg", 15, -50),
    _Recipe("fire", ("shmyrev",), "ambience/fire.ogg", -5, -22),
    _Recipe("diesel", ("zh_chulo",), "ugv/diesel-move.ogg", 0, -18),
    _Recipe("pump", ("shmyrev",), "ambience/minepump03.ogg", 3, -35),
    _Recipe("melody", ("shmyrev",), "ringtones/Entropy.ogg", 8, -27),
    _Recipe("ring_tone", ("zh_chulo",), "ringtones/Call me.ogg", 20, -40),
    _Recipe("loud", ("shmyrev",), "ambience/alien-ventilation.ogg", 10, -10),
    _Recipe("noise", ("shmyrev",), "ambient/weather/rain_12.ogg", 0, -30, noise_only=True),
)

# From the split test-2026-11: no network has heard these voices or noises.
DEMO = (
    _Recipe("fountain", ("carlo",), "ambience/waterfontain.ogg", 0, -26),
    _Recipe("wind", ("carlo",), "ambient/weather/windstorm_11.ogg", 2, -28),
    _Recipe("market", ("carlo",), "ambient/building/amb_trade_10.ogg", 5, -24),
    _Recipe("diesel", ("carlo",), "ugv/diesel-idle.ogg", -2, -26),
    _Recipe("birds", ("carlo",), "tilesets/dark_forest/sounds/day.ogg", 6, -30),
    _Recipe("chime", ("carlo",), "notifications/Sintonia.ogg", 3, -26),
    _Recipe("warehouse", ("carlo",), "audio/sounds/warehouse.ogg", 1, -24),
    _Recipe("machine", ("carlo",), "ambience/alien-device.ogg", 8, -32),
    _Recipe("duet", ("carlo", "june"), "", 0, -24, overlap=(0.7, 1.0)),
    _Recipe("duet_market", ("carlo", "june"), "ambient/building/amb_trade_10.ogg", 15, -26, overlap=(0.7, 1.0)),
)
SECONDS = {"calibration": 4.0, "demo": 4.5}


def calibration_clips() -> list[CalibrationClip]:
    """The committed clips to calibrate quantization with: speech, noise and mixtures of both, near-silent to loud.

    Raises
    ------
    UserError
        When a file is missing or not as it was committed.
    """
    return [CalibrationClip(recipe.name, _read(_path("calibration", recipe.name))) for recipe in CALIBRATION]


def own_clips(folder: Path) -> list[CalibrationClip]:
    """Read clips to calibrate quantization with from a folder of sound files.

    They are mixed to mono and resampled to 16 kHz, and silence at both ends is cut, as in a corpus.

    Parameters
    ----------
    folder : Path
        Sound files may lie deeper in it.

    Returns
    -------
    list of CalibrationClip

    Raises
    ------
    UserError
        When it is not a folder, holds no sound file, or one cannot be read or is silent.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: is not a folder; name a folder of sound files")
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise UserError(f"{folder}: holds no sound file ({', '.join(sorted(SUFFIXES))}); name a folder of sound files")
    clips = []
    for path in paths:
        try:
            sound = decode(path.read_bytes(), str(path), silence_db=SILENCE_DB)
        except (ValueError, OSError) as e:
            raise UserError(f"{path}: {e}; remove it from the folder or export it again") from e
        clips.append(CalibrationClip(str(path.relative_to(folder)), sound.astype(np.float32) / 32768))
    return clips


def demo_mixtures(speakers: int = 1) -> list[Demo]:
    """The committed mixtures of one speaker in noise, or of two speakers, with their clean speech, of the corpus's split test-2026-11.

    Raises
    ------
    UserError
        When a file is missing or not as it was committed.
    """
    demos = []
    for recipe in DEMO:
        if len(recipe.speakers) == speakers:
            mixture, *references = (_read(_path("demo", f"{recipe.name}_{what}")) for what in ("mixture", *_clean(recipe)))
            for clean in references:
                if mixture.size != clean.size:
                    raise UserError(
                        f"demo {recipe.name}: mixture of {mixture.size} samples, clean of {clean.size}; run `groupcomm data --clips`"
                    )
            demos.append(Demo(recipe.name, mixture, np.stack(references)))
    return demos


def _clean(recipe: _Recipe) -> list[str]:
    """What the clean speech of each speaker is called."""
    return ["clean"] if len(recipe.speakers) == 1 else [f"clean{i + 1}" for i in range(len(recipe.speakers))]


def write_clips() -> list[Path]:
    """Make the committed files again, sample for sample, from the corpus "open".

    Returns
    -------
    The files written.

    Raises
    ------
    UserError
        When the corpus is not there, lacks a file that a clip is made of, or the folder cannot be written.
    """
    from calibration_data.corpus import open_corpus

    written = []
    train, test = open_corpus("train"), open_corpus(OLD_TEST)
    for index, recipe in enumerate(CALIBRATION):
        mixture = _mix(train, recipe, SECONDS["calibration"], index)
        audio = mixture.mixture
        if recipe.noise_only:  # at the level that the recipe gives the speech: its SNR is 0 dB
            audio = mixture.noise
        written.append(_write(_path("calibration", recipe.name), audio))
    for index, recipe in enumerate(DEMO):
        mixture = _mix(test, recipe, SECONDS["demo"], index)
        written.append(_write(_path("demo", f"{recipe.name}_mixture"), mixture.mixture))
        for what, source in zip(_clean(recipe), mixture.sources, strict=True):
            written.append(_write(_path("demo", f"{recipe.name}_{what}"), source))
    return written


def _mix(corpus, recipe: _Recipe, seconds: float, index: int):
    """Let the mixer draw from the recipe's speakers and noise file only."""
    from calibration_data.corpus import Group
    from calibration_data.mixer import MixtureSpec, mix

    def longest(group: Group) -> Group:
        """Whole sentences where the speaker has them: a clip that fills the mixture, else any."""
        return Group(group.name, tuple(clip for clip in group.clips if clip.samples >= seconds * RATE) or group.clips)

    speakers = tuple(longest(group) for group in corpus.speakers if group.name in recipe.speakers)
    clips = [clip for group in corpus.categories for clip in group.clips if recipe.noise and clip.path.endswith("/" + recipe.noise)]
    if len(speakers) != len(recipe.speakers) or len(clips) != bool(recipe.noise):
        raise UserError(f"clip {recipe.name!r}: corpus {corpus.name!r} lacks {recipe.speakers} or {recipe.noise!r}; run `groupcomm data`")
    spec = MixtureSpec(
        "separate" if len(speakers) == 2 else "enhance",
        seconds=seconds,
        snr_db=(recipe.snr_db, recipe.snr_db),
        level_db=(recipe.level_db, recipe.level_db),
        overlap=recipe.overlap,
        noise_probability=float(bool(clips)),
    )
    narrow = replace(corpus, speakers=speakers, categories=tuple(Group(clip.category, (clip,)) for clip in clips))
    return mix(narrow, spec, seed=0, index=index)


def _path(folder: str, name: str) -> Path:
    return FOLDER / folder / f"{name}.flac"


def _read(path: Path) -> np.ndarray:
    import soundfile

    restore = "restore it with git, or make it again with `groupcomm data --clips`"
    try:
        sound, rate = soundfile.read(path, dtype="float32")
    except (soundfile.LibsndfileError, OSError) as e:
        raise UserError(f"{path}: {'cannot be read as sound' if path.exists() else 'is missing'}; {restore}") from e
    if rate != RATE or sound.ndim != 1:
        raise UserError(f"{path}: {rate} Hz, {sound.ndim} axes; it must be 16 kHz mono; {restore}")
    return sound


def _write(path: Path, audio: np.ndarray) -> Path:
    import soundfile

    with atomic_path(path) as part:
        soundfile.write(part, np.rint(audio * 32768).astype(np.int16), RATE, format="FLAC", subtype="PCM_16")
    return path
