"""A corpus on disk, opened one split at a time.

cache_dir()/corpus/NAME/corpus.json                     what was built from what, hours
cache_dir()/corpus/NAME/SPLIT/{speech,noise}.i16        clips one after the other: int16 little-endian, 16 kHz mono
cache_dir()/corpus/NAME/SPLIT/clips.tsv                 one line a clip: where it lies and what it is
"""

import csv
import difflib
import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration_data.sources import SPLITS, weights
from groupcomm.errors import UserError
from groupcomm.files import cache_dir

SCHEMA = 1
COMMANDS = {  # what builds the corpora that have a name of their own
    "open": "groupcomm data",
    "open-voices": "groupcomm data --voices",
    "debian": "groupcomm data --debian",
    "debian-voices": "groupcomm data --debian --voices",
}


@dataclass(frozen=True)
class Clip:
    """One recording: ``offset`` and ``samples`` in ``Corpus.speech`` or ``Corpus.noise``. Unknown texts are ""."""

    kind: str  # "speech" or "noise"
    offset: int
    samples: int
    speaker: str  # of speech
    lang: str
    sex: str  # "F", "M" or ""
    tier: str  # "core", "minor", "synthetic" or ""
    category: str  # of noise
    package: str  # or the repository, or the user's folder
    path: str  # inside the package, repository or folder


@dataclass(frozen=True)
class Group:
    """The clips of one speaker, or of one noise category."""

    name: str
    clips: tuple[Clip, ...]

    @functools.cached_property
    def samples(self) -> int:
        """Samples of all its clips."""
        return sum(clip.samples for clip in self.clips)

    @functools.cached_property
    def odds(self) -> np.ndarray:
        """float64 [clips]: cumulative odds of drawing each clip, by the square root of its length."""
        return cumulative(clip.samples for clip in self.clips)


@dataclass(frozen=True)
class Corpus:
    """One split of a corpus. Speakers and noises are disjoint between the splits.

    Attributes
    ----------
    name, split : as given to `open_corpus`
    speech, noise : int16 [samples], read from disk as needed; a clip is ``speech[clip.offset:][:clip.samples]``
    speakers : one `Group` a speaker, sorted by name
    categories : one `Group` a noise category, sorted by name
    """

    name: str
    split: str
    speech: np.ndarray
    noise: np.ndarray
    speakers: tuple[Group, ...]
    categories: tuple[Group, ...]

    @functools.cached_property
    def speaker_odds(self) -> np.ndarray:
        """float64 [speakers]: cumulative odds of drawing each speaker, by the square root of what there is of it."""
        return cumulative(group.samples for group in self.speakers)

    @functools.cached_property
    def category_odds(self) -> np.ndarray:
        """float64 [categories]: the same for noise, so that music does not drown the rest."""
        return cumulative(group.samples for group in self.categories)

    @functools.cached_property
    def balanced_odds(self) -> np.ndarray:
        """float64 [categories]: cumulative odds of drawing each noise category by its weight in ``sources.toml``, else 1."""
        known = weights()
        odds = np.cumsum([known.get(group.name, 1.0) for group in self.categories])
        return odds / odds[-1] if odds.size else odds


def open_corpus(split: str, *, name: str = "open") -> Corpus:
    """Open one split of a corpus that ``groupcomm data`` has built.

    Parameters
    ----------
    split : "train", "validation", "test", or "test-2026-11": the test split of earlier versions (not of a corpus from own folders)
    name : "open", "open-voices", "debian", "debian-voices", or the name given with ``groupcomm data --source DIR --name NAME``

    Raises
    ------
    UserError
        When there is no such split, the corpus is not there, or its files do not fit together.
    """
    if split not in SPLITS:
        raise UserError(f"split {split!r}: there is no such split; use {_either(SPLITS)}")
    there = tuple(report(name)["hours"])
    if split not in there:
        raise UserError(f"corpus {name!r}: has no split {split}; use {_either(there)}, or build it again with `{_command(name)}`")
    folder = corpus_dir(name) / split
    again = f"delete the corpus's folder and run `{_command(name)}` again"
    try:
        with open(folder / "clips.tsv", encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
        clips = [Clip(**row | {"offset": int(row["offset"]), "samples": int(row["samples"])}) for row in rows]
        sounds = {kind: _memmap(folder / f"{kind}.i16") for kind in ("speech", "noise")}
    except (OSError, ValueError, TypeError, KeyError) as e:
        raise UserError(f"{folder}: the corpus is damaged ({e}); {again}") from e
    for kind, sound in sounds.items():
        if sound.size != sum(clip.samples for clip in clips if clip.kind == kind):
            raise UserError(f"{folder / kind}.i16: {sound.size} samples are not what clips.tsv says; {again}")
    return Corpus(
        name=name,
        split=split,
        speech=sounds["speech"],
        noise=sounds["noise"],
        speakers=_groups((clip for clip in clips if clip.kind == "speech"), "speaker"),
        categories=_groups((clip for clip in clips if clip.kind == "noise"), "category"),
    )


def names() -> list[str]:
    """Return the names of the corpora that are built on this machine."""
    return sorted(file.parent.name for file in (cache_dir() / "corpus").glob("[!.]*/corpus.json"))


def corpus_dir(name: str) -> Path:
    """The folder of the corpus of that name, whether it is there or not."""
    return cache_dir() / "corpus" / name


def report(name: str) -> dict:
    """What ``groupcomm data`` wrote about a corpus (its corpus.json).

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
        raise UserError(f"corpus {name!r} is not in {path.parent.parent}; {hint}run `{command}`") from None
    except (OSError, ValueError) as e:
        raise UserError(f"{path}: cannot be read ({e}); delete its folder and run `{command}`") from e
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{path}: schema {schema}, this program reads {SCHEMA}; run `{command}`")
    return value


def cumulative(samples) -> np.ndarray:
    """float64 [n]: cumulative odds in 0..1, each in proportion to the square root of its share."""
    odds = np.cumsum(np.sqrt(np.fromiter(samples, np.float64)))
    return odds / odds[-1] if odds.size else odds


def _command(name: str) -> str:
    """The command that builds a corpus."""
    return COMMANDS.get(name, f"groupcomm data --source DIR --name {name}")


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _memmap(path: Path) -> np.ndarray:
    return np.memmap(path, "<i2", "r") if path.stat().st_size else np.zeros(0, "<i2")


def _groups(clips, field: str) -> tuple[Group, ...]:
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(getattr(clip, field), []).append(clip)
    return tuple(Group(name, tuple(groups[name])) for name in sorted(groups))
