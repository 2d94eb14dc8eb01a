"""Read and write the committed clips: sounds to calibrate quantization, and mixtures for the demo.

They are available without a corpus. Each of them is a mixture of files whose licence permits to
commit it. ``clips/README.md`` names the authors and the licences.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calibration_data.audio import RATE, SUFFIXES, decode
from calibration_data.sources import OLD_TEST
from groupcomm.errors import UserError
from groupcomm.files import atomic_path

FOLDER = Path(__file__).resolve().parent / "clips"
SILENCE_DB = 60  # a frame of an own clip that is this far below the loudest one is silence


@dataclass(frozen=True)
class CalibrationClip:
    """Hold one clip for calibration.

    Attributes
    ----------
    name : str
        Name of the clip.
    audio : np.ndarray [shape=(samples,), dtype=float32]
        The sound at 16 kHz.
    """

    name: str
    audio: np.ndarray


@dataclass(frozen=True)
class Demo:
    """Hold one mixture for the demo and its clean speech.

    Attributes
    ----------
    name : str
        Name of the mixture.
    mixture : np.ndarray [shape=(samples,), dtype=float32]
        The mixture at 16 kHz.
    references : np.ndarray [shape=(speakers, samples), dtype=float32]
        The clean speech of each speaker.
    """

    name: str
    mixture: np.ndarray
    references: np.ndarray


@dataclass(frozen=True)
class Credit:
    """Hold who made a demo mixture, as ``clips/README.md`` says.

    Attributes
    ----------
    speech, noise : str
        Authors and packages.
    licence : str
        Of the mixture.
    """

    speech: str
    noise: str
    licence: str


@dataclass(frozen=True)
class _Recipe:
    """Specify a clip.

    Parameters
    ----------
    name : str
        Name of the clip.
    speakers : tuple of str
        Names of the speakers.
    noise : str
        End of the path of the noise file; "" for no noise.
    snr_db, level_db : float
        See `mixer.MixtureSpec`.
    noise_only : bool
        Leave the speech out.
    overlap : tuple of float
        See `mixer.MixtureSpec`.
    """

    name: str
    speakers: tuple[str, ...]
    noise: str
    snr_db: float
    level_db: float
    noise_only: bool = False
    overlap: tuple[float, float] = (0.0, 1.0)


# These clips determine the ranges of quantized tensors, so their levels, SNRs, noises and voices
# vary. They are from the split train.
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

# These are from the split test-2026-11: no network was trained on these files.
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
    _Recipe(
        "duet_market",
        ("carlo", "june"),
        "ambient/building/amb_trade_10.ogg",
        15,
        -26,
        overlap=(0.7, 1.0),
    ),
)
SECONDS = {"calibration": 4.0, "demo": 4.5}


def calibration_clips() -> list[CalibrationClip]:
    """Read the committed clips for calibration: speech, noise and mixtures, near-silent to loud.

    Returns
    -------
    list of CalibrationClip

    Raises
    ------
    UserError
        When a file is missing or damaged.
    """
    return [
        CalibrationClip(recipe.name, _read(_path("calibration", recipe.name)))
        for recipe in CALIBRATION
    ]


def own_clips(folder: Path) -> list[CalibrationClip]:
    """Read clips for calibration from a folder of sound files.

    They are mixed to mono and resampled to 16 kHz. Silence at both ends is removed, as in a corpus.

    Parameters
    ----------
    folder : Path
        Folder with sound files, at any depth.

    Returns
    -------
    list of CalibrationClip

    Raises
    ------
    UserError
        When the folder does not exist or contains no sound file, or when a file cannot be read or
        is silent.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: is not a folder; name a folder of sound files")
    paths = sorted(
        path
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not paths:
        raise UserError(
            f"{folder}: contains no sound file ({', '.join(sorted(SUFFIXES))}); "
            "name a folder of sound files"
        )
    clips = []
    for path in paths:
        try:
            sound = decode(path.read_bytes(), str(path), silence_db=SILENCE_DB)
        except (ValueError, OSError) as e:
            raise UserError(f"{path}: {e}; remove it from the folder or export it again") from e
        clips.append(
            CalibrationClip(str(path.relative_to(folder)), sound.astype(np.float32) / 32768)
        )
    return clips


def demo_mixtures(speakers: int = 1) -> list[Demo]:
    """Read the committed mixtures of one speaker in noise, or of two speakers.

    Their sounds are from the split "test-2026-11".

    Parameters
    ----------
    speakers : int
        Number of speakers, 1 or 2.

    Returns
    -------
    list of Demo

    Raises
    ------
    UserError
        When a file is missing or damaged.
    """
    demos = []
    for recipe in DEMO:
        if len(recipe.speakers) == speakers:
            mixture, *references = (
                _read(_path("demo", f"{recipe.name}_{what}"))
                for what in ("mixture", *_clean(recipe))
            )
            for clean in references:
                if mixture.size != clean.size:
                    raise UserError(
                        f"demo {recipe.name}: the mixture has {mixture.size} samples, "
                        f"the clean speech has {clean.size}; run `groupcomm data --clips`"
                    )
            demos.append(Demo(recipe.name, mixture, np.stack(references)))
    return demos


def credit(name: str) -> Credit:
    """Read the credit of a demo mixture from ``clips/README.md``.

    Parameters
    ----------
    name : str
        Name of the mixture.

    Returns
    -------
    Credit

    Raises
    ------
    UserError
        When the file does not credit it.
    """
    file = FOLDER / "README.md"
    text = file.read_text().replace("`", "")
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == f"demo/{name}_mixture.flac":
            noise = cells[2]
            for number, note in re.findall(r"^\((\d)\) (.*?)\n\n", text, re.MULTILINE | re.DOTALL):
                noise = noise.replace(f"({number})", f"[{' '.join(note.split())}]")
            return Credit(cells[1], noise, cells[-1])
    raise UserError(f"{file}: has no line for demo/{name}_mixture.flac; restore it with git")


def _clean(recipe: _Recipe) -> list[str]:
    """Return the end of the file name of each speaker's clean speech."""
    return (
        ["clean"]
        if len(recipe.speakers) == 1
        else [f"clean{i + 1}" for i in range(len(recipe.speakers))]
    )


def write_clips() -> list[Path]:
    """Write the committed files again, from the corpus "open".

    A sample can differ from the committed one by one least significant bit.

    Returns
    -------
    list of Path
        The written files.

    Raises
    ------
    UserError
        When the corpus does not exist or lacks a file, or when the folder cannot be written.
    """
    from calibration_data.corpus import open_corpus

    written = []
    train, test = open_corpus("train"), open_corpus(OLD_TEST)
    for index, recipe in enumerate(CALIBRATION):
        mixture = _mix(train, recipe, SECONDS["calibration"], index)
        audio = mixture.mixture
        if recipe.noise_only:  # an SNR of 0 dB gives the noise the level of the recipe
            audio = mixture.noise
        written.append(_write(_path("calibration", recipe.name), audio))
    for index, recipe in enumerate(DEMO):
        mixture = _mix(test, recipe, SECONDS["demo"], index)
        written.append(_write(_path("demo", f"{recipe.name}_mixture"), mixture.mixture))
        for what, source in zip(_clean(recipe), mixture.sources, strict=True):
            written.append(_write(_path("demo", f"{recipe.name}_{what}"), source))
    return written


def _mix(corpus, recipe: _Recipe, seconds: float, index: int):
    """Let the mixer draw from the speakers and the noise file of a recipe only."""
    from calibration_data.corpus import Group
    from calibration_data.mixing.mixer import MixtureSpec, mix

    def longest(group: Group) -> Group:
        """Keep the clips that are long enough for whole sentences, or else all of them."""
        return Group(
            group.name,
            tuple(clip for clip in group.clips if clip.samples >= seconds * RATE) or group.clips,
        )

    speakers = tuple(longest(group) for group in corpus.speakers if group.name in recipe.speakers)
    clips = [
        clip
        for group in corpus.categories
        for clip in group.clips
        if recipe.noise and clip.path.endswith("/" + recipe.noise)
    ]
    if len(speakers) != len(recipe.speakers) or len(clips) != bool(recipe.noise):
        raise UserError(
            f"clip {recipe.name!r}: corpus {corpus.name!r} lacks {recipe.speakers} "
            f"or {recipe.noise!r}; run `groupcomm data`"
        )
    spec = MixtureSpec(
        "separate" if len(speakers) == 2 else "enhance",
        seconds=seconds,
        snr_db=(recipe.snr_db, recipe.snr_db),
        level_db=(recipe.level_db, recipe.level_db),
        overlap=recipe.overlap,
        noise_probability=float(bool(clips)),
    )
    narrow = replace(
        corpus, speakers=speakers, categories=tuple(Group(clip.category, (clip,)) for clip in clips)
    )
    return mix(narrow, spec, seed=0, index=index)


def _path(folder: str, name: str) -> Path:
    return FOLDER / folder / f"{name}.flac"


def _read(path: Path) -> np.ndarray:
    import soundfile

    restore = "restore it with git, or make it again with `groupcomm data --clips`"
    try:
        sound, rate = soundfile.read(path, dtype="float32")
    except Exception as e:  # of libsndfile
        problem = "cannot be read as sound" if path.exists() else "is missing"
        raise UserError(f"{path}: {problem}; {restore}") from e
    if rate != RATE or sound.ndim != 1:
        raise UserError(f"{path}: {rate} Hz, {sound.ndim} axes; it must be 16 kHz mono; {restore}")
    return sound


def _write(path: Path, audio: np.ndarray) -> Path:
    import soundfile

    with atomic_path(path) as part:
        soundfile.write(
            part, np.rint(audio * 32768).astype(np.int16), RATE, format="FLAC", subtype="PCM_16"
        )
    return path
