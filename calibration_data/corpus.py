"""Open a corpus on disk, one split at a time.

cache_dir()/corpus/NAME/corpus.json
    Sources of the corpus, and hours of its splits.
cache_dir()/corpus/NAME/SPLIT/{speech,noise}.i16
    Clips, one after the other: little-endian int16, 16 kHz mono.
cache_dir()/corpus/NAME/SPLIT/clips.tsv
    One line per clip: its location and its properties.
"""

import csv
import difflib
import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration_data.sources import SPLITS, weights
from groupcomm.console import printable
from groupcomm.errors import UserError
from groupcomm.files import cache_dir

SCHEMA = 1
DEFAULT = "open"  # used where no other corpus is named
# Commands that build the public corpora.
COMMANDS = {
    "open": "groupcomm data",
    "open-voices": "groupcomm data --voices",
    "open-kokoro": "groupcomm data --kokoro",
    "open-voices-kokoro": "groupcomm data --voices --kokoro",
    "debian": "groupcomm data --debian",
    "debian-voices": "groupcomm data --debian --voices",
    "debian-kokoro": "groupcomm data --debian --kokoro",
    "debian-voices-kokoro": "groupcomm data --debian --voices --kokoro",
}


@dataclass(frozen=True)
class Clip:
    """Describe one recording; unknown texts are "".

    Attributes
    ----------
    kind : {"speech", "noise"}
        Kind of the recording.
    offset, samples : int
        Location in ``Corpus.speech`` or ``Corpus.noise``, in samples.
    speaker, lang : str
        Speaker and language, for speech.
    sex : {"F", "M", ""}
        Sex of the speaker.
    tier : {"core", "minor", "synthetic", ""}
        Kind of the speaker, see ``sources.toml``.
    category : str
        Category, for noise.
    package : str
        Package, repository, or folder of the user.
    path : str
        Path in the package, the repository or the folder.
    """

    kind: str
    offset: int
    samples: int
    speaker: str
    lang: str
    sex: str
    tier: str
    category: str
    package: str
    path: str


@dataclass(frozen=True)
class Group:
    """Hold the clips of one speaker, or of one noise category.

    Attributes
    ----------
    name : str
        Name of the speaker or of the category.
    clips : tuple of Clip
        Its clips.
    """

    name: str
    clips: tuple[Clip, ...]

    @functools.cached_property
    def samples(self) -> int:
        """Return the number of samples of all clips."""
        return sum(clip.samples for clip in self.clips)

    @functools.cached_property
    def odds(self) -> np.ndarray:
        """Cumulative probabilities of the clips.

        They are proportional to the square roots of the lengths.

        Returns
        -------
        np.ndarray [shape=(clips,), dtype=float64]
        """
        return cumulative(clip.samples for clip in self.clips)


@dataclass(frozen=True)
class Corpus:
    """Hold one split of a corpus. Speakers and noises are disjoint between the splits.

    Attributes
    ----------
    name, split : str
        See `open_corpus`.
    speech, noise : np.ndarray [shape=(samples,), dtype=int16]
        Sound at 16 kHz, read from disk on access. A clip is
        ``speech[clip.offset:][:clip.samples]``.
    speakers : tuple of Group
        One group per speaker, sorted by name.
    categories : tuple of Group
        One group per noise category, sorted by name.
    """

    name: str
    split: str
    speech: np.ndarray
    noise: np.ndarray
    speakers: tuple[Group, ...]
    categories: tuple[Group, ...]

    @functools.cached_property
    def speaker_odds(self) -> np.ndarray:
        """Cumulative probabilities of the speakers.

        They are proportional to the square roots of the lengths.

        Returns
        -------
        np.ndarray [shape=(speakers,), dtype=float64]
        """
        return cumulative(group.samples for group in self.speakers)

    @functools.cached_property
    def category_odds(self) -> np.ndarray:
        """Cumulative probabilities of the noise categories, so that music does not dominate.

        They are proportional to the square roots of the lengths.

        Returns
        -------
        np.ndarray [shape=(categories,), dtype=float64]
        """
        return cumulative(group.samples for group in self.categories)

    @functools.cached_property
    def balanced_odds(self) -> np.ndarray:
        """Cumulative probabilities of the noise categories by their weights in ``sources.toml``.

        A category without a weight there has a weight of 1.

        Returns
        -------
        np.ndarray [shape=(categories,), dtype=float64]
        """
        known = weights()
        odds = np.cumsum([known.get(group.name, 1.0) for group in self.categories])
        return odds / odds[-1] if odds.size else odds


