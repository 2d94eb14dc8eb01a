"""Read the recordings of public repositories, from a folder or from their public addresses.

Each file is checked by the checksum of its content, or, when it is a lossless copy in another
format, by the checksum of its samples. Both ways therefore give the same corpus.
"""

import hashlib
import io
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath

from calibration_data.sources import Entry, Recording, Repository
from groupcomm.console import step
from groupcomm.errors import UserError
from groupcomm.files import atomic_path, cache_dir

# GROUPCOMM_RECORDINGS_URL selects another address with the same paths.
BASE = "https://raw.githubusercontent.com"
LOSSLESS = (".wav", ".flac")
DOWNLOADS = 8  # at the same time; the files are small, and most of the time is latency
TIMEOUT = 60  # seconds
BLOCK = 1 << 16  # bytes


def recordings_dir() -> Path:
    """Return the folder of the recordings that `fetch` has downloaded.

    Returns
    -------
    Path
    """
    return cache_dir() / "recordings"


def fetch(repository: Repository, recordings: list[Recording]) -> None:
    """Download and check the recordings of a repository that are not in `recordings_dir`.

    Parameters
    ----------
    repository : Repository
        The repository.
    recordings : list of Recording
        Its recordings.

    Raises
    ------
    UserError
        When the address cannot be reached, a file does not exist, or its checksum differs.
    """
    todo = [
        recording for recording in recordings if not _cache_path(repository, recording).exists()
    ]
    if not todo:
        return
    stop = threading.Event()
    what = f"download {repository.name} (files)"
    with step(what, len(todo)) as shown, ThreadPoolExecutor(DOWNLOADS) as pool:
        try:
            for future in as_completed(
                [pool.submit(_download, repository, recording, stop) for recording in todo]
            ):
                future.result()
                shown.advance()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def require(recordings: list[Recording], folder: Path) -> None:
    """Check that a folder contains every recording, without reading the files.

    Parameters
    ----------
    recordings : list of Recording
        The recordings.
    folder : Path
        Folder with the layout of `sounds`.

    Raises
    ------
    UserError
        When a recording is missing.
    """
    missing = [
        path for recording in recordings if not (path := _in_folder(folder, recording)).exists()
    ]
    if missing:
        others = f" and {len(missing) - 1} more" if missing[1:] else ""
        raise UserError(
            f"{missing[0]}{others}: missing; --recordings needs the folder that contains "
            "every recording of recordings.tsv.gz"
        )


def sounds(
    repository: Repository,
    recordings: list[Recording],
    folder: Path | None,
    check: Callable[[], None],
) -> Iterator[tuple[str, bytes, Entry]]:
    """Yield the path, the content and the entry of every recording of a repository.

    Parameters
    ----------
    repository : Repository
        The repository.
    recordings : list of Recording
        Its recordings.
    folder : Path, optional
        Folder with ``speech/TALKER/NAME.flac`` and ``noise/NAME.ogg``, as listed in
        recordings.tsv.gz. WAV and FLAC are interchangeable. None reads what `fetch` has downloaded.
    check : callable
        Function without arguments that is called before each file (see
        `calibration_data.building.build`).

    Yields
    ------
    path : str
        Path in the repository.
    data : bytes
        Content of the file.
    entry : Entry
        Its properties.

    Raises
    ------
    UserError
        When a file is missing, cannot be read, or is not the listed one.
    """
    for recording in recordings:
        check()
        path = (
            _cache_path(repository, recording) if folder is None else _in_folder(folder, recording)
        )
        try:
            data = path.read_bytes()
        except OSError as e:
            raise UserError(
                f"{path}: cannot be read ({e.strerror}); the corpus needs every listed recording"
            ) from e
        if not _is_listed(data, recording):
            remedy = (
                "delete it and run `groupcomm data` again"
                if folder is None
                else "copy it from the repository again"
            )
            raise UserError(f"{path}: is not the listed recording, its checksums differ; {remedy}")
        yield recording.path, data, recording.entry


def samples_sha256(data: bytes) -> str:
    """Return the SHA-256 of the samples of a sound file.

    Parameters
    ----------
    data : bytes
        Content of the file.

    Returns
    -------
    str
        Hexadecimal SHA-256 of the samples as little-endian int16; "" when it is not a sound file.
    """
    import soundfile

    try:
        samples, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    except Exception:  # of libsndfile
        return ""
    return hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest()


def _is_listed(data: bytes, recording: Recording) -> bool:
    return (
        hashlib.sha256(data).hexdigest() == recording.sha256
        or bool(recording.samples)
        and samples_sha256(data) == recording.samples
    )


def _with_suffixes(name: str) -> list[str]:
    """Return the name, and the name with the suffixes of the other lossless formats."""
    suffix = PurePosixPath(name).suffix
    return [
        name,
        *(
            name.removesuffix(suffix) + other
            for other in LOSSLESS
            if suffix in LOSSLESS and other != suffix
        ),
    ]


def _in_folder(folder: Path, recording: Recording) -> Path:
    paths = [folder / name for name in _with_suffixes(recording.file)]
    return next((path for path in paths if path.exists()), paths[0])


def _cache_path(repository: Repository, recording: Recording) -> Path:
    return recordings_dir() / repository.name / recording.path


def _download(repository: Repository, recording: Recording, stop: threading.Event) -> None:
    base = os.environ.get("GROUPCOMM_RECORDINGS_URL") or BASE
    top = f"{base}{urllib.parse.urlsplit(repository.address).path}/{repository.commit}"
    instead = (
        "give a folder that contains the recordings with --recordings DIR, "
        "or build the corpus without them: `groupcomm data --debian`"
    )
    for name in _with_suffixes(recording.path):
        address = f"{top}/{urllib.parse.quote(name)}"
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT) as response:
                blocks = []
                while not stop.is_set() and (block := response.read(BLOCK)):
                    blocks.append(block)
            if stop.is_set():
                return
            data = b"".join(blocks)
            break
        except urllib.error.HTTPError as e:
            if e.code != 404:
                raise UserError(
                    f"{address}: the server answers {e.code} ({e.reason}); "
                    f"try again later, or {instead}"
                ) from e
        except OSError as e:  # URLError and a timeout are OSErrors
            raise UserError(
                f"{address}: cannot be downloaded ({getattr(e, 'reason', e)}); {instead}"
            ) from e
    else:
        raise UserError(f"{top}/{urllib.parse.quote(recording.path)}: does not exist; {instead}")
    if not _is_listed(data, recording):
        raise UserError(f"{address}: is not the listed recording, its checksums differ; {instead}")
    with atomic_path(_cache_path(repository, recording)) as part:
        part.write_bytes(data)
