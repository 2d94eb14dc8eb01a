"""A bundle as an Arduino library ("Arduino library specification", revision 2.2)."""

import re
import shutil
from pathlib import Path

from convert import boards
from convert import bundle as bundles
from convert.codegen import cmsis_dsp, parts
from groupcomm import __version__
from groupcomm.errors import UserError
from groupcomm.files import (
    atomic_folder,
    atomic_path,
    folder_files,
    resource,
    scratch_folder,
    write_zip,
)

_BOARDS, _STREAM = parts.MICRO / "boards", parts.MICRO / "stream"
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
includes={name}.h
"""
# All libraries contain files of the same names, so this is the only header that a sketch includes.
# Where two libraries are in one sketch, both find the network of the one that comes first.
_HEADER = """// The header of this library.
#pragma once
#include "micro/boards/package/package.h"
#ifndef GROUPCOMM_{network}_H_
#error "A sketch can contain only one GroupComm library. Include {name}.h or the other one."
#else
#include "micro/boards/arduino/GroupComm.h"
#endif
"""


def write(bundle: bundles.Bundle, folder: Path) -> list[str]:
    """Write an Arduino library, as a folder or as a .zip file for "Add .ZIP Library".

    It holds the network as plain C, the kernels, the stream and the FFT, and needs no other
    library. The FFT is CMSIS-DSP's (Apache-2.0), from the package that
    micro/third_party/cmsis_dsp.json pins.

    Parameters
    ----------
    bundle : Bundle
        The network.
    folder : Path
        The library; it appears whole or not at all, and replaces one that is there. A name that
        ends with .zip is a .zip file.

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
    name = library_name(bundle)
    if folder.suffix == ".zip":
        with scratch_folder() as scratch, atomic_path(folder) as part:
            made = scratch / name
            files = write(bundle, made)
            write_zip(part, folder_files(made))
            return files
    dsp = cmsis_dsp.sources()
    with atomic_folder(folder) as part:
        source = part / "src"
        for example in (_BOARDS / "arduino" / "examples").rglob("*.ino"):
            to = part / example.relative_to(_BOARDS / "arduino")
            to.parent.mkdir(parents=True)
            to.write_text(example.read_text().replace("<GroupComm.h>", f"<{name}.h>"))
        shutil.copy(_BOARDS / "arduino" / "keywords.txt", part)
        shutil.copy(resource("LICENSE"), part)
        network = parts.network(bundle, source, source, tflm=False)
        parts.repository(source, source, ".cpp", tflm=None)
        window = f"#define GROUPCOMM_WINDOW {bundle.signal.window}\n"
        stream = source / "micro" / "stream" / "stream.cpp"
        parts.copy(_STREAM / "stream.cc", stream, _FLOATS + cmsis_dsp.INCLUDE + window)
        for file in ("GroupComm.h", "GroupComm.cpp"):
            parts.copy(_BOARDS / "arduino" / file, source / "micro" / "boards" / "arduino" / file)
        header = _HEADER.format(name=name, network=network.upper())
        (source / f"{name}.h").write_text(header)
        users = [_STREAM / "stream.cc"]
        cmsis_dsp.write(dsp, source, source / "cmsis_dsp", source, cmsis_dsp.FFT, users, _FLOATS)
        sentence, paragraph = parts.words(bundle)
        values = {"name": name, "sentence": sentence, "paragraph": paragraph}
        (part / "library.properties").write_text(_PROPERTIES.format(version=__version__, **values))
        (part / "README.md").write_text(_readme(bundle, values))
        return parts.files(part)


def library_name(bundle: bundles.Bundle) -> str:
    """Return the name of the library of a bundle; arduino-lint allows 32 characters."""
    name = "GroupComm_" + re.sub(r"[^A-Za-z0-9_.-]", "_", bundle.name)
    if len(name) > 32:
        raise UserError(
            f"{bundle.name}: the name of its library, {name}, has {len(name)} characters, and "
            "Arduino allows 32; convert the network with a shorter --name"
        )
    return name


def _readme(bundle: bundles.Bundle, values: dict[str, str]) -> str:
    """Return the text of README.md."""
    signal = bundle.signal
    values = values | {
        "latency": f"{1000 * signal.window / signal.sample_rate:g}",
        "hop": str(signal.hop),
        "milliseconds": f"{1000 * signal.hop / signal.sample_rate:g}",
        "sources": str(bundle.sources),
        "cost": _cost(bundle),
    }
    text = (_BOARDS / "arduino" / "README.md").read_text()
    for key, value in values.items():
        text = text.replace(f"@{key.upper()}@", value)
    return text


def _cost(bundle: bundles.Bundle) -> str:
    """Return flash, RAM, instructions and latency as a table: at most the budget of the bundle."""
    board = boards.find("nano33ble")
    rows = {"latency": parts.latency(bundle)} | parts.needs(bundle, board)
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return (
        f"| {board.title} | network and signal path, without your sketch |\n|---|---|\n{table}\n\n"
        f"`groupcomm fit {bundle.name}` estimates the load of this and of other boards. An\n"
        "instruction takes more than one cycle, so the load is larger than their ratio."
    )