def open_corpus(split: str, *, name: str = DEFAULT) -> Corpus:
    """Open one split of a corpus that ``groupcomm data`` has built.

    Parameters
    ----------
    split : {"train", "validation", "test", "test-2026-11"}
        Split. "test-2026-11" is the test split of release 0.1.0; a corpus from a user's folders
        does not have it.
    name : str
        "open", "open-voices", "debian", "debian-voices", or the name that was given with
        ``groupcomm data --source DIR --name NAME``.

    Returns
    -------
    Corpus

    Raises
    ------
    UserError
        When there is no such split or corpus, or its files do not fit together.
    """
    if split not in SPLITS:
        raise UserError(f"split {split!r}: there is no such split; use {_either(SPLITS)}")
    splits = tuple(report(name)["hours"])
    if split not in splits:
        raise UserError(
            f"corpus {name!r}: has no split {split}; "
            f"use {_either(splits)}, or build it again with `{_command(name)}`"
        )
    folder = corpus_dir(name) / split
    again = f"delete the corpus's folder and run `{_command(name)}` again"
    try:
        with open(folder / "clips.tsv", encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
        clips = [
            Clip(**row | {"offset": int(row["offset"]), "samples": int(row["samples"])})
            for row in rows
        ]
        _check_places(clips)
        sounds = {kind: _memmap(folder / f"{kind}.i16") for kind in ("speech", "noise")}
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as e:
        raise UserError(f"{folder}: the corpus is damaged ({printable(str(e))}); {again}") from e
    for kind, sound in sounds.items():
        if sound.size != sum(clip.samples for clip in clips if clip.kind == kind):
            raise UserError(
                f"{folder / kind}.i16: {sound.size} samples do not match clips.tsv; {again}"
            )
    return Corpus(
        name=name,
        split=split,
        speech=sounds["speech"],
        noise=sounds["noise"],
        speakers=_groups((clip for clip in clips if clip.kind == "speech"), "speaker"),
        categories=_groups((clip for clip in clips if clip.kind == "noise"), "category"),
    )


def names() -> list[str]:
    """Return the names of the corpora that are built on this machine.

    Returns
    -------
    list of str
    """
    return sorted(file.parent.name for file in (cache_dir() / "corpus").glob("[!.]*/corpus.json"))


def corpus_dir(name: str) -> Path:
    """Return the folder of a corpus, which need not exist.

    Parameters
    ----------
    name : str
        Name of the corpus.

    Returns
    -------
    Path
    """
    return cache_dir() / "corpus" / name


def report(name: str) -> dict:
    """Read the report that ``groupcomm data`` wrote about a corpus: its corpus.json.

    Parameters
    ----------
    name : str
        Name of the corpus.

    Returns
    -------
    dict
        ``schema``, ``name``, ``key`` (a hash of the sources), and by split ``hours``, ``speakers``
        and ``categories``; ``missing``, the number of sounds that could not be used, by part.

    Raises
    ------
    UserError
        When there is no such corpus, or another version of this program built it.
    """
    command = _command(name)
    path = corpus_dir(name) / "corpus.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = difflib.get_close_matches(name, [*COMMANDS, *names()], 1)
        hint = f"did you mean {near[0]}? Otherwise " if near and near[0] != name else ""
        raise UserError(
            f"corpus {name!r} is not in {path.parent.parent}; {hint}run `{command}`"
        ) from None
    except (OSError, ValueError, RecursionError) as e:
        raise UserError(
            f"{path}: cannot be read ({e}); delete its folder and run `{command}`"
        ) from e
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{path}: schema {schema}, this program reads {SCHEMA}; run `{command}`")
    if not isinstance(value.get("hours"), dict) or not value["hours"]:
        raise UserError(f"{path}: has no hours; delete its folder and run `{command}`")
    return value


def cumulative(samples) -> np.ndarray:
    """Return cumulative probabilities that are proportional to the square roots of lengths.

    Parameters
    ----------
    samples : iterable of int
        Lengths.

    Returns
    -------
    np.ndarray [shape=(lengths,), dtype=float64]
        Ascending, with 1 at the end; empty without lengths.
    """
    odds = np.cumsum(np.sqrt(np.fromiter(samples, np.float64)))
    return odds / odds[-1] if odds.size else odds


def _command(name: str) -> str:
    """Return the command that builds a corpus."""
    return COMMANDS.get(name, f"groupcomm data --source DIR --name {name}")


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _check_places(clips: list[Clip]) -> None:
    """Raise a ValueError unless the clips of each kind follow one another."""
    ends = {"speech": 0, "noise": 0}
    for clip in clips:
        if clip.offset != ends[clip.kind] or clip.samples < 1:
            raise ValueError(f"{clip.path} is not behind the clip before it")
        ends[clip.kind] += clip.samples


def _memmap(path: Path) -> np.ndarray:
    return np.memmap(path, "<i2", "r") if path.stat().st_size else np.zeros(0, "<i2")


def _groups(clips, field: str) -> tuple[Group, ...]:
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(getattr(clip, field), []).append(clip)
    return tuple(Group(name, tuple(groups[name])) for name in sorted(groups))
