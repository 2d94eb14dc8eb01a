"""A bundle as a library for a board's own tools: `groupcomm package`."""

import re
import shutil
from pathlib import Path

from convert import bundle as bundles
from convert import compilation, flatbuffer, runner
from groupcomm.files import REPO, atomic_folder

_BOARD = REPO / "micro" / "boards" / "arduino"
_KERNELS = ("add", "copy", "fully_connected", "lookup", "lstm", "mean", "mul", "requantize")
_HEADERS = (
    "micro/engine/engine.h",
    "micro/engine/static_engine.h",
    "micro/engine/static_model.h",
    "micro/kernels/arithmetic.h",
    "micro/kernels/kernels.h",
    "micro/kernels/tanh_table.h",
    "micro/parity/server.h",
    "micro/stream/static_stream.h",
    "micro/stream/stream.h",
)
# CMSIS-DSP's real FFT, as //micro/stream has it; the options that Bazel gives, which a sketch cannot, are lines in front of each file.
_FFT = (
    "CommonTables/arm_common_tables",
    "CommonTables/arm_const_structs",
    "TransformFunctions/arm_bitreversal2",
    "TransformFunctions/arm_cfft_f32",
    "TransformFunctions/arm_cfft_init_f32",
    "TransformFunctions/arm_cfft_radix8_f32",
    "TransformFunctions/arm_rfft_fast_f32",
    "TransformFunctions/arm_rfft_fast_init_f32",
)
_FLOATS = '#pragma GCC optimize("O2", "fp-contract=off")\n#define ARM_MATH_AUTOVECTORIZE\n#define __GNUC_PYTHON__\n'
_PROPERTIES = """name={name}
version=1.0.0
author=The GroupComm Micro authors
maintainer=The GroupComm Micro authors
sentence={sentence}
paragraph={paragraph}
category=Signal Input/Output
url=https://arxiv.org/abs/2011.08397
architectures=mbed_nano,mbed
includes=GroupComm.h
"""
_NETWORK = """// The network of this library, written by `groupcomm package`.
#pragma once

#include "{name}.h"

#define GROUPCOMM_NETWORK groupcomm_{name}
#define GROUPCOMM_NETWORK_MEMORY_BYTES GROUPCOMM_{upper}_MEMORY_BYTES
#define GROUPCOMM_SAMPLE_RATE {rate}
#define GROUPCOMM_WINDOW {window}
#define GROUPCOMM_HOP {hop}
#define GROUPCOMM_SOURCES {sources}
"""


def arduino(bundle: bundles.Bundle, folder: Path) -> list[str]:
    """Write an Arduino library ("Arduino library specification", revision 2.2): the network as plain C, the kernels, the stream, the FFT.

    It needs no other library. The FFT is CMSIS-DSP's (Apache-2.0), from the package that WORKSPACE names.

    Parameters
    ----------
    bundle : what it runs.
    folder : of the library; it appears whole or not at all, and replaces one that is there.

    Returns
    -------
    Its files, relative to ``folder``.

    Raises
    ------
    UserError
        When the bundle has an operator without a kernel, Bazel cannot fetch CMSIS-DSP, or the folder cannot be written.
    """
    runner.build("//micro/stream")
    dsp = REPO / f"bazel-{REPO.name}" / "external" / "cmsis_dsp"
    signal = bundle.signal
    with atomic_folder(folder) as part:
        source = part / "src"
        shutil.copytree(_BOARD / "examples", part / "examples")
        shutil.copy(_BOARD / "keywords.txt", part)
        shutil.copy(REPO / "LICENSE", part)
        written = compilation.compile_bundle(bundle, source)
        for header in _HEADERS:
            _copy(REPO / header, source / header)
        for kernel in _KERNELS:
            _copy(REPO / "micro" / "kernels" / f"{kernel}.c", source / "micro" / "kernels" / f"{kernel}.c")
        window = f"#define GROUPCOMM_WINDOW {signal.window}\n"
        _copy(REPO / "micro" / "stream" / "stream.cc", source / "micro" / "stream" / "stream.cpp", _FLOATS + window)
        _copy(REPO / "micro" / "parity" / "server.cc", source / "micro" / "parity" / "server.cpp")
        for name in ("GroupComm.h", "GroupComm.cpp"):
            _copy(_BOARD / name, source / name)
        network = {"name": written["name"], "upper": written["name"].upper(), "rate": signal.sample_rate, "window": signal.window}
        (source / "network.h").write_text(_NETWORK.format(**network, hop=signal.hop, sources=bundle.sources))
        for header in [*dsp.glob("Include/**/*.h"), *dsp.glob("PrivateInclude/*.h")]:
            _copy(header, source / header.relative_to(dsp).relative_to(header.relative_to(dsp).parts[0]))
        for name in _FFT:
            _copy(dsp / "Source" / f"{name}.c", source / "cmsis_dsp" / f"{Path(name).name}.c", _FLOATS)
        _copy(dsp / "LICENSE", source / "cmsis_dsp" / "LICENSE")
        (part / "library.properties").write_text(_properties(bundle))
        return sorted(str(file.relative_to(part)) for file in part.rglob("*") if file.is_file())


def _properties(bundle: bundles.Bundle) -> str:
    signal = bundle.signal
    parameters = flatbuffer.read(bundle.path / bundle.description["model"]["file"]).parameters
    return _PROPERTIES.format(
        name="GroupComm " + re.sub(r"[^A-Za-z0-9_.-]", "_", bundle.name),
        sentence="Removes noise from speech." if bundle.sources == 1 else f"Separates {bundle.sources} speakers.",
        paragraph=f"The Group Communication network {bundle.name} ({parameters:,} parameters, int8) and its stream in plain C and C++: "
        f"PCM in hops of {1000 * signal.hop / signal.sample_rate:g} ms, latency {1000 * signal.window / signal.sample_rate:g} ms.",
    )


def _copy(given: Path, to: Path, first: str = "") -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(first + given.read_text(encoding="utf-8-sig"), encoding="utf-8")
