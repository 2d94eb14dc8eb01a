"""A bundle as an Arduino library ("Arduino library specification", revision 2.2)."""

import re
import shutil
import tempfile
from pathlib import Path

from convert import bundle as bundles
from convert.codegen import cmsis_dsp, parts
from groupcomm import __version__
from groupcomm.files import atomic_folder, atomic_path, folder_files, resource, write_zip

_BOARDS, _STREAM = parts.MICRO / "boards", parts.MICRO / "stream"
# Options that a sketch cannot give.
_FLOATS = '#pragma GCC optimize("O2", "fp-contract=off")\n'
# The release of the core that the compile tests follow: gnu11, gnu++14, -Os, softfp, GCC 7.
_PROPERTIES = """name={name}
version={version}
author=The GroupComm Micro authors
maintainer=The GroupComm Micro authors
sentence={sentence}
paragraph={paragraph}
category=Signal Input/Output
url=https://arxiv.org/abs/2011.08397
architectures=mbed_nano,mbed
includes={name}.h
"""
_HEADER = """// The library's own name; the class is in GroupComm.h.
#pragma once
#include "GroupComm.h"
"""


def write(bundle: bundles.Bundle, folder: Path, *, engine: str = "static") -> list[str]:
    """Write an Arduino library, as a folder or as a .zip file for "Add .ZIP Library".

    It holds the network as plain C, the kernels, the stream and the FFT. It needs no other library,
    except Arduino_TensorFlowLite when the engine is TFLM's interpreter. The FFT is CMSIS-DSP's
    (Apache-2.0), from the package that micro/third_party/cmsis_dsp.json pins.

    Parameters
    ----------
    bundle : Bundle
        The network.
    folder : Path
        The library; it appears whole or not at all, and replaces one that is there. A name that
        ends with .zip is a .zip file.
    engine : {"static", "tflm"}
        Plain C, or TFLM's interpreter.

    Returns
    -------
    list of str
        Its files, relative to the library.

    Raises
    ------
    UserError
        When the bundle has an operator without a kernel, pip cannot fetch CMSIS-DSP, or the folder
        cannot be written.
    """
    name = library_name(bundle, engine)
    if folder.suffix == ".zip":
        with tempfile.TemporaryDirectory() as scratch, atomic_path(folder) as part:
            made = Path(scratch) / name
            files = write(bundle, made, engine=engine)
            write_zip(part, folder_files(made))
            return files
    tflm = engine == "tflm"
    dsp = cmsis_dsp.sources()
    with atomic_folder(folder) as part:
        source = part / "src"
        shutil.copytree(_BOARDS / "arduino" / "examples", part / "examples")
        shutil.copy(_BOARDS / "arduino" / "keywords.txt", part)
        shutil.copy(resource("LICENSE"), part)
        first = "#define GROUPCOMM_ENGINE_TFLM\n" if tflm else ""
        parts.network(bundle, source, source, tflm=tflm, first=first)
        parts.repository(source, source, ".cpp", tflm=bundle if tflm else None)
        window = f"#define GROUPCOMM_WINDOW {bundle.signal.window}\n"
        stream = source / "micro" / "stream" / "stream.cpp"
        parts.copy(_STREAM / "stream.cc", stream, _FLOATS + cmsis_dsp.INCLUDE + window)
        for file in ("GroupComm.h", "GroupComm.cpp"):
            parts.copy(_BOARDS / "arduino" / file, source / file)
        (source / f"{name}.h").write_text(_HEADER)
        users = [_STREAM / "stream.cc"]
        cmsis_dsp.write(dsp, source, source / "cmsis_dsp", source, cmsis_dsp.FFT, users, _FLOATS)
        sentence, paragraph = parts.words(bundle)
        values = {"name": name, "sentence": sentence, "paragraph": paragraph}
        (part / "library.properties").write_text(_PROPERTIES.format(version=__version__, **values))
        (part / "README.md").write_text(_readme(bundle, engine, values))
        return parts.files(part)


def library_name(bundle: bundles.Bundle, engine: str = "static") -> str:
    """Return the name of the library of a bundle."""
    suffix = "_TFLM" if engine == "tflm" else ""
    return "GroupComm_" + re.sub(r"[^A-Za-z0-9_.-]", "_", bundle.name) + suffix


def _readme(bundle: bundles.Bundle, engine: str, values: dict[str, str]) -> str:
    """Return the text of README.md."""
    signal = bundle.signal
    budget = bundle.description.get("budget", {}).get("cortex-m4")
    cost = "`groupcomm fit` estimates flash, RAM and load."
    if budget and engine == "static":
        cost = (
            "On a Cortex-M4, engine and signal path need at most "
            f"{budget['flash_bytes']:,} bytes of flash, {budget['ram_bytes']:,} bytes of RAM and "
            f"{budget['instructions']:,} instructions per hop. "
            "`groupcomm fit` estimates the load of a board."
        )
    values = values | {
        "latency": f"{1000 * signal.window / signal.sample_rate:g}",
        "hop": str(signal.hop),
        "milliseconds": f"{1000 * signal.hop / signal.sample_rate:g}",
        "sources": str(bundle.sources),
        "cost": cost,
        "needs": "Arduino_TensorFlowLite" if engine == "tflm" else "no other library",
    }
    text = (_BOARDS / "arduino" / "README.md").read_text()
    for key, value in values.items():
        text = text.replace(f"@{key.upper()}@", value)
    return text
