"""Recordings of public repositories: from a folder that the user names, or from their public addresses.

Whichever it is, a file is checked: by its own bytes, or, where it is a lossless copy in another format, by its samples. So the
corpus is the same.
"""

import hashlib
import io
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath

from calibration_data.sources import Entry, Recording, Repository
from groupcomm.console import progress
from groupcomm.errors import UserError
from groupcomm.files import atomic_path, cache_dir

BASE = "https://raw.githubusercontent.com"  # GROUPCOMM_RECORDINGS_URL chooses another address with the same paths below it
LOSSLESS = (".wav", ".flac")
DOWNLOADS = 8  # at a time: the files are small, and most of the time is spent waiting
TIMEOUT = 60  # seconds


def recordings_dir() -> Path:
    """The folder of the recordings that `fetch` has downloaded."""
    return cache_dir() / "recordings"


def fetch(repository: Repository, recordings: list[Recording]) -> None:
    """Download the recordings of a repository that are not in `recordings_dir` yet, and check each of them.

    Raises
    ------
    UserError
        When the address cannot be reached, a file is not there, or its checksum is wrong.
    """
    todo = [recording for recording in recordings if not _kept(repository, recording).exists()]
    if not todo:
        return
    with progress() as bar, ThreadPoolExecutor(DOWNLOADS) as pool:
        task = bar.add_task(f"fetch {repository.name} (files)", total=len(todo))
        try:
            for future in as_completed([pool.submit(_download, repository, recording) for recording in todo]):
                future.result()
                bar.advance(task)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def require(recordings: list[Recording], folder: Path) -> None:
    """Look whether a folder holds every recording, without reading them.

    Raises
    ------
    UserError
        When one is not there.
    """
    missing = [path for recording in recordings if not (path := _in_folder(folder, recording)).exists()]
    if missing:
        others = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise UserError(f"{missing[0]}{others}: not there; --recordings needs the folder that holds every recording of recordings.tsv.gz")


def sounds(
    repository: Repository, recordings: list[Recording], folder: Path | None, check: Callable[[], None]
) -> Iterator[tuple[str, bytes, Entry]]:
    """Yield path, bytes and entry of every recording of a repository, as a part of a corpus does (`calibration_data.build`).

    Parameters
    ----------
    folder : ``speech/TALKER/NAME.flac`` and ``noise/NAME.ogg`` as in recordings.tsv.gz; WAV and FLAC may stand for each other. None
        for what `fetch` has downloaded
    check : called before each file

    Raises
    ------
    UserError
        When a file is missing, cannot be read, or is not the one that is listed.
    """
    for recording in recordings:
        check()
        path = _kept(repository, recording) if folder is None else _in_folder(folder, recording)
        try:
            data = path.read_bytes()
        except OSError as e:
            raise UserError(f"{path}: cannot be read ({e.strerror}); the corpus needs every recording that it lists") from e
        if not _is_listed(data, recording):
            remedy = "delete it and run `groupcomm data` again" if folder is None else "take it from the repository again"
            raise UserError(f"{path}: is not the listed recording, its checksums differ; {remedy}")
        yield recording.path, data, recording.entry


def samples_sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of a sound file's samples as int16 little-endian; "" when it is not a sound file."""
    import soundfile

    try:
        samples, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a headerless format, for soundfile
        return ""
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


def _is_listed(data: bytes, recording: Recording) -> bool:
    return hashlib.sha256(data).hexdigest() == recording.sha256 or bool(recording.samples) and samples_sha256(data) == recording.samples


def _with_suffixes(name: str) -> list[str]:
    """The name, and the same with the other suffixes of a lossless format."""
    suffix = PurePosixPath(name).suffix
    return [name, *(name.removesuffix(suffix) + other for other in LOSSLESS if suffix in LOSSLESS and other != suffix)]


def _in_folder(folder: Path, recording: Recording) -> Path:
    paths = [folder / name for name in _with_suffixes(recording.file)]
    return next((path for path in paths if path.exists()), paths[0])


def _kept(repository: Repository, recording: Recording) -> Path:
    return recordings_dir() / repository.name / recording.path


def _download(repository: Repository, recording: Recording) -> None:
    base = os.environ.get("GROUPCOMM_RECORDINGS_URL") or BASE
    top = f"{base}{urllib.parse.urlsplit(repository.address).path}/{repository.commit}"
    instead = "give a folder that holds the recordings with --recordings DIR, or build the corpus without them: `groupcomm data --debian`"
    for name in _with_suffixes(recording.path):
        address = f"{top}/{urllib.parse.quote(name)}"
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
                data = response.read()
            break
        except urllib.error.HTTPError as e:
            if e.code != 404:
                raise UserError(f"{address}: the server answers {e.code} ({e.reason}); try again later, or {instead}") from e
        except OSError as e:  # URLError is one, and so is a time limit that has passed
            raise UserError(f"{address}: cannot be fetched ({getattr(e, 'reason', e)}); {instead}") from e
    else:
        raise UserError(f"{top}/{urllib.parse.quote(recording.path)}: is not there; {instead}")
    if not _is_listed(data, recording):
        raise UserError(f"{address}: is not the listed recording, its checksums differ; {instead}")
    with atomic_path(_kept(repository, recording)) as part:
        part.write_bytes(data)
