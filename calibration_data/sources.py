"""The committed lists: packages and repositories, and which of their files, by whom and in which split.

``sources.toml`` names the packages, the repositories and the speakers; ``speech.tsv.gz`` and ``noise.tsv.gz`` name the files of
packages by the md5 of their bytes, ``recordings.tsv.gz`` those of repositories by path and SHA-256. A file that is not listed stays
out of the corpus.
"""

import csv
import gzip
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLD_TEST = "test-2026-11"  # the test split of 2026-11, file for file, so that its mixtures remain what they were
OWN_SPLITS = ("train", "validation", "test")  # of a corpus from a user's folders
SPLITS = (*OWN_SPLITS, OLD_TEST)


@dataclass(frozen=True)
class Package:
    """One Debian package: exact version, size and checksum of its .deb, licence of its sounds."""

    name: str
    version: str
    bytes: int
    sha256: str
    licence: str
    what: str

    @property
    def file(self) -> str:
        """The name apt gives the file."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_all.deb"


@dataclass(frozen=True)
class Repository:
    """One public repository: its address at GitHub, the commit, the licence of its sounds."""

    name: str
    address: str
    commit: str
    licence: str
    what: str


@dataclass(frozen=True)
class Entry:
    """What is known of a sound before it is decoded. Speech has a speaker and no category, noise the other way round."""

    split: str  # one of SPLITS, or two with a comma between them
    package: str  # or the repository, or the user's folder
    speaker: str = ""
    lang: str = ""
    category: str = ""

    @property
    def splits(self) -> tuple[str, ...]:
        """Every split that the sound is in."""
        return tuple(self.split.split(","))


@dataclass(frozen=True)
class Recording:
    """One file of a repository.

    Attributes
    ----------
    path : in the repository
    file : in the folder that ``groupcomm data --recordings`` reads
    sha256 : of the bytes of the file in the repository
    samples : SHA-256 of its samples, int16 little-endian, for whoever has a lossless copy in another format; "" for a lossy format,
        which does not decode to the same samples everywhere
    """

    path: str
    file: str
    sha256: str
    samples: str
    entry: Entry


def packages() -> dict[str, Package]:
    """Packages by name, in the order of sources.toml."""
    return {name: Package(name, **fields) for name, fields in _toml()["packages"].items()}


def repositories() -> dict[str, Repository]:
    """Repositories by name, in the order of sources.toml."""
    return {name: Repository(name, **fields) for name, fields in _toml()["repositories"].items()}


def speakers() -> dict[str, dict[str, str]]:
    """``{speaker: {"sex": "F" | "M" | "", "tier": "core" | "minor"}}`` of packages and repositories."""
    return _toml()["speakers"]


def weights() -> dict[str, float]:
    """``{noise category: weight}`` for balanced odds (`calibration_data.corpus.Corpus.balanced_odds`)."""
    return _toml()["weights"]


def reserved() -> dict[str, list[str]]:
    """Names of packages and speakers that the corpus must never contain: ``{"packages": [...], "speakers": [...]}``."""
    return _toml()["reserved"]


def listed() -> dict[str, dict[str, Entry]]:
    """``{package: {md5: Entry}}`` of every file of a package that the corpus is made of."""
    entries: dict[str, dict[str, Entry]] = {name: {} for name in packages()}
    for table in ("speech", "noise"):
        for row in _rows(table):
            md5 = row.pop("md5")
            entries[row["package"]][md5] = Entry(**row)
    return entries


def recordings() -> dict[str, list[Recording]]:
    """``{repository: [Recording]}`` of every file of a repository that the corpus is made of."""
    found: dict[str, list[Recording]] = {name: [] for name in repositories()}
    for row in _rows("recordings"):
        speaker = row["speaker"]
        entry = Entry(row["split"], row["repository"], speaker=speaker, lang="en" if speaker else "", category=row["category"])
        found[row["repository"]].append(Recording(row["path"], row["file"], row["sha256"], row["samples"], entry))
    return found


def _rows(table: str) -> Iterator[dict[str, str]]:
    with gzip.open(HERE / f"{table}.tsv.gz", "rt", encoding="utf-8", newline="") as f:
        yield from csv.DictReader(f, delimiter="\t")


def _toml() -> dict:
    return tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))
