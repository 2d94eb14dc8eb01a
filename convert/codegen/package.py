"""A bundle as a library for a board's own tools: `groupcomm package`."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from convert import bundle as bundles
from convert import contract
from convert.codegen import c_source
from convert.tflite import counts
from groupcomm import __version__
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, cache_dir, kernel_files, resource

_MICRO = resource("micro")
_ROOT = _MICRO.parent  # of the paths in #include
_BOARDS, _STREAM = _MICRO / "boards", _MICRO / "stream"
_HEADERS = (
    "micro/api/engine_api.h",
    "micro/boards/package/dwt.h",
    "micro/boards/package/package.h",
    "micro/contract/bundle_fields.h",
    "micro/contract/static_model.h",
    "micro/contract/tanh_table.h",
    "micro/engine/engine.h",
    "micro/engine/static_engine.h",
    "micro/include/groupcomm.h",
    "micro/parity/server.h",
    "micro/stream/stream.h",
)
_SOURCES = ("micro/api/groupcomm.cc", "micro/boards/package/package.cc", "micro/parity/server.cc")
_TFLM_HEADERS = (
    "micro/contract/lstm_inputs.h",
    "micro/contract/operators.h",
    *(f"micro/engine/{name}.h" for name in ("operators", "tflm", "tflm_engine", "tflm_kernels")),
)
_TFLM_SOURCES = ("micro/engine/tflm_engine.cc", "micro/engine/tflm_kernels.cc")
_OPERATORS = "micro/engine/operators.cc"
# Version, checksum, files and definitions of CMSIS-DSP. What a package exports has names of its
# own, because an application may contain another version of CMSIS-DSP.
_PIN = json.loads((_MICRO / "third_party" / "cmsis_dsp.json").read_text())
_FFT, _FIR, _DSP_DEFINES = (tuple(_PIN[key]) for key in ("fft", "fir", "defines"))
_DSP = '#include "groupcomm_dsp.h"\n'
# Options that a sketch cannot give.
_FLOATS = '#pragma GCC optimize("O2", "fp-contract=off")\n'
_PROPERTIES = """name={name}
version={version}
author=The GroupComm Micro authors
maintainer=The GroupComm Micro authors
sentence={sentence}
paragraph={paragraph}
category=Signal Input/Output
url=https://arxiv.org/abs/2011.08397
architectures=mbed_nano,mbed
includes=GroupComm.h
"""
_NETWORK = """/* The network of this package, written by `groupcomm package`. */
#ifndef GROUPCOMM_NETWORK_H_
#define GROUPCOMM_NETWORK_H_

#include "{name}.h"

