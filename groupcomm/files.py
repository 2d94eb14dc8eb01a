"""Write files completely or not at all, and find those that the project ships."""

import contextlib
import ctypes
import errno
import hashlib
import importlib.resources
import json
import math
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from groupcomm.errors import UserError

# The checkout, for what only a checkout has: Bazel's workspace and the tests.
REPO = Path(__file__).resolve().parent.parent
FULL = 1 << 16  # bytes; with less than this, a disk is full
_SCRATCH = ".groupcomm-"  # before eight characters, the name of a folder for one process


def resource(path: str) -> Path:
    """Return the path of a file or folder that the project ships.

    It works in a checkout and in an installation. The folders of the Python packages
    (``convert/bundles`` for example) are where the packages are. Everything else, such as ``micro``
    and ``LICENSE``, is in the root of a checkout; the wheel has it in ``groupcomm/_data``.

    Parameters
    ----------
    path : str
        Relative to the root of the repository.

    Returns
    -------
    Path
        It exists.

    Raises
    ------
    FileNotFoundError
        When the project does not ship it.
    """
    # Bazel's folders hold links.
    package = Path(str(importlib.resources.files("groupcomm") / "files.py")).resolve().parent
    for root in (package / "_data", package.parent):
        if (root / path).exists():
            return root / path
    raise FileNotFoundError(f"{path}: not in {package.parent}; install groupcomm-micro again")


def kernel_files(suffix: str, folder: Path | None = None) -> list[Path]:
    """Return the files of the C kernels, without their test programs.

    Parameters
    ----------
    suffix : str
        ``.c`` or ``.h``.
    folder : Path, optional
        A copy of ``micro/kernels``; by default the one that the project ships.

    Returns
    -------
    list of Path
        Sorted.
    """
    folder = folder or resource("micro/kernels")
    files = folder.rglob(f"*{suffix}")
    return sorted(file for file in files if file.relative_to(folder).parts[0] != "test")


