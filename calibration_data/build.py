"""The builder: Debian packages, or a user's own folders, to a speaker-disjoint corpus (see `calibration_data.corpus`).

It works in parts (a package; a speaker's folder). A finished part is kept until the corpus is whole, so a run that was
stopped goes on where it was.
"""

import contextlib
import csv
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path, PurePath

import numpy as np

from calibration_data import corpus, sources
from calibration_data.audio import RATE, SUFFIXES, decode
from calibration_data.corpus import Clip
from calibration_data.sources import SPLITS, Entry, Package
from groupcomm.console import progress
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, atomic_path, cache_dir, sha256

SILENCE_DB = {"speech": 40, "noise": 60}
WORKERS = 2  # threads: unpacking runs in its own process, decoding and resampling outside Python's lock
BLOCK = 1 << 20


class _Stopped(Exception):
    """Another part failed or the user pressed Ctrl-C: end this one too."""


@dataclass(frozen=True)
class _Part:
    """A piece of work that is done wholly or not at all: ``files()`` yields (path, bytes), ``entries`` is by md5."""

    name: str
    entries: dict[str, Entry]
    files: Callable[[Callable[[], None]], Iterator[tuple[str, bytes]]]  # takes a function that raises when to stop


# ------------------------------------------------------------------------------------------------ Debian packages


def build_debian() -> dict:
    """Fetch, check, unpack and decode the packages of ``sources.toml``; lay the corpus "debian".

    Returns
    -------
    The corpus's report; ``missing`` lists, by package, how many listed files were not found or not readable.

    Raises
    ------
    UserError
        When a package cannot be fetched, its checksum is wrong, or the disk is full.
    """
    key = hashlib.sha256()
    for name in ("sources.toml", "speech.tsv.gz", "noise.tsv.gz"):
        key.update((sources.HERE / name).read_bytes())
    if (done := _done("debian", key.hexdigest())) is not None:
        return done
    packages, listed = sources.packages(), sources.listed()
    folder = _parts_dir("debian", key.hexdigest())
    todo = [packages[name] for name in packages if not (folder / name).exists()]
    _fetch([package for package in todo if not (_packages_dir() / package.file).exists()])
    parts = [_Part(name, listed[name], _unpacker(packages[name])) for name in packages]
    return _build("debian", key.hexdigest(), parts, by_size=[package.name for package in packages.values()])