#define GROUPCOMM_NETWORK groupcomm_{name}
{sizes}
{tflm}
#endif
"""
_NETWORK_TFLM = """
/* For TensorFlow Lite Micro. */
#define GROUPCOMM_TFLITE_BYTES {bytes}
#define GROUPCOMM_ARENA_BYTES {arena}
#define GROUPCOMM_OPERATOR_NAMES {names}
#ifdef __cplusplus
extern "C"
#else
extern
#endif
const unsigned char groupcomm_tflite[GROUPCOMM_TFLITE_BYTES]; /* (bytes) at a multiple of 16 */
"""


def arduino(bundle: bundles.Bundle, folder: Path, *, engine: str = "static") -> list[str]:
    """Write an Arduino library ("Arduino library specification", revision 2.2).

    It holds the network as plain C, the kernels, the stream and the FFT. It needs no other library,
    except Arduino_TensorFlowLite when the engine is TFLM's interpreter. The FFT is CMSIS-DSP's
    (Apache-2.0), from the package that micro/third_party/cmsis_dsp.json pins.

    Parameters
    ----------
    bundle : what it runs.
    folder : of the library; it appears whole or not at all, and replaces one that is there.
    engine : ``static`` or ``tflm``.

    Returns
    -------
    Its files, relative to ``folder``.

    Raises
    ------
    UserError
        When the bundle has an operator without a kernel, pip cannot fetch CMSIS-DSP, or the folder
        cannot be written.
    """
    tflm = engine == "tflm"
    dsp = cmsis_dsp()
    with atomic_folder(folder) as part:
        source = part / "src"
        shutil.copytree(_BOARDS / "arduino" / "examples", part / "examples")
        shutil.copy(_BOARDS / "arduino" / "keywords.txt", part)
        shutil.copy(resource("LICENSE"), part)
        _network(
            bundle,
            source,
            source,
            tflm=tflm,
            first="#define GROUPCOMM_ENGINE_TFLM\n" if tflm else "",
        )
        _repository(source, source, ".cpp", tflm=bundle if tflm else None)
        window = f"#define GROUPCOMM_WINDOW {bundle.signal.window}\n"
        _copy(
            _STREAM / "stream.cc",
            source / "micro" / "stream" / "stream.cpp",
            _FLOATS + _DSP + window,
        )
        for file in ("GroupComm.h", "GroupComm.cpp"):
            _copy(_BOARDS / "arduino" / file, source / file)
        _transforms(
            dsp, source, source / "cmsis_dsp", source, _FFT, [_STREAM / "stream.cc"], _FLOATS
        )
        sentence, paragraph = _words(bundle)
        title = (
            "GroupComm " + re.sub(r"[^A-Za-z0-9_.-]", "_", bundle.name) + (" TFLM" if tflm else "")
        )
        (part / "library.properties").write_text(
            _PROPERTIES.format(
                name=title, version=__version__, sentence=sentence, paragraph=paragraph
            )
        )
        return _files(part)


def zephyr(bundle: bundles.Bundle, folder: Path) -> list[str]:
    """Write a Zephyr module (Zephyr's documentation, "Modules").

    ``app/`` is an application for Nordic's boards. The module has both engines, and Kconfig chooses
    one: the network as plain C, and the ``.tflite`` for the module tflite-micro. Parameters, result
    and errors are those of `arduino`.
    """
    dsp = cmsis_dsp()
    with atomic_folder(folder) as part:
        source, include = part / "src", part / "include"
        for name in ("app", "zephyr"):
            shutil.copytree(_BOARDS / "zephyr" / name, part / name)
        shutil.copy(resource("LICENSE"), part)
        name = _network(bundle, source, include, tflm=True)
        _repository(source, include, ".cc", tflm=bundle)
        _copy(_BOARDS / "zephyr" / "groupcomm_audio.h", include / "groupcomm_audio.h")
        _copy(_BOARDS / "zephyr" / "audio.cc", source / "audio.cc", _DSP)
        for file in ("stream.cc", "audio_48k.cc", "audio_48k.h"):
            _copy(
                _STREAM / file,
                source / "micro" / "stream" / file,
                _DSP if file.endswith(".cc") else "",
            )
        folders = (part / "cmsis_dsp" / "include", part / "cmsis_dsp")
        _transforms(
            dsp,
            *folders,
            source,
            _FFT + _FIR,
            [_STREAM / "stream.cc", _STREAM / "audio_48k.cc"],
            "",
        )
        names = [[Path(file).name for file in files] for files in (_FFT, _FIR)]
        lists = {
            "VERSION": [__version__],
            "NAME": [name],
            "WINDOW": [str(bundle.signal.window)],
            "KERNELS": [
                file.relative_to(_MICRO / "kernels").with_suffix("").as_posix()
                for file in kernel_files(".c")
            ],
            "FFT": names[0],
            "FIR": names[1],
        }
        (part / "network.cmake").write_text(
            "".join(f"set(GROUPCOMM_{key} {' '.join(values)})\n" for key, values in lists.items())
        )
        sentence, paragraph = _words(bundle)
        readme = (_BOARDS / "zephyr" / "README.md").read_text()
        for mark, text in (
            ("@NAME@", bundle.name),
            ("@SENTENCE@", sentence),
            ("@PARAGRAPH@", paragraph),
        ):
            readme = readme.replace(mark, text)
        (part / "README.md").write_text(readme)
        return _files(part)


def cmsis_dsp() -> Path:
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
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
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


def _transforms(
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
    options = [f"-D{define}" for define in _DSP_DEFINES] + [
        f"-I{folder}" for folder in (dsp / "Include", dsp / "PrivateInclude", _ROOT)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        objects = [Path(scratch) / f"{file.stem}.o" for file in given]
        for file, made in zip(given, objects, strict=True):
            _said("gcc", "-w", "-c", *options, file, "-o", made)
        exported = sorted(
            {
                line.split()[-1]
                for line in _said("nm", "-g", "--defined-only", *objects).splitlines()
                if line.startswith("0")
            }
        )
    listed = _said("g++", "-std=c++17", "-MM", *options, *users) + _said(
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
        _copy(header, include / header.relative_to(dsp / header.relative_to(dsp).parts[0]))
    for file in given:
        _copy(file, source / file.name, first + _DSP)
    _copy(dsp / "LICENSE", source / "LICENSE")
    lines = [f"#define {define}" for define in _DSP_DEFINES] + [
        f"#define {name} groupcomm_{name}" for name in exported
    ]
    (names / "groupcomm_dsp.h").write_text(
        "/* CMSIS-DSP's functions and tables under names of this package. */\n"
        + "\n".join(lines)
        + "\n"
    )


def _said(*command) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"{' '.join(map(str, command[:2]))} ended with code {done.returncode}: "
            f"{done.stderr.strip()}"
        )
    return done.stdout


def _network(
    bundle: bundles.Bundle, source: Path, include: Path, *, tflm: bool, first: str = ""
) -> str:
    """Write the files of the network, and return its name in C.

    They are NAME.c, NAME.h and groupcomm_network.h, and with TFLM the model as NAME_tflite.c.
    """
    written = c_source.compile_bundle(bundle, source)
    name = written["name"]
    (source / f"{name}.c").write_text(first + (source / f"{name}.c").read_text())
    include.mkdir(parents=True, exist_ok=True)
    if include != source:
        (source / f"{name}.h").rename(include / f"{name}.h")
    of_tflm = ""
    if tflm:
        names = ", ".join(f'"{operator}"' for operator in _operators(bundle))
        of_tflm = _NETWORK_TFLM.format(
            bytes=len(bundle.model), arena=bundle.description["arena_bytes"], names=names
        )
        values = ",\n".join(
            ", ".join(map(str, bundle.model[at : at + 24]))
            for at in range(0, len(bundle.model), 24)
        )
        declaration = "_Alignas(16) const unsigned char groupcomm_tflite[GROUPCOMM_TFLITE_BYTES]"
        array = f"{declaration} = {{\n{values}}};\n"
        (source / f"{name}_tflite.c").write_text(f'#include "groupcomm_network.h"\n\n{array}')
    sizes = "\n".join(
        f"#define GROUPCOMM_{'NETWORK_' * size.endswith('BYTES')}{size} {value}"
        for size, value in written["sizes"].items()
    )
    text = _NETWORK.format(name=name, sizes=sizes, tflm=of_tflm)
    (include / "groupcomm_network.h").write_text(first + text)
    return name


def _repository(source: Path, include: Path, suffix: str, *, tflm: bundles.Bundle | None) -> None:
    """Copy the files of this repository that every package has.

    With TFLM they include its engine, reduced to the operators of the bundle.
    """
    for header in _HEADERS + (_TFLM_HEADERS if tflm else ()):
        _copy(_ROOT / header, include / header)
    for file in kernel_files(".h"):
        _copy(file, include / file.relative_to(_ROOT))
    for file in kernel_files(".c"):
        _copy(file, source / file.relative_to(_ROOT))
    for file in _SOURCES + (_TFLM_SOURCES if tflm else ()):
        _copy(_ROOT / file, (source / file).with_suffix(suffix))
    if tflm:
        used = " ".join(
            f"X({operator}, {contract.OPERATORS[operator]})" for operator in _operators(tflm)
        )
        _copy(
            _ROOT / _OPERATORS,
            (source / _OPERATORS).with_suffix(suffix),
            f"#define GROUPCOMM_OPERATORS(X) {used}\n",
        )


def _operators(bundle: bundles.Bundle) -> list[str]:
    return [operator["name"] for operator in bundle.description["operators"]]


def _words(bundle: bundles.Bundle) -> tuple[str, str]:
    """Describe a package in a sentence and in a paragraph."""
    signal = bundle.signal
    parameters = counts.read(bundle.path / bundle.description["model"]["file"]).parameters
    return (
        "Removes noise from speech."
        if bundle.sources == 1
        else f"Separates {bundle.sources} speakers.",
        f"The Group Communication network {bundle.name} ({parameters:,} parameters, "
        "int8) and its stream in plain C and C++: "
        f"PCM in hops of {1000 * signal.hop / signal.sample_rate:g} ms, "
        f"latency {1000 * signal.window / signal.sample_rate:g} ms.",
    )


def _files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def _copy(given: Path, to: Path, first: str = "") -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(first + given.read_text(encoding="utf-8-sig"), encoding="utf-8")
