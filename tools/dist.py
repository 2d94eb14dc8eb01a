"""Write the release to build/dist: `make dist`.

The wheel, and for every released network an Arduino library, a Zephyr module and the bundle as .zip
files, with SHA256SUMS. All of it is made from the last commit, in a copy of its own; what is not
committed is not in it. The same commit gives the same bytes.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from groupcomm import __version__
from groupcomm.errors import UserError
from groupcomm.files import REPO, atomic_folder, sha256

RELEASED = ("enhance", "enhance-max", "enhance-nano", "enhance-fast", "separate")


def pack(files: dict[str, bytes], path: Path, seconds: int) -> None:
    """Write a .zip file that depends on names and contents only.

    The entries are sorted, with one time and one mode.

    Parameters
    ----------
    files : dict of str to bytes
        Contents by name in the archive.
    path : Path
    seconds : int
        Time of all files, since 1970 in UTC.
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


def write(out: Path, bundles: tuple[str, ...] = RELEASED, commit: str = "HEAD") -> None:
    """Write the release.

    Parameters
    ----------
    out : Path
        Folder; it appears whole or not at all.
    bundles : tuple of str
        Names of released networks.
    commit : str
        What the release is made from.

    Raises
    ------
    UserError
        When this is not a git repository, or a command fails.
    """
    seconds = int(_run("git", "log", "-1", "--format=%ct", commit, cwd=REPO))
    with atomic_folder(out) as part, tempfile.TemporaryDirectory() as name:
        scratch, source = Path(name), Path(name) / "source"
        committed = _run("git", "archive", commit, cwd=REPO)
        with tarfile.open(fileobj=io.BytesIO(committed)) as archive:
            archive.extractall(source, filter="data")
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(seconds), "PYTHONPATH": str(source)}
        pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--no-deps", "--wheel-dir", scratch, source, env=environment, cwd=source)
        [wheel] = scratch.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            files = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        pack(files, part / wheel.name, seconds)
        for bundle in bundles:
            for kind in ("arduino", "zephyr"):
                made = scratch / kind / f"groupcomm-{bundle}"
                command = (
                    sys.executable,
                    "-m",
                    "groupcomm.cli",
                    "package",
                    kind,
                    bundle,
                    "--out",
                    made,
                )
                _run(*command, env=environment, cwd=source)
                pack(
                    folder_files(made),
                    part / f"groupcomm-{bundle}-{kind}-{__version__}.zip",
                    seconds,
                )
            files = folder_files(source / "convert" / "bundles" / bundle)
            pack(files, part / f"groupcomm-{bundle}-bundle-{__version__}.zip", seconds)
        sums = [f"{sha256(file)}  {file.name}\n" for file in sorted(part.iterdir())]
        (part / "SHA256SUMS").write_text("".join(sums))


def _run(*command, **options) -> bytes:
    done = subprocess.run(list(map(str, command)), capture_output=True, **options)
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{' '.join(map(str, command))}: {reason}")
    return done.stdout


if __name__ == "__main__":
    try:
        write(REPO / "build" / "dist")
    except UserError as e:
        sys.exit(f"dist: {e}")
    print((REPO / "build" / "dist" / "SHA256SUMS").read_text(), end="")