def is_name(text: object) -> bool:
    """Return whether a text may name a network or a bundle.

    Names become names of files, folders and C symbols, and come from files of other people: they
    are lower-case ASCII letters, digits, ``-`` and ``_``, begin with a letter, and have at most 64
    characters.
    """
    return isinstance(text, str) and bool(re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", text))


def cache_dir() -> Path:
    """Return the cache folder: ``$GROUPCOMM_CACHE``, else ``~/.cache/groupcomm``.

    It holds only what can be fetched or made again.
    """
    return Path(os.environ.get("GROUPCOMM_CACHE") or Path.home() / ".cache" / "groupcomm")


def json_text(value: Any) -> str:
    """Return a value as JSON, with a newline at the end.

    A number that is not finite becomes null: JSON has none, and it stands for no result.
    """
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def soundfile_error() -> type[Exception]:
    """Return the exception that soundfile raises where other libraries raise OSError.

    While soundfile is not loaded, it is OSError: this function does not import soundfile.
    """
    return sys.modules["soundfile"].LibsndfileError if "soundfile" in sys.modules else OSError


def output_folder(path: Path | None) -> Path | None:
    """Return a path after the check that a folder can be made or written there.

    A command calls it before its work, so that no result is lost. None stands for no output.

    Raises
    ------
    UserError
        When the path, or one of its parents, is a file, or the folder cannot be written.
    """
    if path is None:
        return None
    existing = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    if not existing.is_dir():
        which = "is a file" if existing == path else f"{existing} is a file"
        raise UserError(
            f"{path}: {which}, and a folder is to be made there; choose another output folder"
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        reason = os.strerror(errno.EACCES)
        raise UserError(f"{existing}: cannot write here ({reason}); choose another output folder")
    return path


def output_file(path: Path | None) -> Path | None:
    """Return a path after the check that a file can be made or replaced there.

    Raises
    ------
    UserError
        When the path is a folder, a device or a pipe, or its folder cannot be written.
    """
    if path is not None:
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: is not a file; choose another path for the output")
        output_folder(path.parent)
    return path


@contextlib.contextmanager
def _parents_of(path: Path) -> Iterator[None]:
    """Make the folder of a path, and remove what was made of it when the block fails.

    Raises
    ------
    UserError
        When the folder cannot be made, or the name is too long for it.
    """
    folder = path.parent
    missing = [parent for parent in (folder, *folder.parents) if not os.path.lexists(parent)]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                path.lstat()
        except OSError as e:
            too_long = e.errno == errno.ENAMETOOLONG
            raise UserError(
                f"{path if too_long else folder}: cannot write here ({e.strerror}); choose another "
                f"{'name, which is shorter' if too_long else 'output folder'}"
            ) from e
        yield
    except BaseException:
        for parent in missing:  # the deepest first; what is not empty belongs to others
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def _write_error(path: Path, error: Exception) -> Exception:
    """Return the error of a user whose disk is full, whatever a library makes of it.

    Other errors than those of the system are returned unchanged while there is space.
    """
    with contextlib.suppress(OSError):
        if shutil.disk_usage(path.parent).free < FULL and not isinstance(error, UserError):
            reason = os.strerror(errno.ENOSPC)
            return UserError(f"{path}: cannot write ({reason}); free some space")
    if not isinstance(error, (OSError, soundfile_error())):
        return error
    return UserError(
        f"{path}: cannot write ({getattr(error, 'strerror', None) or error}); "
        "free some space or choose another output folder"
    )


@contextlib.contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder for this process, and remove it when the block ends.

    A process that is killed leaves its folder. The next one that makes a folder in the same place
    removes it: a lock shows which folders belong to processes that live.

    Parameters
    ----------
    parent : Path, optional
        Where the folder is made; by default where temporary files are.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    parent = parent or Path(tempfile.gettempdir())
    remove_abandoned(parent)
    lock = None
    while lock is None:
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent))
        lock = _take(folder, new=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock >= 0:
            os.close(lock)


def remove_abandoned(parent: Path) -> None:
    """Remove what killed processes have left of their `scratch_folder` in ``parent``."""
    for abandoned in parent.glob(f"{_SCRATCH}????????"):  # a name of mkdtemp
        if (lock := _take(abandoned)) is not None:
            shutil.rmtree(abandoned, ignore_errors=True)
            os.close(lock)


def _take(folder: Path, *, new: bool = False) -> int | None:
    """Lock a folder; return the open lock, or None when it is another process's, or gone.

    Where there are no locks, only a ``new`` folder can be had, and -1 may stand for its lock.
    """
    try:
        import fcntl

        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (ImportError, AttributeError):  # not on Windows
        return -1 if new else None
    except OSError as e:
        if new and not isinstance(e, FileNotFoundError):
            raise
        return None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists():  # the process before may have removed it
            return directory
    except BlockingIOError:
        pass
    except OSError:  # a file system without locks
        if new:
            return directory
    os.close(directory)
    return None


@contextlib.contextmanager
def temporary_files() -> Iterator[None]:
    """Let libraries write their temporary files where they do not outlive a process for long.

    TensorFlow leaves its own when it is killed. Here they are in a `scratch_folder`.
    """
    with scratch_folder() as folder:
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


@contextlib.contextmanager
def _scratch_of(path: Path) -> Iterator[Path]:
    """Make a `scratch_folder` beside a path, and yield a path in it with the same suffix.

    Some writers choose the format by the suffix.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch_folder(path.parent))
        except OSError as e:
            raise UserError(
                f"{path.parent}: cannot write here ({e.strerror}); choose another output folder"
            ) from e
        yield folder / f"part{path.suffix}"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path, which becomes ``path`` when the block ends without an error.

    So a full disk, Ctrl-C or SIGKILL leaves the old file or none, and never a part of one, and no
    folder that was made for it. The temporary path is in a folder of its own (`scratch_folder`).
    A link to a file stays, and its file is replaced.

    Raises
    ------
    UserError
        When the folder cannot be made or written, or ``path`` is a folder, a device or a pipe.
    """
    path = Path(path)
    output_file(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    with _parents_of(target), _scratch_of(target) as temporary:
        try:
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # a private file may have been moved here
            temporary.replace(target)
        except Exception as e:
            raise _write_error(path, e) from e


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder, which replaces ``path`` when the block ends without an error.

    It replaces an empty folder, or one that holds only files that the new one holds too, that is,
    an earlier version of the same folder.

    Raises
    ------
    UserError
        When the parent folder cannot be made or written, or ``path`` holds anything else.
    """
    path = Path(path).resolve()  # a link to a folder stays, and its folder is replaced
    output_folder(path)
    with _parents_of(path), _scratch_of(path) as temporary:
        try:
            temporary.mkdir()
            yield temporary
            temporary.chmod(0o755)
            _replace_folder(path, temporary)
        except Exception as e:
            raise _write_error(path, e) from e


def _replace_folder(path: Path, temporary: Path) -> None:
    if not path.exists():
        temporary.replace(path)
        return
    foreign = sorted({p.name for p in path.iterdir()} - {p.name for p in temporary.iterdir()})
    if foreign:
        raise UserError(
            f"{path}: holds {foreign[0]}, which would be lost; choose another output folder"
        )
    if _exchange(temporary, path):
        return
    # Between these two the folder has another name, and nothing removes that.
    old = path.with_name(f"{path.name}.old-{secrets.token_hex(4)}")
    path.replace(old)
    temporary.replace(path)
    shutil.rmtree(old)


def _exchange(a: Path, b: Path) -> bool:
    """Exchange two folders in one step; return False where the system cannot."""
    try:
        function = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # not on this system
        return False
    at_cwd, exchange = -100, 2
    return function(at_cwd, os.fsencode(a), at_cwd, os.fsencode(b), exchange) == 0


@contextlib.contextmanager
def locked(path: Path, what: object, *, wait: bool = False) -> Iterator[None]:
    """Let one process at a time run a block; the lock ends with the process, however it ends.

    Parameters
    ----------
    path : Path
        The lock. It says who holds it, and is removed at the end of the block.
    what : object
        What messages say is in use.
    wait : bool
        Wait for the other process, and say so.

    Raises
    ------
    UserError
        When another process holds the lock, and ``wait`` is False.
    """
    from groupcomm.console import note

    with _parents_of(path):
        while True:
            with open(path, "a+", errors="replace") as file:
                if not _lock(file.fileno(), wait=False):
                    file.seek(0)
                    holder = f"{what}: used by {file.read(500).strip() or 'another process'}"
                    if not wait:
                        raise UserError(f"{holder}; wait for its end, or use another folder")
                    note(f"{holder}; waiting for its end")
                    _lock(file.fileno(), wait=True)
                # The process before has removed its lock, and a third one may have made another.
                with contextlib.suppress(FileNotFoundError):
                    if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                        continue
                    file.truncate(0)
                    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
                    now = time.strftime("%Y-%m-%d %H:%M")
                    file.write(f"process {os.getpid()} since {now} ({command})")
                    file.flush()
                    try:
                        yield
                    finally:
                        path.unlink(missing_ok=True)
                    return


def _lock(file: int, *, wait: bool) -> bool:
    """Lock an open file; return False when another process has it."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def write_zip(path: Path, files: dict[str, bytes], seconds: int = 315532800) -> None:
    """Write a .zip file that depends on names and contents only.

    The entries are sorted, with one time and one mode.

    Parameters
    ----------
    path : Path
    files : dict of str to bytes
        Contents by name in the archive.
    seconds : int
        Time of all files, since 1970 in UTC; by default the first that the format can express.
    """
    moment = time.gmtime(seconds)[:6]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3  # Unix
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name])


def folder_files(folder: Path) -> dict[str, bytes]:
    """Contents of a folder's files by name, the name of the folder included.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to bytes
    """
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder.parent).as_posix(): file.read_bytes() for file in files}
