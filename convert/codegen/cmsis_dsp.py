"""The parts of CMSIS-DSP that a package contains (Apache-2.0)."""

import importlib.util
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from convert.codegen.parts import MICRO, ROOT, copy
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, cache_dir, scratch_folder

# Version, checksum, files and definitions of CMSIS-DSP. What a package exports has names of its
# own, because an application may contain another version of CMSIS-DSP.
_PIN = json.loads((MICRO / "third_party" / "cmsis_dsp.json").read_text())
FFT, FIR, DEFINES = (tuple(_PIN[key]) for key in ("fft", "fir", "defines"))
INCLUDE = '#include "groupcomm_dsp.h"\n'


def sources() -> Path:
    """Folder of the sources of CMSIS-DSP, fetched with pip on first use.

    They are those that the rule of Bazel uses: the source distribution of a package at PyPI, with a
    pinned checksum.

    Returns
    -------
    Path

    Raises
    ------
    UserError
        When pip cannot fetch them.
    """
    version, sha256 = _PIN["version"], _PIN["sha256"]
    folder = cache_dir() / f"cmsis-dsp-{version}"
    if not folder.is_dir():
        with scratch_folder() as scratch:
            wanted = scratch / "requirements.txt"
            wanted.write_text(f"cmsisdsp=={version} --hash=sha256:{sha256}\n")
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--no-binary=cmsisdsp",
                "--require-hashes",
            ]
            # pip runs setup.py for the metadata, and fetches its requirements unless they are here.
            if all(importlib.util.find_spec(needed) for needed in ("setuptools", "wheel", "numpy")):
                pip.append("--no-build-isolation")
            pip += [f"--dest={scratch}", f"--requirement={wanted}"]
            done = subprocess.run(pip, capture_output=True, text=True)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
                raise UserError(
                    f"cmsisdsp {version}: pip cannot fetch its sources ({reason}); "
                    "check that pip can reach its index"
                )
            with tarfile.open(scratch / f"cmsisdsp-{version}.tar.gz") as archive:
                archive.extractall(scratch, filter="data")
            with atomic_folder(folder) as part:
                for kept in ("Include", "PrivateInclude", "Source"):
                    shutil.copytree(scratch / f"cmsisdsp-{version}" / kept, part / kept)
                shutil.copy(scratch / f"cmsisdsp-{version}" / "LICENSE", part)
    return folder


def write(
    dsp: Path,
    include: Path,
    source: Path,
    names: Path,
    files: tuple[str, ...],
    users: list[Path],
    first: str,
) -> None:
    """Copy parts of CMSIS-DSP.

    Its ``files`` and its licence go to ``source``, the headers that they and ``users`` include to
    ``include``, and ``groupcomm_dsp.h``, which all of them include first, to ``names``.
    """
    given = [dsp / "Source" / f"{file}.c" for file in files]
    options = [f"-D{define}" for define in DEFINES] + [
        f"-I{folder}" for folder in (dsp / "Include", dsp / "PrivateInclude", ROOT)
    ]
    with scratch_folder() as scratch:
        objects = [scratch / f"{file.stem}.o" for file in given]
        for file, made in zip(given, objects, strict=True):
            _run("gcc", "-w", "-c", *options, file, "-o", made)
        exported = sorted(
            {
                line.split()[-1]
                for line in _run("nm", "-g", "--defined-only", *objects).splitlines()
                if line.startswith("0")
            }
        )
    listed = _run("g++", "-std=c++17", "-MM", *options, *users) + _run(
        "gcc", "-MM", *options, *given
    )
    headers = sorted(
        {
            Path(word)
            for word in listed.split()
            if word.endswith(".h") and Path(word).is_relative_to(dsp)
        }
    )
    for header in headers:
        copy(header, include / header.relative_to(dsp / header.relative_to(dsp).parts[0]))
    for file in given:
        copy(file, source / file.name, first + INCLUDE)
    copy(dsp / "LICENSE", source / "LICENSE")
    lines = [f"#define {define}" for define in DEFINES] + [
        f"#define {name} groupcomm_{name}" for name in exported
    ]
    (names / "groupcomm_dsp.h").write_text(
        "/* CMSIS-DSP's functions and tables under names of this package. */\n"
        + "\n".join(lines)
        + "\n"
    )


def _run(*command) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"{' '.join(map(str, command[:2]))} ended with code {done.returncode}: "
            f"{done.stderr.strip()}"
        )
    return done.stdout
