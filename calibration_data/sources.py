"""Read the committed lists of packages and repositories and of their files.

``sources.toml`` names the packages, the repositories and the speakers. ``speech.tsv.gz`` and
``noise.tsv.gz`` list the files of packages by the MD5 of their content. ``recordings.tsv.gz`` lists
those of repositories by path and SHA-256. A file that is not listed is not part of the corpus.
"""

import csv
import gzip
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLD_TEST = "test-2026-11"  # keeps the files of the test split of 2026-11, and so its mixtures
OWN_SPLITS = ("train", "validation", "test")  # splits of a corpus from a user's folders
SPLITS = (*OWN_SPLITS, OLD_TEST)


@dataclass(frozen=True)
class Package:
    """Describe one Debian package.

    Attributes
    ----------
    name, version : str
        Name and exact version.
    bytes : int
        Size of the .deb.
    sha256 : str
        Checksum of the .deb.
    licence : str
        Licence of its sounds.
    what : str
        Its content, in words.
    """

    name: str
    version: str
    bytes: int
    sha256: str
    licence: str
    what: str

    @property
    def file(self) -> str:
        """Return the file name that apt gives to the package."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_all.deb"


@dataclass(frozen=True)
class Wheel(Package):
    """Describe one wheel of PyPI, of which only data is read; the attributes are the same."""

    @property
    def file(self) -> str:
        """Return the file name that pip gives to the wheel."""
        return f"{self.module}-{self.version}-py3-none-any.whl"

    @property
    def module(self) -> str:
        """Return the name of the folder in the wheel."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Repository:
    """Describe one public repository.

    Attributes
    ----------
    name : str
        Short name.
    address : str
        Address at GitHub.
    commit : str
        Commit from which the files are taken.
    licence : str
        Licence of its sounds.
    what : str
        Its content, in words.
    """

    name: str
    address: str
    commit: str
    licence: str
    what: str


@dataclass(frozen=True)
class Entry:
    """Describe a sound before it is decoded.

    Attributes
    ----------
    split : str
        One of `SPLITS`, or two with a comma between them.
    package : str
        Package, repository, or folder of the user.
    speaker, lang : str
        Speaker and language of speech; "" for noise.
    category : str
        Category of noise; "" for speech.
    """

    split: str
    package: str
    speaker: str = ""
    lang: str = ""
    category: str = ""

    @property
    def splits(self) -> tuple[str, ...]:
        """Return all splits that contain the sound."""
        return tuple(self.split.split(","))


@dataclass(frozen=True)
class Recording:
    """Describe one file of a repository.

    Attributes
    ----------
    path : str
        Path in the repository.
    file : str
        Path in the folder that ``groupcomm data --recordings`` reads.
    sha256 : str
        SHA-256 of the file in the repository.
    samples : str
        SHA-256 of its samples as little-endian int16, which identifies a lossless copy in another
        format. "" for a lossy format, because its samples depend on the decoder.
    entry : Entry
        Its properties.
    """

    path: str
    file: str
    sha256: str
    samples: str
    entry: Entry


def packages() -> dict[str, Package]:
    """Return the packages by name, in the order of ``sources.toml``.

    Returns
    -------
    dict of str to Package
    """
    return {name: Package(name, **fields) for name, fields in _toml()["packages"].items()}


def wheels() -> dict[str, Wheel]:
    """Return the wheels of the synthesizer Kokoro by name, in the order of ``sources.toml``.

    Returns
    -------
    dict of str to Wheel
    """
    return {name: Wheel(name, **fields) for name, fields in _toml()["wheels"].items()}


def repositories() -> dict[str, Repository]:
    """Return the repositories by name, in the order of ``sources.toml``.

    Returns
    -------
    dict of str to Repository
    """
    return {name: Repository(name, **fields) for name, fields in _toml()["repositories"].items()}


def speakers() -> dict[str, dict[str, str]]:
    """Return the properties of the speakers of packages and repositories.

    Returns
    -------
    dict of str to dict
        For each speaker, ``sex`` ("F", "M" or "") and ``tier`` ("core" or "minor").
    """
    return _toml()["speakers"]


def weights() -> dict[str, float]:
    """Return the weights of the noise categories (see `calibration_data.corpus.Corpus`).

    Returns
    -------
    dict of str to float
    """
    return _toml()["weights"]


def reserved() -> dict[str, list[str]]:
    """Return the names of packages and speakers that a corpus must never contain.

    Returns
    -------
    dict of str to list of str
        ``packages`` and ``speakers``.
    """
    return _toml()["reserved"]


def listed() -> dict[str, dict[str, Entry]]:
    """Return the listed files of all packages.

    Returns
    -------
    dict of str to dict
        For each package, an `Entry` by MD5.
    """
    entries: dict[str, dict[str, Entry]] = {name: {} for name in packages()}
    for table in ("speech", "noise"):
        for row in _rows(table):
            md5 = row.pop("md5")
            entries[row["package"]][md5] = Entry(**row)
    return entries


def recordings() -> dict[str, list[Recording]]:
    """Return the listed files of all repositories.

    Returns
    -------
    dict of str to list of Recording
    """
    result: dict[str, list[Recording]] = {name: [] for name in repositories()}
    for row in _rows("recordings"):
        speaker = row["speaker"]
        entry = Entry(
            row["split"],
            row["repository"],
            speaker=speaker,
            lang="en" if speaker else "",
            category=row["category"],
        )
        result[row["repository"]].append(
            Recording(row["path"], row["file"], row["sha256"], row["samples"], entry)
        )
    return result


def _rows(table: str) -> Iterator[dict[str, str]]:
    with gzip.open(HERE / f"{table}.tsv.gz", "rt", encoding="utf-8", newline="") as f:
        yield from csv.DictReader(f, delimiter="\t")


def _toml() -> dict:
    return tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))
