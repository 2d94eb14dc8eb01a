"""The committed lists: which packages, and which of their files, by whom and in which split.

``sources.toml`` names the packages and the speakers; ``speech.tsv.gz`` and ``noise.tsv.gz`` name the files by the md5 of
their bytes. A file of a package that is not listed stays out of the corpus.
"""

import csv
import gzip
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPLITS = ("train", "validation", "test")


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
class Entry:
    """What is known of a sound before it is decoded. Speech has a speaker and no category, noise the other way round."""

    split: str
    package: str
    speaker: str = ""
    lang: str = ""
    category: str = ""


def packages() -> dict[str, Package]:
    """Packages by name, in the order of sources.toml."""
    return {name: Package(name, **fields) for name, fields in _toml()["packages"].items()}


def speakers() -> dict[str, dict[str, str]]:
    """``{speaker: {"sex": "F" | "M" | "", "tier": "core" | "minor"}}`` of the Debian corpus."""
    return _toml()["speakers"]


def listed() -> dict[str, dict[str, Entry]]:
    """``{package: {md5: Entry}}`` of every file that the Debian corpus is made of."""
    entries: dict[str, dict[str, Entry]] = {name: {} for name in packages()}
    for table in ("speech", "noise"):
        with gzip.open(HERE / f"{table}.tsv.gz", "rt", encoding="utf-8", newline="") as f:
            for row in csv.DictReader(f, delimiter="\t"):
                md5 = row.pop("md5")
                entries[row["package"]][md5] = Entry(**row)
    return entries


def _toml() -> dict:
    return tomllib.loads((HERE / "sources.toml").read_text(encoding="utf-8"))
