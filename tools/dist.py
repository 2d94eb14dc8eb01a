"""Write the release to build/dist: `make dist`.

The wheel, its SBOM (CycloneDX), and for every released network an Arduino library, a Zephyr module
and the bundle as .zip files, with SHA256SUMS. All of it is made from the last commit, in a copy of
its own; what is not committed is not in it. The same commit gives the same bytes.
"""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from groupcomm import __version__
from groupcomm.errors import UserError
from groupcomm.files import REPO, atomic_folder, folder_files, scratch_folder, sha256, write_zip

RELEASED = ("enhance", "enhance-max", "enhance-nano", "enhance-fast", "separate")


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
    with atomic_folder(out) as part, scratch_folder() as scratch:
        source = scratch / "source"
        committed = _run("git", "archive", commit, cwd=REPO)
        with tarfile.open(fileobj=io.BytesIO(committed)) as archive:
            archive.extractall(source, filter="data")
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(seconds), "PYTHONPATH": str(source)}
        pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--no-deps", "--wheel-dir", scratch, source, env=environment, cwd=source)
        [wheel] = scratch.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            files = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        write_zip(part / wheel.name, files, seconds)
        command = (sys.executable, source / "tools" / "dependencies.py", "--sbom")
        listed = _run(*command, env=environment, cwd=source)
        (part / f"groupcomm-micro-{__version__}.cdx.json").write_bytes(listed)
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
                archive_name = f"groupcomm-{bundle}-{kind}-{__version__}.zip"
                write_zip(part / archive_name, folder_files(made), seconds)
            files = folder_files(source / "convert" / "bundles" / bundle)
            write_zip(part / f"groupcomm-{bundle}-bundle-{__version__}.zip", files, seconds)
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
